"""`repair` and `map_tool_call_ids`: what is sent of a history, and that nothing is changed on the way."""

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
from pydantic_llm.messages.history import UNANSWERED, map_tool_call_ids, repair

NOW = datetime(2026, 1, 2, tzinfo=UTC)
IMAGE = ImageUrl('https://example.com/a.png')


def asks(text: str = 'Go on.') -> UserPromptPart:
    return UserPromptPart(text, timestamp=NOW)


def call(id: str, args: str = '{}', name: str = 'look') -> ToolCallPart:
    return ToolCallPart(name, args, id)


def gave(id: str, content: Any = 'seen', name: str = 'look') -> ToolReturnPart:
    return ToolReturnPart(name, content, id, timestamp=NOW)


def again(id: str) -> RetryPromptPart:
    return RetryPromptPart('Look closer.', tool_name='look', tool_call_id=id, timestamp=NOW)


def request(*parts: Any) -> ModelRequest:
    return ModelRequest(list(parts))


def response(*parts: Any, state: Any = 'complete') -> ModelResponse:
    return ModelResponse(list(parts), timestamp=NOW, state=state)


def made_up(id: str, name: str = 'look') -> ToolReturnPart:
    return ToolReturnPart(name, UNANSWERED, id, outcome='interrupted', timestamp=NOW)


def repaired(*messages: ModelMessage) -> tuple[list[ModelMessage], list[str]]:
    """What `repair` gives, with the time of what it made up set to `NOW`; the messages it was given are unchanged."""
    before = deepcopy(messages)
    history, notes = repair(messages)
    assert messages == before
    for message in history:
        for part in message.parts:
            if isinstance(part, ToolReturnPart) and part.outcome == 'interrupted':
                part.timestamp = NOW
    return list(history), notes


# ---------------------------------------------------------------------- nothing is wrong

SOUND: dict[str, list[ModelMessage]] = {
    'one prompt': [request(asks())],
    'instructions alone': [ModelRequest([asks()], instructions='Be brief.')],
    'an answer at the end': [request(asks()), response(TextPart('Hello.'))],
    'an answer at the start': [response(TextPart('Hello.')), request(asks())],
    'requests in a row': [request(SystemPromptPart('Be kind.')), request(asks()), request(asks())],
    'two calls': [request(asks()), response(call('a'), call('b')), request(gave('b'), gave('a'), asks())],
    'a retry': [response(call('a')), request(again('a')), response(call('b')), request(gave('b'))],
    'a retry of the answer': [response(TextPart('?')), request(RetryPromptPart('Say more.'))],
    'answers in two requests': [response(call('a'), call('b')), request(gave('a')), request(gave('b'), asks())],
    'arguments that are no JSON, answered': [response(call('a', '{"x')), request(again('a'))],
    "a vendor's own tool": [response(NativeToolCallPart('search', {}, 'n'), NativeToolReturnPart('search', [], 'n'))],
    "a vendor's own tool that goes on": [
        response(NativeToolCallPart('search', {}, 'n')),
        response(NativeToolReturnPart('search', [], 'n')),
    ],
    'an interrupted text': [request(asks()), response(TextPart('Hel'), state='interrupted'), request(asks())],
}


@pytest.mark.parametrize('messages', SOUND.values(), ids=SOUND)
def test_a_sound_history_is_returned_itself(messages: list[ModelMessage]) -> None:
    history, notes = repair(messages)
    assert history is messages
    assert notes == []


def test_a_message_in_which_nothing_is_wrong_is_not_copied() -> None:
    messages = [request(asks()), response(call('a')), request(gave('a')), response(call('b')), request(asks())]
    history, _ = repair(messages)
    assert [a is b for a, b in zip(history, messages, strict=True)] == [True, True, True, True, False]


# ---------------------------------------------------------------------- calls without an answer


def test_a_call_without_an_answer_gets_one_before_what_is_said_next() -> None:
    assert repaired(response(call('a'), call('b')), request(gave('b'), asks())) == (
        [response(call('a'), call('b')), request(made_up('a'), gave('b'), asks())],
        ["an answer was made up for the call 'a' of tool 'look', which has none"],
    )


