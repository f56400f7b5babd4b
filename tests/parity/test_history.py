"""Histories: continue a conversation, store it, give it to another agent or model, process it before requests."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_core import to_jsonable_python

from pydantic_llm import (
    Agent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    RunContext,
    TextPart,
    UserPromptPart,
)
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.test import TestModel

from .script import kinds, play


def count(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse(parts=[TextPart(f'{len(messages)} messages')])


COUNTER = FunctionModel(count)


def test_a_result_has_all_messages_and_the_new_ones() -> None:
    agent = Agent(COUNTER, instructions='Be brief.')
    first = agent.run_sync('Which ship is that?')
    second = agent.run_sync('And that one?', message_history=first.all_messages())
    assert second.output == '3 messages'
    assert len(second.all_messages()) == 4
    assert [message.kind for message in second.new_messages()] == ['request', 'response']
    assert first.new_messages() == first.all_messages()


def test_a_stream_has_messages_when_it_is_complete() -> None:
    agent = Agent(TestModel(custom_output_text='The Fram.'))

    async def run() -> tuple[int, int]:
        async with agent.run_stream('Which ship is that?') as result:
            before = len(result.all_messages())
            async for _ in result.stream_text(debounce_by=None):
                pass
            return before, len(result.all_messages())

    before, after = asyncio.run(run())
    assert before <= after == 2


def test_a_history_is_stored_as_json_and_loaded() -> None:
    agent = Agent(COUNTER)
    first = agent.run_sync('Which ship is that?')
    stored = first.all_messages_json()
    loaded = ModelMessagesTypeAdapter.validate_json(stored)
    assert loaded == first.all_messages()
    as_python = to_jsonable_python(first.all_messages())
    assert ModelMessagesTypeAdapter.validate_python(as_python) == first.all_messages()
    assert agent.run_sync('And that one?', message_history=loaded).output == '3 messages'


def test_a_history_goes_to_another_model_and_another_agent() -> None:
    first = Agent(TestModel()).run_sync('Which ship is that?')
    other = Agent(COUNTER, system_prompt='You are a pilot.')
    assert other.run_sync('And that one?', message_history=first.new_messages(), model=COUNTER).output == '3 messages'


def test_system_prompts_of_a_history_are_kept() -> None:
    agent = Agent(COUNTER, system_prompt='You are a pilot.')
    first = agent.run_sync('Hello.')
    second = agent.run_sync('Hello again.', message_history=first.all_messages())
    assert sum(part.part_kind == 'system-prompt' for message in second.all_messages() for part in message.parts) == 1


def test_instructions_are_those_of_the_last_run() -> None:
    first = Agent(COUNTER, instructions='You are a pilot.').run_sync('Hello.')
    second = Agent(COUNTER, instructions='You are a captain.').run_sync('Hello.', message_history=first.all_messages())
    requests = [message for message in second.all_messages() if isinstance(message, ModelRequest)]
    assert [message.instructions for message in requests] == ['You are a pilot.', 'You are a captain.']


def test_the_messages_of_a_conversation_share_an_id() -> None:
    agent = Agent(COUNTER)
    first = agent.run_sync('Hello.', conversation_id='berth-7')
    second = agent.run_sync('Hello.', message_history=first.all_messages())
    assert {message.conversation_id for message in second.all_messages()} == {'berth-7'}
    assert len({message.run_id for message in second.all_messages()}) == 2


def test_a_run_has_an_id_of_your_own() -> None:
    result = Agent(COUNTER).run_sync('Hello.', run_id='run-1')
    assert {message.run_id for message in result.all_messages()} == {'run-1'}


def test_a_history_is_written_by_hand() -> None:
    history = [
        ModelRequest(parts=[UserPromptPart(content='Which ship is that?')]),
        ModelResponse(parts=[TextPart(content='The Fram.')]),
    ]
    assert Agent(COUNTER).run_sync('And that one?', message_history=history).output == '3 messages'


def test_a_run_without_a_prompt_continues_a_history() -> None:
    history = [ModelRequest(parts=[UserPromptPart(content='Which ship is that?')])]
    result = Agent(COUNTER).run_sync(message_history=history)
    assert result.output == '1 messages'
    assert kinds(result.all_messages()) == [['user-prompt'], ['text']]


def test_the_last_response_of_a_result() -> None:
    result = Agent(play('The Fram.')).run_sync('Which ship is that?')
    assert result.response.parts == [TextPart('The Fram.')]
    assert result.response.text == 'The Fram.'


def test_messages_are_added_while_a_run_works() -> None:
    agent = Agent(TestModel(custom_output_text='Done.'))

    @agent.tool
    def look(ctx: RunContext[None]) -> str:
        ctx.enqueue('And hurry.')
        return 'nothing'

    result = agent.run_sync('Look.')
    texts: list[Any] = [
        part.content for message in result.all_messages() for part in message.parts if part.part_kind == 'user-prompt'
    ]
    assert 'And hurry.' in str(texts)
