"""History processors: functions that choose the messages of each request, and the ready-made ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pydantic_llm import Agent, ModelMessagesTypeAdapter, RunContext, UserError, repair_history
from pydantic_llm.exceptions import ContextLengthError, ModelAPIError
from pydantic_llm.history import DropOldMedia, KeepLastTurns, SummarizeOldTurns
from pydantic_llm.history.budget import count_tokens, find_window
from pydantic_llm.messages import (
    BinaryContent,
    CompactionPart,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.models.wrapper import WrapperModel
from pydantic_llm.prices import find_context_window
from pydantic_llm.profiles import ModelProfile
from tests.agent.scripted import Scripted

IMAGE = BinaryContent(b'png', media_type='image/png', identifier='chart.png')


def too_long() -> ContextLengthError:
    return ContextLengthError(400, 'scripted', message='too long')


def texts_of(messages: Sequence[ModelMessage]) -> list[str]:
    """Return the texts of prompts and responses, in order."""
    parts = [part for message in messages for part in message.parts]
    return [part.content for part in parts if isinstance(part, (SystemPromptPart, UserPromptPart, TextPart))]  # type: ignore[misc]


def prompt_of(model: Scripted, number: int = 0) -> str:
    """Return the prompt of a request for a summary."""
    [prompt] = texts_of(model.requests[number].messages)
    return prompt


def chat(count: int, *, size: int = 1) -> list[ModelMessage]:
    """Return a conversation of so many turns, each with a tool call."""
    messages: list[ModelMessage] = []
    for number in range(count):
        messages += [
            ModelRequest([UserPromptPart(f'question {number} ' * size)]),
            ModelResponse([ToolCallPart('look', {'at': number}, f'call_{number}')]),
            ModelRequest([ToolReturnPart('look', f'seen {number}', f'call_{number}')]),
            ModelResponse([TextPart(f'answer {number} ' * size)]),
        ]
    return messages


# ---------------------------------------------------------------------- the parameter


async def test_processors_choose_the_messages_of_each_request_and_not_those_of_the_history() -> None:
    seen: list[int] = []

    async def count(context: RunContext[str], messages: list[ModelMessage]) -> list[ModelMessage]:
        seen.append(len(messages) if context.deps == 'deps' else -1)
        return messages

    def keep_newest(messages: list[ModelMessage]) -> list[ModelMessage]:
        return messages[-1:]

    model = Scripted(ToolCallPart('look', {}, 'a'), 'done')
    agent = Agent(model, deps_type=str, history_processors=[count], instructions='Be brief.')

    @agent.tool_plain
    def look() -> str:
        return 'seen'

    result = await agent.run('hi', deps='deps', message_history=chat(1), history_processors=[keep_newest])
    assert seen == [5, 7]
    assert [len(sent.messages) for sent in model.requests] == [1, 1]
    assert [sent.messages[-1].instructions for sent in model.requests] == ['Be brief.'] * 2  # type: ignore[union-attr]
    assert len(result.all_messages()) == 8
    assert len(result.new_messages()) == 4


async def test_instructions_are_sent_if_a_processor_builds_the_newest_request_again() -> None:
    agent = Agent(
        model := Scripted('hi'),
        instructions='Be brief.',
        history_processors=[lambda messages: [ModelRequest(messages[-1].parts)]],
    )
    await agent.run('hi')
    assert [message.instructions for message in model.requests[0].messages] == ['Be brief.']  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ('returned', 'problem'),
    [
        (None, 'returned None; it must return a list of messages'),
        ('hi', 'it must return a list of messages'),
        ([], 'returned no messages'),
        (['hi'], 'takes a list of ModelRequest and ModelResponse'),
        ([ModelResponse([TextPart('hi')])], 'end with a response'),
    ],
)
async def test_a_processor_that_returns_something_else_is_named(returned: Any, problem: str) -> None:
    def broken(messages: list[ModelMessage]) -> Any:
        return returned

    model = Scripted('hi')
    with pytest.raises(UserError, match='broken') as caught:
        await Agent(model, history_processors=[broken]).run('hi')
    assert problem in str(caught.value)
    assert model.requests == []


@pytest.mark.parametrize('given', ['text', lambda messages: messages, [lambda: None], [1]])
def test_processors_are_checked_when_the_agent_is_made(given: Any) -> None:
    with pytest.raises(UserError, match=r"^history_processors takes a list of functions|'<lambda>' must take one"):
        Agent(Scripted('hi'), history_processors=given)


# ---------------------------------------------------------------------- too long for the model


@pytest.mark.parametrize('streams', [False, True])
async def test_a_request_that_was_too_long_is_sent_once_more_with_fewer_messages(streams: bool) -> None:
    model = Scripted(too_long(), 'hi')
    agent = Agent(model, history_processors=[KeepLastTurns()])
    history = chat(20)
    if streams:
        async with agent.run_stream('new', message_history=history) as stream:
            assert await stream.get_output() == 'hi'
    else:
        assert (await agent.run('new', message_history=history)).output == 'hi'
    first, second = [sent.messages for sent in model.requests]
    assert len(first) == 81
    assert count_tokens(second) <= count_tokens(first) // 2
    assert second[-1] == first[-1]


async def test_a_request_that_is_too_long_for_the_last_of_several_models_is_sent_once_more() -> None:
    first, second = Scripted(ModelAPIError('first', 'down')), Scripted(too_long(), 'hi')
    agent = Agent(FallbackModel(first, second), history_processors=[KeepLastTurns()])
    assert (await agent.run('new', message_history=chat(20))).output == 'hi'
    assert [len(sent.messages) for sent in first.requests] == [len(sent.messages) for sent in second.requests]


def test_the_context_window_is_that_of_the_profile_or_of_the_prices() -> None:
    known = find_context_window('openai', 'gpt-4o-mini')
    assert known is not None
    assert find_window(WrapperModel(OpenAIModel('gpt-4o-mini', api_key='k'))) == known
    assert find_window(OpenAIModel('gpt-4o-mini', api_key='k', profile={'context_window': 7})) == 7
    assert find_window(Scripted('hi')) is None


@pytest.mark.parametrize('processors', [[], [lambda messages: messages], [KeepLastTurns()]])
async def test_a_request_that_stays_too_long_is_an_error(processors: list[Any]) -> None:
    model = Scripted(too_long())
    with pytest.raises(ContextLengthError):
        await Agent(model, history_processors=processors).run('new', message_history=chat(3))
    assert len(model.requests) == (2 if any(isinstance(each, KeepLastTurns) for each in processors) else 1)


# ---------------------------------------------------------------------- keep the last turns


async def test_the_last_turns_are_kept_with_the_system_prompt() -> None:
    model = Scripted('hi')
    history = [ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('first')]), *chat(5)]
    await Agent(model, history_processors=[KeepLastTurns(2)]).run('new', message_history=history)
    sent = model.requests[0].messages
    assert texts_of(sent) == ['Be brief.', 'question 4 ', 'answer 4 ', 'new']
    assert repair_history(sent).changes == []


async def test_a_turn_that_alone_has_too_many_tokens_keeps_its_prompt_and_its_last_steps() -> None:
    messages = chat(1)
    for number in range(1, 9):
        messages += [*chat(number + 1)[-3:-1]]
    model = Scripted('hi')
    agent = Agent(model, history_processors=[KeepLastTurns(max_tokens=60)])
    await agent.run(message_history=[message for message in messages if message.parts[0].part_kind != 'text'])
    sent = model.requests[0].messages
    assert sent[0] == messages[0]
    assert 3 <= len(sent) < 10
    assert repair_history(sent).changes == []


async def test_the_budget_is_a_share_of_the_context_window_of_the_profile() -> None:
    model = Scripted('hi', profile=ModelProfile(context_window=400))
    await Agent(model, history_processors=[KeepLastTurns(share=0.5)]).run('new', message_history=chat(50))
    assert 100 < count_tokens(model.requests[0].messages) <= 200


def test_a_budget_is_checked() -> None:
    for options in ({'share': 0}, {'share': 1.5}, {'share': 'x'}, {'max_tokens': 0}, {'turns': 0}):
        with pytest.raises(UserError):
            KeepLastTurns(**options)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- drop old media


async def test_old_files_are_replaced_by_texts() -> None:
    model = Scripted('hi')
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart(['What is this?', IMAGE])]),
        ModelResponse([FilePart(IMAGE), ToolCallPart('draw', {}, 'a')]),
        ModelRequest([ToolReturnPart('draw', [IMAGE, 'done'], 'a')]),
        ModelResponse([TextPart('A chart.')]),
    ]
    await Agent(model, history_processors=[DropOldMedia(1)]).run(['And this?', IMAGE], message_history=history)
    prompt, answer, result, _, newest = model.requests[0].messages
    note = "[image/png 'chart.png' was here]"
    assert prompt.parts[0].content == ['What is this?', note]  # type: ignore[union-attr]
    assert answer.parts[0] == TextPart(note)
    assert result.parts[0].content == [note, 'done']  # type: ignore[union-attr]
    assert newest.parts[0].content == ['And this?', IMAGE]  # type: ignore[union-attr]


# ---------------------------------------------------------------------- summarize


async def test_a_summary_is_made_once_and_used_again_also_after_the_history_was_stored() -> None:
    model, writer = Scripted('hi'), Scripted('They spoke about questions.')
    agent = Agent(model, history_processors=[SummarizeOldTurns(writer, max_tokens=300)])
    result = await agent.run('new', message_history=chat(20))
    assert len(writer.requests) == 1
    assert 'Assistant calls look: {"at":0}' in prompt_of(writer)
    sent = model.requests[0].messages
    assert texts_of(sent)[0] == 'A summary of the conversation so far:\n\nThey spoke about questions.'
    assert count_tokens(sent) <= 300
    assert len(result.all_messages()) == 82
    assert result.usage.requests == 2
    stored = ModelMessagesTypeAdapter.validate_json(result.all_messages_json())
    await agent.run('newer', message_history=stored)
    assert len(writer.requests) == 1
    assert texts_of(model.requests[1].messages)[0] == texts_of(sent)[0]
    assert len(model.requests[1].messages) == len(sent) + 2


async def test_a_summary_contains_the_one_before_it() -> None:
    model, writer = Scripted('hi'), Scripted('first', 'second')
    agent = Agent(model, history_processors=[SummarizeOldTurns(writer, max_tokens=300)])
    history: list[ModelMessage] = chat(20)
    for number in range(6):
        history = (await agent.run(f'new {number} ' * 20, message_history=history)).all_messages()
    assert len(writer.requests) > 1
    assert '<earlier_summary>\nfirst\n</earlier_summary>' in prompt_of(writer, 1)


@pytest.mark.parametrize('stored', [{'text': 5, 'kept': 1}, {'text': 'S', 'kept': -5}, {'text': 'S', 'kept': 999}, 'x'])
async def test_a_damaged_summary_in_a_stored_history_loses_no_new_message(stored: Any) -> None:
    model = Scripted('hi')
    history = [ModelRequest([UserPromptPart('a')], metadata={'pydantic_llm.summary': stored}), *chat(1)]
    await Agent(model, history_processors=[SummarizeOldTurns(max_tokens=1000)]).run('new', message_history=history)
    assert texts_of(model.requests[0].messages)[-3:] == ['question 0 ', 'answer 0 ', 'new']


async def test_a_model_that_cannot_summarize_does_not_end_the_run() -> None:
    model, writer = Scripted('hi'), Scripted(ModelAPIError('writer', 'overloaded'))
    agent = Agent(model, history_processors=[SummarizeOldTurns(writer, max_tokens=300)])
    result = await agent.run('new', message_history=chat(20))
    assert result.output == 'hi'
    assert count_tokens(model.requests[0].messages) <= 300
    [warning] = result.response.warnings
    assert warning.startswith('the oldest turns were not sent, and could not be summarized')
    again = await agent.run('newer', message_history=result.all_messages())
    assert len(writer.requests) == 2
    assert len(again.response.warnings) == 1


async def test_processors_compose() -> None:
    model, writer = Scripted('hi'), Scripted('a summary')
    history = [ModelRequest([UserPromptPart(['Look', IMAGE])]), ModelResponse([TextPart('ok')]), *chat(30, size=20)]
    processors = [SummarizeOldTurns(writer, max_tokens=900), DropOldMedia(1), KeepLastTurns(3)]
    await Agent(model, history_processors=processors).run('new', message_history=history)
    assert "Look [image/png 'chart.png' was here]" in prompt_of(writer)
    assert texts_of(model.requests[0].messages)[-1] == 'new'
    assert count_tokens(model.requests[0].messages) <= 900


# ---------------------------------------------------------------------- repair a history


def test_a_repaired_history_says_what_was_changed() -> None:
    messages: list[ModelMessage] = [
        ModelRequest([]),
        ModelResponse([ToolCallPart('look here!', '{"a', 'a'), ToolCallPart('look', {}, 'b'), TextPart(' ')]),
        ModelRequest([UserPromptPart('so?'), ToolReturnPart('look', 'seen', 'b'), ToolReturnPart('look', 1, 'x')]),
        ModelRequest([RetryPromptPart('again', tool_name='look', tool_call_id='y')]),
    ]
    repaired = repair_history(messages)
    assert repair_history(repaired.messages).messages == repaired.messages
    assert repair_history(repaired.messages).changes == []
    for expected in ('was truncated', 'was sent as text', 'blank texts', 'must begin with the user'):
        assert any(expected in change for change in repaired.changes), repaired.changes


def test_a_valid_history_is_returned_unchanged() -> None:
    messages = [*chat(2), ModelRequest([UserPromptPart('new')])]
    messages.insert(8, ModelResponse([CompactionPart('So far.', provider_name='anthropic'), TextPart('ok')]))
    repaired = repair_history(messages)
    assert (repaired.messages, repaired.changes) == (messages, [])
    with pytest.raises(UserError):
        repair_history('text')  # type: ignore[arg-type]
