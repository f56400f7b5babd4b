"""Tests of `repair` and `map_tool_call_ids`: the history that is sent, and that the given messages do not change."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.messages.history import NOT_EXECUTED, map_tool_call_ids, repair

NOW = datetime(2026, 1, 2, tzinfo=UTC)
IMAGE = ImageUrl('https://example.com/a.png')


def prompt(text: str = 'Go on.') -> UserPromptPart:
    return UserPromptPart(text, timestamp=NOW)


def tool_call(id: str, args: str = '{}', name: str = 'look') -> ToolCallPart:
    return ToolCallPart(name, args, id)


def result(id: str, content: Any = 'seen', name: str = 'look') -> ToolReturnPart:
    return ToolReturnPart(name, content, id, timestamp=NOW)


def retry(id: str) -> RetryPromptPart:
    return RetryPromptPart('Look closer.', tool_name='look', tool_call_id=id, timestamp=NOW)


def request(*parts: Any) -> ModelRequest:
    return ModelRequest(list(parts))


def response(*parts: Any, state: Any = 'complete') -> ModelResponse:
    return ModelResponse(list(parts), timestamp=NOW, state=state)


def missing_result(id: str, name: str = 'look') -> ToolReturnPart:
    return ToolReturnPart(name, NOT_EXECUTED, id, outcome='interrupted', timestamp=NOW)


def run_repair(*messages: ModelMessage) -> tuple[list[ModelMessage], list[str]]:
    """Return what `repair` returns, with `NOW` as the time of added results. Check that the messages do not change."""
    before = deepcopy(messages)
    history, notes = repair(messages)
    assert messages == before
    for message in history:
        for part in message.parts:
            if isinstance(part, ToolReturnPart) and part.outcome == 'interrupted':
                part.timestamp = NOW
    return list(history), notes


# ---------------------------------------------------------------------- valid histories

VALID: dict[str, list[ModelMessage]] = {
    'one prompt': [request(prompt())],
    'instructions alone': [ModelRequest([prompt()], instructions='Be brief.')],
    'a response at the end': [request(prompt()), response(TextPart('Hello.'))],
    'a response at the start': [response(TextPart('Hello.')), request(prompt())],
    'requests in a row': [request(SystemPromptPart('Be kind.')), request(prompt()), request(prompt())],
    'two calls': [
        request(prompt()),
        response(tool_call('a'), tool_call('b')),
        request(result('b'), result('a'), prompt()),
    ],
    'a retry': [response(tool_call('a')), request(retry('a')), response(tool_call('b')), request(result('b'))],
    'a retry of the response': [response(TextPart('?')), request(RetryPromptPart('Say more.'))],
    'results in two requests': [
        response(tool_call('a'), tool_call('b')),
        request(result('a')),
        request(result('b'), prompt()),
    ],
    'arguments that are not JSON, with a result': [response(tool_call('a', '{"x')), request(retry('a'))],
    'a native tool': [response(NativeToolCallPart('search', {}, 'n'), NativeToolReturnPart('search', [], 'n'))],
    'a native tool that continues in the next response': [
        response(NativeToolCallPart('search', {}, 'n')),
        response(NativeToolReturnPart('search', [], 'n')),
    ],
    'an interrupted text': [request(prompt()), response(TextPart('Hel'), state='interrupted'), request(prompt())],
}


@pytest.mark.parametrize('messages', VALID.values(), ids=VALID)
def test_a_valid_history_is_returned_itself(messages: list[ModelMessage]) -> None:
    history, notes = repair(messages)
    assert history is messages
    assert notes == []


def test_a_valid_message_is_not_copied() -> None:
    messages = [
        request(prompt()),
        response(tool_call('a')),
        request(result('a')),
        response(tool_call('b')),
        request(prompt()),
    ]
    history, _ = repair(messages)
    assert [a is b for a, b in zip(history, messages, strict=True)] == [True, True, True, True, False]


# ---------------------------------------------------------------------- tool calls without a result


def test_a_missing_result_is_added_before_the_parts_of_the_next_request() -> None:
    assert run_repair(response(tool_call('a'), tool_call('b')), request(result('b'), prompt())) == (
        [response(tool_call('a'), tool_call('b')), request(missing_result('a'), result('b'), prompt())],
        ["a result was added for the tool call 'a' of 'look', which had no result"],
    )


def test_a_missing_result_is_added_at_the_end_of_the_history() -> None:
    assert run_repair(request(prompt()), response(tool_call('a'))) == (
        [request(prompt()), response(tool_call('a')), request(missing_result('a'))],
        ["a result was added for the tool call 'a' of 'look', which had no result"],
    )


def test_a_missing_result_is_added_between_two_responses() -> None:
    history, _ = run_repair(response(tool_call('a')), response(TextPart('Never mind.')))
    assert history == [response(tool_call('a')), request(missing_result('a')), response(TextPart('Never mind.'))]


@pytest.mark.parametrize('state', ['complete', 'incomplete', 'interrupted'])
@pytest.mark.parametrize('args', ['{"city": "Par', '[1]', '{"a": 1} {'])
def test_a_truncated_tool_call_is_dropped(state: str, args: str) -> None:
    truncated = response(TextPart('Let me look.'), tool_call('a', args), state=state)
    assert run_repair(truncated, request(prompt())) == (
        [response(TextPart('Let me look.'), state=state), request(prompt())],
        ["the tool call 'a' of 'look' was truncated, and dropped"],
    )


def test_a_response_without_remaining_parts_is_dropped() -> None:
    history, _ = run_repair(
        request(prompt('One.')), response(tool_call('a', '{"x'), state='interrupted'), request(prompt('Two.'))
    )
    assert history == [request(prompt('One.')), request(prompt('Two.'))]


def test_a_complete_tool_call_of_an_interrupted_response_is_kept() -> None:
    truncated = response(tool_call('a'), tool_call('b', '{"x'), state='interrupted')
    history, notes = run_repair(truncated, request(result('a')))
    assert history == [response(tool_call('a'), state='interrupted'), request(result('a'))]
    assert notes == ["the tool call 'b' of 'look' was truncated, and dropped"]


# ---------------------------------------------------------------------- results without a tool call


def test_a_result_without_a_tool_call_becomes_text_in_its_place() -> None:
    assert run_repair(request(prompt(), result('x', {'sea': True}), retry('y'))) == (
        [
            request(
                prompt(),
                prompt('The tool look answered: {"sea":true}'),
                prompt('The tool look answered: Look closer.\n\nCorrect this and try again.'),
            )
        ],
        [
            "a result of tool 'look' was sent as text: no tool call has its id 'x'",
            "a result of tool 'look' was sent as text: no tool call has its id 'y'",
        ],
    )


def test_the_files_of_a_result_without_a_tool_call_stay_files() -> None:
    history, _ = run_repair(request(result('x', ['A view.', IMAGE])))
    assert history == [
        request(UserPromptPart(['The tool look answered: ["A view."]', IMAGE], timestamp=NOW)),
    ]


def test_a_second_result_of_the_same_tool_call_becomes_text() -> None:
    history, notes = run_repair(response(tool_call('a')), request(result('a'), result('a', 'seen twice')))
    assert history == [response(tool_call('a')), request(result('a'), prompt('The tool look answered: seen twice'))]
    assert len(notes) == 1


def test_a_result_of_an_earlier_response_becomes_text() -> None:
    history, notes = run_repair(
        response(tool_call('a')),
        request(result('a')),
        response(tool_call('b')),
        request(result('a', 'seen'), result('b')),
    )
    assert history[-1] == request(result('b'), prompt('The tool look answered: seen'))
    assert len(notes) == 1


# ---------------------------------------------------------------------- order


def test_results_are_moved_before_other_parts() -> None:
    history, notes = run_repair(response(tool_call('a'), tool_call('b')), request(prompt(), result('b'), result('a')))
    assert history == [response(tool_call('a'), tool_call('b')), request(result('a'), result('b'), prompt())]
    assert notes == []


def test_results_in_a_later_request_are_moved_forward() -> None:
    first = ModelRequest([result('a'), prompt('One.')], instructions='First.')
    history, notes = run_repair(
        response(tool_call('a'), tool_call('b')),
        first,
        request(result('b')),
        request(prompt('Two.')),
        response(TextPart('Well.')),
    )
    assert history == [
        response(tool_call('a'), tool_call('b')),
        ModelRequest([result('a'), result('b'), prompt('One.')], instructions='First.'),
        request(prompt('Two.')),
        response(TextPart('Well.')),
    ]
    assert notes == []


# ---------------------------------------------------------------------- ids


def test_tool_calls_with_the_same_id_are_paired_in_order() -> None:
    history, notes = run_repair(response(tool_call('a'), tool_call('a')), request(result('a', 1), result('a', 2)))
    assert history == [response(tool_call('a'), tool_call('a_2')), request(result('a', 1), result('a_2', 2))]
    assert notes == []


def test_a_tool_call_with_the_id_of_an_earlier_one_gets_a_new_id() -> None:
    turn = [response(tool_call('a')), request(result('a'))]
    history, notes = run_repair(*turn, *turn, *turn)
    ids = [part.tool_call_id for message in history for part in message.parts if hasattr(part, 'tool_call_id')]
    assert ids == ['a', 'a', 'a_2', 'a_2', 'a_3', 'a_3']
    assert notes == []


def test_a_tool_call_without_an_id_gets_one() -> None:
    history, notes = run_repair(response(tool_call(''), tool_call('')), request(result('', 1), result('', 2)))
    assert history == [
        response(tool_call('call_2'), tool_call('call_3')),
        request(result('call_2', 1), result('call_3', 2)),
    ]
    assert notes == []


def test_a_new_id_differs_from_those_of_later_tool_calls() -> None:
    history, _ = run_repair(
        response(tool_call('a'), tool_call('a'), tool_call('a_2')),
        request(result('a', 1), result('a', 2), result('a_2', 3)),
    )
    assert history == [
        response(tool_call('a'), tool_call('a_2'), tool_call('a_2_2')),
        request(result('a', 1), result('a_2', 2), result('a_2_2', 3)),
    ]


def test_ids_stay_the_same_as_the_history_grows() -> None:
    turn = [response(tool_call('a')), request(result('a'))]
    assert run_repair(*turn, *turn, request(prompt()))[0][:4] == run_repair(*turn, *turn)[0]


# ---------------------------------------------------------------------- native tools


def test_a_truncated_native_tool_call_is_dropped() -> None:
    native = NativeToolCallPart('search', {}, 'n')
    assert run_repair(response(TextPart('Hm.'), native, state='interrupted')) == (
        [response(TextPart('Hm.'), state='interrupted')],
        ["the native tool call of 'search' was truncated, and dropped"],
    )


def test_a_native_tool_result_without_its_tool_call_is_dropped() -> None:
    native = NativeToolReturnPart('search', [], 'n')
    assert run_repair(response(native, TextPart('Hm.'))) == (
        [response(TextPart('Hm.'))],
        ["a result of the native tool 'search' was dropped: its call is missing"],
    )


# ---------------------------------------------------------------------- empty and malformed


def test_messages_without_parts_are_removed() -> None:
    history, notes = run_repair(request(), request(prompt()), response(), request(), request(prompt()))
    assert history == [request(prompt()), request(prompt())]
    assert notes == []


def test_instructions_alone_can_be_sent() -> None:
    assert repair([ModelRequest([], instructions='Tell a story.')]) == ([], [])


@pytest.mark.parametrize('messages', [[], [request()], [request(), response()]])
def test_an_empty_history_is_an_error(messages: list[ModelMessage]) -> None:
    with pytest.raises(UserError, match='messages holds nothing to send'):
        repair(messages)


MALFORMED: dict[str, tuple[Any, str]] = {
    'a text': ('Hello.', r"messages\[0\] is 'H', not a ModelRequest or a ModelResponse"),
    'a dict': ([{'role': 'user'}], r"messages\[0\] is {'role': 'user'}, not a ModelRequest or a ModelResponse"),
    'a part': (
        [request(prompt()), prompt()],
        r'messages\[1\] is UserPromptPart\(.*, not a ModelRequest or',
    ),
    'a text as part': ([request(prompt(), 'Hello.')], r"messages\[0\].parts\[1\] is 'Hello.', not one of SystemPrompt"),
    'parts that are a text': (
        [ModelRequest('Hello.')],
        r"messages\[0\].parts\[0\] is 'H', not one of SystemPromptPart",
    ),  # type: ignore[arg-type] # the mistake
    'a part of a response': ([request(TextPart('Hello.'))], r'messages\[0\].parts\[0\] is TextPart\(.*, not one of'),
    'a part of a request': (
        [response(prompt())],
        r'messages\[0\].parts\[0\] is UserPromptPart\(.*, not one of TextPart',
    ),
}


@pytest.mark.parametrize(('messages', 'sentence'), MALFORMED.values(), ids=MALFORMED)
def test_an_invalid_item_is_an_error_that_names_its_position(messages: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        repair(messages)


def test_instances_of_a_subclass_are_valid_parts() -> None:
    class Shouted(UserPromptPart):
        __slots__ = ()

    messages = [request(Shouted('HELLO'))]
    assert repair(messages)[0] is messages


# ---------------------------------------------------------------------- any history

some_ids = st.sampled_from(['a', 'b', 'c'])
some_parts = st.one_of(
    st.builds(prompt), some_ids.map(result), some_ids.map(retry), st.builds(RetryPromptPart, st.just('Again.'))
)
some_response_parts = st.one_of(
    st.just(TextPart('Hm.')),
    st.builds(tool_call, some_ids, st.sampled_from(['{}', '{"x'])),
    st.builds(NativeToolCallPart, st.just('search'), st.none(), some_ids),
    st.builds(NativeToolReturnPart, st.just('search'), st.none(), some_ids),
)
histories = st.lists(
    st.one_of(
        st.lists(some_parts, max_size=4).map(lambda parts: request(*parts)),
        st.builds(
            lambda parts, state: response(*parts, state=state),
            st.lists(some_response_parts, max_size=4),
            st.sampled_from(['complete', 'interrupted']),
        ),
    ),
    min_size=1,
    max_size=8,
).filter(lambda messages: any(message.parts for message in messages))


def assert_paired(messages: list[ModelMessage]) -> None:
    """Assert that each response is followed by the results of exactly its tool calls, and then by other parts."""
    seen: list[str] = []
    for position, message in enumerate(messages):
        assert message.parts
        if not isinstance(message, ModelResponse):
            continue
        calls = [part.tool_call_id for part in message.parts if isinstance(part, ToolCallPart)]
        seen += calls
        following: list[Any] = []
        for later in messages[position + 1 :]:
            if isinstance(later, ModelResponse):
                break
            following += later.parts
        ids = [
            part.tool_call_id if isinstance(part, ToolReturnPart) or getattr(part, 'tool_name', None) else None
            for part in following
        ]
        assert sorted(filter(None, ids[: len(calls)])) == sorted(calls)
        assert not any(ids[len(calls) :])
    assert len(set(seen)) == len(seen)


@given(histories)
def test_a_repaired_history_is_paired_and_does_not_change_again(messages: list[ModelMessage]) -> None:
    before = deepcopy(messages)
    try:
        history, _ = repair(messages)
    except UserError:
        return
    assert_paired(list(history))
    assert messages == before
    second, notes = repair(history)
    assert second is history
    assert notes == []


@given(histories)
def test_every_change_of_a_part_has_a_note(messages: list[ModelMessage]) -> None:
    """There is one note per part that was dropped, added, or turned into text."""
    try:
        history, notes = repair(messages)
    except UserError:
        return
    before = [part for message in messages for part in message.parts]
    after = [part for message in history for part in message.parts]
    added = [part for part in after if isinstance(part, ToolReturnPart) and part.outcome == 'interrupted']
    as_text = [part for part in after if isinstance(part, UserPromptPart) and 'answered: ' in str(part.content)]
    lost = len(before) - (len(after) - len(added))
    assert len(notes) == lost + len(added) + len(as_text)


# ---------------------------------------------------------------------- ids that a vendor accepts


def short_ids(messages: list[ModelMessage]) -> list[ModelMessage]:
    before = deepcopy(messages)
    mapped = map_tool_call_ids(messages, accepts=lambda id: len(id) < 4, make=lambda n: f'n{n}')
    assert messages == before
    return mapped


def test_an_id_that_is_not_accepted_is_replaced_in_the_tool_call_and_its_results() -> None:
    assert short_ids(
        [response(tool_call('long one'), tool_call('b')), request(result('long one')), request(result('b'))]
    ) == [
        response(tool_call('n0'), tool_call('b')),
        request(result('n0')),
        request(result('b')),
    ]


def test_a_message_whose_ids_are_accepted_is_not_copied() -> None:
    messages = [
        response(tool_call('a')),
        request(result('a')),
        response(tool_call('long one')),
        request(retry('long one')),
    ]
    assert [a is b for a, b in zip(short_ids(messages), messages, strict=True)] == [True, True, False, False]


def test_a_new_id_that_is_already_used_is_made_again() -> None:
    turns = [
        response(tool_call('n0')),
        request(result('n0')),
        response(tool_call('long one')),
        request(result('long one')),
    ]
    assert short_ids(turns)[2:] == [response(tool_call('n1')), request(result('n1'))]


def test_a_tool_call_whose_id_was_given_to_an_earlier_one_gets_a_new_id() -> None:
    assert short_ids([response(tool_call('long one'), tool_call('n0')), request(result('long one'), result('n0'))]) == [
        response(tool_call('n0'), tool_call('n1')),
        request(result('n0'), result('n1')),
    ]


def test_the_same_id_in_two_turns_is_replaced_by_two_ids() -> None:
    turn = [response(tool_call('long one')), request(result('long one'))]
    assert short_ids([*turn, *turn]) == [
        response(tool_call('n0')),
        request(result('n0')),
        response(tool_call('n1')),
        request(result('n1')),
    ]


def test_the_ids_of_native_tools_do_not_change() -> None:
    messages = [response(NativeToolCallPart('search', {}, 'long one'), NativeToolReturnPart('search', [], 'long one'))]
    assert short_ids(messages) == messages