def test_a_call_at_the_end_of_the_history_gets_an_answer() -> None:
    assert repaired(request(asks()), response(call('a'))) == (
        [request(asks()), response(call('a')), request(made_up('a'))],
        ["an answer was made up for the call 'a' of tool 'look', which has none"],
    )


def test_a_call_that_another_response_follows_gets_an_answer_between_them() -> None:
    history, _ = repaired(response(call('a')), response(TextPart('Never mind.')))
    assert history == [response(call('a')), request(made_up('a')), response(TextPart('Never mind.'))]


@pytest.mark.parametrize('state', ['complete', 'incomplete', 'interrupted'])
@pytest.mark.parametrize('args', ['{"city": "Par', '[1]', '{"a": 1} {'])
def test_a_call_that_was_cut_is_left_out(state: str, args: str) -> None:
    cut = response(TextPart('Let me look.'), call('a', args), state=state)
    assert repaired(cut, request(asks())) == (
        [response(TextPart('Let me look.'), state=state), request(asks())],
        ["the call 'a' of tool 'look' was cut, and left out"],
    )


def test_a_response_of_which_nothing_is_left_is_left_out() -> None:
    history, _ = repaired(request(asks('One.')), response(call('a', '{"x'), state='interrupted'), request(asks('Two.')))
    assert history == [request(asks('One.')), request(asks('Two.'))]


def test_a_whole_call_of_an_interrupted_response_is_kept() -> None:
    cut = response(call('a'), call('b', '{"x'), state='interrupted')
    history, notes = repaired(cut, request(gave('a')))
    assert history == [response(call('a'), state='interrupted'), request(gave('a'))]
    assert notes == ["the call 'b' of tool 'look' was cut, and left out"]


# ---------------------------------------------------------------------- answers without a call


def test_an_answer_without_a_call_becomes_text_in_its_place() -> None:
    assert repaired(request(asks(), gave('x', {'sea': True}), again('y'))) == (
        [
            request(
                asks(),
                asks('The tool look answered: {"sea":true}'),
                asks('The tool look answered: Look closer.\n\nCorrect this and try again.'),
            )
        ],
        [
            "the answer of tool 'look' was sent as text: no call has its id 'x'",
            "the answer of tool 'look' was sent as text: no call has its id 'y'",
        ],
    )


def test_the_files_of_an_answer_without_a_call_stay_files() -> None:
    history, _ = repaired(request(gave('x', ['A view.', IMAGE])))
    assert history == [
        request(UserPromptPart(['The tool look answered: ["A view."]', IMAGE], timestamp=NOW)),
    ]


def test_a_second_answer_to_the_same_call_becomes_text() -> None:
    history, notes = repaired(response(call('a')), request(gave('a'), gave('a', 'seen twice')))
    assert history == [response(call('a')), request(gave('a'), asks('The tool look answered: seen twice'))]
    assert len(notes) == 1


def test_an_answer_to_a_call_of_an_earlier_response_is_no_answer_to_this_one() -> None:
    history, notes = repaired(
        response(call('a')), request(gave('a')), response(call('b')), request(gave('a', 'seen'), gave('b'))
    )
    assert history[-1] == request(gave('b'), asks('The tool look answered: seen'))
    assert len(notes) == 1


# ---------------------------------------------------------------------- order


def test_answers_come_before_what_else_is_said() -> None:
    history, notes = repaired(response(call('a'), call('b')), request(asks(), gave('b'), gave('a')))
    assert history == [response(call('a'), call('b')), request(gave('a'), gave('b'), asks())]
    assert notes == []


def test_answers_that_come_in_a_later_request_are_brought_forward() -> None:
    first = ModelRequest([gave('a'), asks('One.')], instructions='First.')
    history, notes = repaired(
        response(call('a'), call('b')), first, request(gave('b')), request(asks('Two.')), response(TextPart('Well.'))
    )
    assert history == [
        response(call('a'), call('b')),
        ModelRequest([gave('a'), gave('b'), asks('One.')], instructions='First.'),
        request(asks('Two.')),
        response(TextPart('Well.')),
    ]
    assert notes == []


