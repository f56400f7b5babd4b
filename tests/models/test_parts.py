"""`PartsManager` and `ResponseDraft`: however fragments arrive, the parts and the events tell the same."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pydantic_llm.exceptions import UnexpectedModelBehavior
from pydantic_llm.messages import (
    BinaryContent,
    FilePart,
    ModelResponse,
    NativeToolCallPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_llm.models import LAST, PartsManager, ResponseDraft
from tests.replay import replay

FILE = FilePart(BinaryContent(b'x', media_type='image/png'))


def finished(manager: PartsManager) -> list[Any]:
    """The parts, after the end; they are what a listener holds, too, and each has ended once."""
    manager.end()
    events = manager.take_events()
    parts = manager.get()
    assert replay(events) == parts
    assert sorted(event.index for event in events if isinstance(event, PartEndEvent)) == list(range(len(parts)))
    return parts


# ---------------------------------------------------------------------- text and thinking


def test_fragments_with_the_same_key_are_one_part() -> None:
    manager = PartsManager()
    manager.text(0, 'Hel')
    manager.text(0, 'lo.')
    assert manager.take_events() == [
        PartStartEvent(0, TextPart('Hel')),
        PartDeltaEvent(0, TextPartDelta('lo.')),
    ]
    assert finished(manager) == [TextPart('Hello.')]


def test_parts_can_grow_side_by_side() -> None:
    manager = PartsManager()
    for key, content in [(0, 'a'), (1, 'x'), (0, 'b'), (1, 'y')]:
        manager.text(key, content)
    assert finished(manager) == [TextPart('ab'), TextPart('xy')]


def test_nothing_to_say_starts_no_part() -> None:
    manager = PartsManager()
    manager.text(0, '')
    manager.thinking(1)
    assert finished(manager) == []
    assert manager.take_events() == []


def test_nothing_to_add_is_no_event() -> None:
    manager = PartsManager()
    manager.text(0, 'a')
    manager.thinking(1, 'b')
    manager.tool_call(2, name='look', tool_call_id='i')
    manager.take_events()
    manager.text(0, '')
    manager.thinking(1, '')
    manager.tool_call(2, args='')
    manager.tool_call(2, args={})
    assert manager.take_events() == []


def test_a_signature_replaces_the_one_before_it_and_needs_no_thoughts() -> None:
    manager = PartsManager()
    manager.thinking(0, signature='s')
    manager.thinking(0, 'Hm.')
    manager.thinking(0, signature='t')
    assert manager.take_events() == [
        PartStartEvent(0, ThinkingPart('', signature='s')),
        PartDeltaEvent(0, ThinkingPartDelta('Hm.')),
        PartDeltaEvent(0, ThinkingPartDelta(None, 't')),
    ]
    assert finished(manager) == [ThinkingPart('Hm.', signature='t')]


def test_details_are_joined_and_the_events_tell_the_same() -> None:
    manager = PartsManager()
    manager.text(0, 'a', provider_name='p', provider_details={'m': 1, 'n': 1})
    manager.text(0, 'b', provider_details={'n': 2})
    assert (
        replay(manager.events)
        == manager.get()
        == [TextPart('ab', provider_name='p', provider_details={'m': 1, 'n': 2})]
    )
    manager.details(0, id='i', provider_details={'o': 3})
    manager.details(1, id='nobody')
    assert finished(manager) == [TextPart('ab', id='i', provider_name='p', provider_details={'m': 1, 'n': 2, 'o': 3})]


# ---------------------------------------------------------------------- calls


def test_parallel_calls_can_arrive_interleaved() -> None:
    manager = PartsManager()
    manager.tool_call(0, name='look', tool_call_id='a', args='')
    manager.tool_call(1, name='find', tool_call_id='b')
    for key, args in [(1, '{"x"'), (0, '{'), (1, ': 1}'), (0, '}')]:
        manager.tool_call(key, args=args)
    assert finished(manager) == [ToolCallPart('look', '{}', 'a'), ToolCallPart('find', '{"x": 1}', 'b')]


def test_a_call_starts_when_its_name_is_known_with_all_that_came_before() -> None:
    manager = PartsManager()
    manager.tool_call(0, args='{"a"', tool_call_id='i', provider_name='p')
    manager.tool_call(0, args=': 1')
    assert (manager.take_events(), manager.get()) == ([], [])
    manager.tool_call(0, name='look', args='}')
    assert manager.events == [PartStartEvent(0, ToolCallPart('look', '{"a": 1}', 'i', provider_name='p'))]
    assert finished(manager) == [ToolCallPart('look', '{"a": 1}', 'i', provider_name='p')]


def test_a_complete_answer_with_a_call_that_has_no_name_is_refused() -> None:
    manager = PartsManager()
    manager.tool_call(0, args='{}')
    with pytest.raises(UnexpectedModelBehavior, match=r"called a tool without naming it: \[{'args': '{}'}\]"):
        manager.end()
    manager.end(complete=False)
    assert manager.get() == []


def test_a_name_that_is_said_again_changes_nothing() -> None:
    manager = PartsManager()
    manager.tool_call(0, name='look', tool_call_id='a', args='{')
    manager.tool_call(0, name='look', tool_call_id='a', args='}')
    assert finished(manager) == [ToolCallPart('look', '{}', 'a')]


@pytest.mark.parametrize(
    ('pieces', 'args'),
    [
        (['{"a"', ': 1}'], '{"a": 1}'),
        (['{"a"', {'a': 1}], {'a': 1}),
        ([{'a': 1}, {'b': 2}], {'b': 2}),
        ([{'a': 1}, '{"b": 2}'], '{"b": 2}'),
        ([{'a': 1}, None, '', {}], {'a': 1}),
        ([None, None], None),
        ([None, '{}'], '{}'),
    ],
)
@pytest.mark.parametrize('named_first', [True, False])
def test_text_is_added_to_arguments_and_an_object_replaces_them(pieces: Any, args: Any, named_first: bool) -> None:
    manager = PartsManager()
    if named_first:
        manager.tool_call(0, name='look', tool_call_id='a')
    for piece in pieces:
        manager.tool_call(0, args=piece)
    if not named_first:
        manager.tool_call(0, name='look', tool_call_id='a')
    assert replay(manager.events) == manager.get()
    assert finished(manager) == [ToolCallPart('look', args, 'a')]


def test_a_call_of_a_vendors_own_tool_grows_like_another() -> None:
    manager = PartsManager()
    manager.whole(0, NativeToolCallPart('search', '', 'n'))
    manager.tool_call(0, args='{"q"')
    manager.tool_call(0, args=': 1}')
    assert manager.events[1] == PartDeltaEvent(0, ToolCallPartDelta('{"q"', 'n'))
    assert finished(manager) == [NativeToolCallPart('search', '{"q": 1}', 'n')]


# ---------------------------------------------------------------------- whole parts, ends, kinds


def test_a_whole_part_replaces_the_one_with_its_key() -> None:
    manager = PartsManager()
    manager.text(0, 'a')
    manager.text(1, 'b')
    manager.text(1, 'c')
    manager.whole(1, ThinkingPart('d'))
    manager.thinking(1, 'e')
    assert manager.events[-2:] == [
        PartStartEvent(1, ThinkingPart('d'), previous_part_kind='text'),
        PartDeltaEvent(1, ThinkingPartDelta('e')),
    ]
    assert finished(manager) == [TextPart('a'), ThinkingPart('de')]


def test_a_whole_part_takes_the_place_of_fragments_that_wait_for_a_name() -> None:
    manager = PartsManager()
    manager.tool_call(0, args='{"a')
    manager.whole(0, ToolCallPart('look', {'a': 1}, 'i'))
    assert finished(manager) == [ToolCallPart('look', {'a': 1}, 'i')]


def test_a_part_that_is_closed_has_ended_and_its_key_is_free() -> None:
    manager = PartsManager()
    manager.text(0, 'a')
    manager.close(0)
    manager.close(0)
    manager.close('nobody')
    manager.text(0, 'b')
    assert manager.take_events() == [
        PartStartEvent(0, TextPart('a')),
        PartEndEvent(0, TextPart('a')),
        PartStartEvent(1, TextPart('b'), previous_part_kind='text'),
    ]


def test_parts_end_in_order_and_say_what_follows() -> None:
    manager = PartsManager()
    manager.text(0, 'a')
    manager.tool_call(1, name='look', args='{}', tool_call_id='i')
    manager.take_events()
    manager.end()
    manager.end()
    assert manager.take_events() == [
        PartEndEvent(0, TextPart('a'), next_part_kind='tool-call'),
        PartEndEvent(1, ToolCallPart('look', '{}', 'i')),
    ]


@pytest.mark.parametrize(
    ('grow', 'kind'),
    [
        (lambda manager: manager.text(0, 'x'), 'TextPart'),
        (lambda manager: manager.thinking(0, 'x'), 'ThinkingPart'),
        (lambda manager: manager.tool_call(0, args='x'), 'BaseToolCallPart'),
    ],
)
def test_a_fragment_of_another_kind_is_refused(grow: Any, kind: str) -> None:
    manager = PartsManager()
    manager.whole(0, FILE)
    with pytest.raises(UnexpectedModelBehavior, match=f'A fragment of a {kind} arrived for FilePart'):
        grow(manager)


def test_the_manager_says_what_a_key_stands_for() -> None:
    manager = PartsManager()
    assert (manager.kind_of(0), manager.kind_of(LAST), manager.has_content(0)) == (None, None, False)
    manager.thinking(0, signature='s')
    assert (manager.kind_of(0), manager.kind_of(LAST), manager.has_content(0)) == ('thinking', 'thinking', False)
    manager.thinking(0, 'x')
    assert manager.has_content(0)
    manager.close(0)
    assert (manager.kind_of(0), manager.has_content(0)) == (None, False)


# ---------------------------------------------------------------------- LAST


def test_the_last_part_goes_on_while_the_kind_is_the_same() -> None:
    manager = PartsManager()
    for kind, content in [('thinking', 'a'), ('thinking', 'b'), ('text', 'c'), ('text', 'd'), ('thinking', 'e')]:
        getattr(manager, kind)(LAST, content)
    assert [event.index for event in manager.events if isinstance(event, PartEndEvent)] == [0, 1]
    assert finished(manager) == [ThinkingPart('ab'), TextPart('cd'), ThinkingPart('e')]


def test_the_last_part_does_not_go_on_after_another_one() -> None:
    manager = PartsManager()
    manager.text(LAST, 'a')
    manager.tool_call(0, name='look', args='{}', tool_call_id='i')
    manager.text(LAST, 'b')
    manager.tool_call(0, args=' ')
    assert finished(manager) == [TextPart('a'), ToolCallPart('look', '{} ', 'i'), TextPart('b')]


def test_with_last_a_name_begins_a_new_call() -> None:
    manager = PartsManager()
    manager.tool_call(LAST, name='look', args='{', tool_call_id='a')
    manager.tool_call(LAST, args='}')
    manager.tool_call(LAST, name='look', args='{}', tool_call_id='b')
    assert finished(manager) == [ToolCallPart('look', '{}', 'a'), ToolCallPart('look', '{}', 'b')]


def test_the_last_part_can_be_closed_and_changed() -> None:
    manager = PartsManager()
    manager.text(LAST, 'a')
    manager.details(LAST, id='i')
    manager.close(LAST)
    manager.details(LAST, id='too late')
    manager.text(LAST, 'b')
    assert finished(manager) == [TextPart('a', id='i'), TextPart('b')]


def test_a_whole_part_after_the_last_one_is_another() -> None:
    manager = PartsManager()
    manager.text(LAST, 'a')
    manager.whole(LAST, TextPart('b'))
    manager.text(LAST, 'c')
    assert finished(manager) == [TextPart('a'), TextPart('bc')]


# ---------------------------------------------------------------------- values and cost


def test_what_was_given_out_does_not_change_any_more() -> None:
    manager = PartsManager()
    manager.text(0, 'a', provider_details={'n': 1})
    early, events = manager.get(), list(manager.events)
    before = deepcopy((early, events))
    manager.text(0, 'b', provider_details={'n': 2})
    manager.details(0, provider_details={'m': 1})
    manager.end()
    assert (early, events) == before


some_keys = st.sampled_from([LAST, 0, 1])
some_texts = st.sampled_from(['', 'a', 'bc'])
some_details = st.sampled_from([{}, {'provider_details': {'n': 1}}, {'provider_details': {'m': 2, 'n': 3}}])
steps = st.one_of(
    st.tuples(st.just('text'), some_keys, some_texts, some_details),
    st.tuples(st.just('thinking'), some_keys, some_texts, some_details | st.just({'signature': 's'})),
    st.tuples(st.just('tool_call'), some_keys, st.none() | st.just('look'), st.sampled_from([None, '', '{', {'a': 1}])),
    st.tuples(st.just('whole'), some_keys, st.sampled_from([TextPart('w'), ThinkingPart('v'), FILE])),
    st.tuples(st.just('close'), some_keys),
)


def take(manager: PartsManager, step: tuple[Any, ...]) -> None:
    match step:
        case ('text' | 'thinking' as verb, key, content, changes):
            getattr(manager, verb)(key, content, **changes)
        case ('tool_call', key, name, args):
            manager.tool_call(key, name=name, args=args, tool_call_id='i')
        case ('whole', key, part):
            manager.whole(key, part)
        case (_, key):
            manager.close(key)


@given(st.lists(steps, max_size=25))
def test_whoever_listens_holds_the_same_parts_at_any_time(script: list[tuple[Any, ...]]) -> None:
    manager = PartsManager()
    heard: list[Any] = []
    for step in script:
        try:
            take(manager, step)
        except UnexpectedModelBehavior:
            continue
        heard += manager.take_events()
        assert replay(heard) == manager.get()
    manager.end(complete=False)
    heard += manager.take_events()
    assert replay(heard) == manager.get()
    assert sorted(event.index for event in heard if isinstance(event, PartEndEvent)) == list(range(len(manager.get())))


# ---------------------------------------------------------------------- the draft


def test_a_draft_becomes_a_response() -> None:
    draft = ResponseDraft('m', 'p', 'https://p', warnings=['w'])
    draft.parts.text(0, 'Hello.')
    draft.created(1_700_000_000)
    draft.created(5)
    draft.finish('stop', {'stop': 'stop'})
    draft.provider_response_id = 'r'
    draft.state = 'complete'
    assert draft.get() == ModelResponse(
        [TextPart('Hello.')],
        model_name='m',
        timestamp=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        provider_name='p',
        provider_url='https://p',
        provider_details={'finish_reason': 'stop'},
        provider_response_id='r',
        finish_reason='stop',
        state='complete',
        warnings=['w'],
    )


def test_a_draft_is_incomplete_until_somebody_says_otherwise() -> None:
    assert ResponseDraft('m').get().state == 'incomplete'


def test_a_word_for_the_end_that_nobody_knows_is_kept_as_it_is() -> None:
    draft = ResponseDraft('m')
    draft.finish(None, {})
    assert draft.get().provider_details is None
    draft.finish('bored', {'stop': 'stop'})
    assert (draft.get().finish_reason, draft.get().provider_details) == (None, {'finish_reason': 'bored'})


@pytest.mark.parametrize('seconds', [None, 0, 1_700_000_000_000, 1e30, float('nan'), float('inf'), -1e30, 'noon'])
def test_a_time_that_is_none_is_passed_over(seconds: Any) -> None:
    draft = ResponseDraft('m')
    draft.created(seconds)
    assert draft.timestamp is None
    assert draft.get().timestamp == draft.get().timestamp


def test_a_response_that_was_given_out_does_not_change_any_more() -> None:
    draft = ResponseDraft('m', warnings=['w'])
    draft.provider_details['logprobs'] = [1]
    early = draft.get()
    before = deepcopy(early)
    draft.provider_details['logprobs'].append(2)
    draft.provider_details['more'] = 1
    draft.warnings.append('v')
    assert early == before