# ---------------------------------------------------------------------- ids


def test_calls_of_one_response_with_the_same_id_get_answers_in_order() -> None:
    history, notes = repaired(response(call('a'), call('a')), request(gave('a', 1), gave('a', 2)))
    assert history == [response(call('a'), call('a_2')), request(gave('a', 1), gave('a_2', 2))]
    assert notes == []


def test_a_call_with_the_id_of_an_earlier_one_gets_another() -> None:
    turn = [response(call('a')), request(gave('a'))]
    history, notes = repaired(*turn, *turn, *turn)
    ids = [part.tool_call_id for message in history for part in message.parts if hasattr(part, 'tool_call_id')]
    assert ids == ['a', 'a', 'a_2', 'a_2', 'a_3', 'a_3']
    assert notes == []


def test_a_call_without_an_id_gets_one() -> None:
    history, notes = repaired(response(call(''), call('')), request(gave('', 1), gave('', 2)))
    assert history == [response(call('call_2'), call('call_3')), request(gave('call_2', 1), gave('call_3', 2))]
    assert notes == []


def test_a_made_up_id_is_not_that_of_a_later_call() -> None:
    history, _ = repaired(
        response(call('a'), call('a'), call('a_2')), request(gave('a', 1), gave('a', 2), gave('a_2', 3))
    )
    assert history == [
        response(call('a'), call('a_2'), call('a_2_2')),
        request(gave('a', 1), gave('a_2', 2), gave('a_2_2', 3)),
    ]


def test_ids_stay_the_same_as_the_history_grows() -> None:
    turn = [response(call('a')), request(gave('a'))]
    assert repaired(*turn, *turn, request(asks()))[0][:4] == repaired(*turn, *turn)[0]


# ---------------------------------------------------------------------- the vendor's own tools


def test_a_call_of_a_vendors_own_tool_that_was_cut_is_left_out() -> None:
    native = NativeToolCallPart('search', {}, 'n')
    assert repaired(response(TextPart('Hm.'), native, state='interrupted')) == (
        [response(TextPart('Hm.'), state='interrupted')],
        ["the vendor's own call of 'search' was cut, and left out"],
    )


def test_what_a_vendors_own_tool_gave_without_a_call_is_left_out() -> None:
    native = NativeToolReturnPart('search', [], 'n')
    assert repaired(response(native, TextPart('Hm.'))) == (
        [response(TextPart('Hm.'))],
        ["what the vendor's own 'search' gave was left out: its call is missing"],
    )


# ---------------------------------------------------------------------- empty and malformed


def test_messages_without_parts_are_gone() -> None:
    history, notes = repaired(request(), request(asks()), response(), request(), request(asks()))
    assert history == [request(asks()), request(asks())]
    assert notes == []


def test_instructions_alone_are_something_to_say() -> None:
    assert repair([ModelRequest([], instructions='Tell a story.')]) == ([], [])


@pytest.mark.parametrize('messages', [[], [request()], [request(), response()]])
def test_a_history_that_says_nothing_is_refused(messages: list[ModelMessage]) -> None:
    with pytest.raises(UserError, match='messages holds nothing to answer'):
        repair(messages)


MALFORMED: dict[str, tuple[Any, str]] = {
    'a text': ('Hello.', r"messages\[0\] is 'H', not a ModelRequest or a ModelResponse"),
    'a dict': ([{'role': 'user'}], r"messages\[0\] is {'role': 'user'}, not a ModelRequest or a ModelResponse"),
    'a part': (
        [request(asks()), asks()],
        r'messages\[1\] is UserPromptPart\(.*, not a ModelRequest or',
    ),
    'a text as part': ([request(asks(), 'Hello.')], r"messages\[0\].parts\[1\] is 'Hello.', not one of SystemPrompt"),
    'parts that are a text': (
        [ModelRequest('Hello.')],
        r"messages\[0\].parts\[0\] is 'H', not one of SystemPromptPart",
    ),  # type: ignore[arg-type] # the mistake
    'a part of a response': ([request(TextPart('Hello.'))], r'messages\[0\].parts\[0\] is TextPart\(.*, not one of'),
    'a part of a request': ([response(asks())], r'messages\[0\].parts\[0\] is UserPromptPart\(.*, not one of TextPart'),
}


@pytest.mark.parametrize(('messages', 'sentence'), MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_history_is_refused_with_its_place(messages: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        repair(messages)


def test_parts_of_a_class_derived_from_ours_are_parts() -> None:
    class Shouted(UserPromptPart):
        __slots__ = ()

    messages = [request(Shouted('HELLO'))]
    assert repair(messages)[0] is messages


# ---------------------------------------------------------------------- any history

some_ids = st.sampled_from(['a', 'b', 'c'])
some_parts = st.one_of(
    st.builds(asks), some_ids.map(gave), some_ids.map(again), st.builds(RetryPromptPart, st.just('Again.'))
)
some_response_parts = st.one_of(
    st.just(TextPart('Hm.')),
    st.builds(call, some_ids, st.sampled_from(['{}', '{"x'])),
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
    """After each response come the answers to just its calls, and then whatever else is said."""
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
def test_any_history_is_paired_after_its_repair_and_needs_no_second_one(messages: list[ModelMessage]) -> None:
    before = deepcopy(messages)
    try:
        history, _ = repair(messages)
    except UserError:
        return
    assert_paired(list(history))
    assert messages == before
    again, notes = repair(history)
    assert again is history
    assert notes == []


@given(histories)
def test_nothing_that_was_said_is_lost_without_a_note(messages: list[ModelMessage]) -> None:
    """A note for each part that is not there any more, or that nobody wrote."""
    try:
        history, notes = repair(messages)
    except UserError:
        return
    before = [part for message in messages for part in message.parts]
    after = [part for message in history for part in message.parts]
    invented = [part for part in after if isinstance(part, ToolReturnPart) and part.outcome == 'interrupted']
    as_text = [part for part in after if isinstance(part, UserPromptPart) and 'answered: ' in str(part.content)]
    lost = len(before) - (len(after) - len(invented))
    assert len(notes) == lost + len(invented) + len(as_text)


# ---------------------------------------------------------------------- ids that a vendor accepts


def short_ids(messages: list[ModelMessage]) -> list[ModelMessage]:
    before = deepcopy(messages)
    mapped = map_tool_call_ids(messages, accepts=lambda id: len(id) < 4, make=lambda n: f'n{n}')
    assert messages == before
    return mapped


def test_an_id_that_is_not_accepted_is_replaced_in_the_call_and_its_answers() -> None:
    assert short_ids([response(call('long one'), call('b')), request(gave('long one')), request(gave('b'))]) == [
        response(call('n0'), call('b')),
        request(gave('n0')),
        request(gave('b')),
    ]


def test_a_message_whose_ids_are_accepted_is_not_copied() -> None:
    messages = [response(call('a')), request(gave('a')), response(call('long one')), request(again('long one'))]
    assert [a is b for a, b in zip(short_ids(messages), messages, strict=True)] == [True, True, False, False]


def test_a_made_id_that_a_call_has_already_is_made_anew() -> None:
    turns = [response(call('n0')), request(gave('n0')), response(call('long one')), request(gave('long one'))]
    assert short_ids(turns)[2:] == [response(call('n1')), request(gave('n1'))]


def test_a_call_whose_id_was_made_for_an_earlier_one_gets_another() -> None:
    assert short_ids([response(call('long one'), call('n0')), request(gave('long one'), gave('n0'))]) == [
        response(call('n0'), call('n1')),
        request(gave('n0'), gave('n1')),
    ]


def test_the_id_of_one_turn_says_nothing_about_another() -> None:
    turn = [response(call('long one')), request(gave('long one'))]
    assert short_ids([*turn, *turn]) == [
        response(call('n0')),
        request(gave('n0')),
        response(call('n1')),
        request(gave('n1')),
    ]


def test_the_ids_of_the_vendors_own_tools_are_left_alone() -> None:
    messages = [response(NativeToolCallPart('search', {}, 'long one'), NativeToolReturnPart('search', [], 'long one'))]
    assert short_ids(messages) == messages
