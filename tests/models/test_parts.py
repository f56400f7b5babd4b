"""Tests of `PartsManager` and `ResponseDraft`: parts and events are consistent for fragments in any order."""

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


def finish(manager: PartsManager) -> list[Any]:
    """End and return the parts. Assert that the replayed events give the same parts, and that each ended once."""
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
    assert finish(manager) == [TextPart('Hello.')]


def test_parts_can_grow_concurrently() -> None:
    manager = PartsManager()
    for key, content in [(0, 'a'), (1, 'x'), (0, 'b'), (1, 'y')]:
        manager.text(key, content)
    assert finish(manager) == [TextPart('ab'), TextPart('xy')]


def test_empty_content_starts_no_part() -> None:
    manager = PartsManager()
    manager.text(0, '')
    manager.thinking(1)
    assert finish(manager) == []
    assert manager.take_events() == []


def test_empty_fragments_emit_no_event() -> None:
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


def test_a_signature_replaces_an_earlier_one_and_needs_no_text() -> None:
    manager = PartsManager()
    manager.thinking(0, signature='s')
    manager.thinking(0, 'Hm.')
    manager.thinking(0, signature='t')
    assert manager.take_events() == [
        PartStartEvent(0, ThinkingPart('', signature='s')),
        PartDeltaEvent(0, ThinkingPartDelta('Hm.')),
        PartDeltaEvent(0, ThinkingPartDelta(None, 't')),
    ]
    assert finish(manager) == [ThinkingPart('Hm.', signature='t')]


def test_details_are_merged_in_parts_and_events() -> None:
    manager = PartsManager()
    manager.text(0, 'a', provider_name='p', provider_details={'m': 1, 'n': 1})
    manager.text(0, 'b', provider_details={'n': 2})
    assert (
        replay(manager.events)
        == manager.get()
        == [TextPart('ab', provider_name='p', provider_details={'m': 1, 'n': 2})]
    )
    manager.details(0, id='i', provider_details={'o': 3})
    manager.details(1, id='unknown')
    assert finish(manager) == [TextPart('ab', id='i', provider_name='p', provider_details={'m': 1, 'n': 2, 'o': 3})]


# ---------------------------------------------------------------------- tool calls


def test_parallel_tool_calls_can_arrive_interleaved() -> None:
    manager = PartsManager()
    manager.tool_call(0, name='look', tool_call_id='a', args='')
    manager.tool_call(1, name='find', tool_call_id='b')
    for key, args in [(1, '{"x"'), (0, '{'), (1, ': 1}'), (0, '}')]:
        manager.tool_call(key, args=args)
    assert finish(manager) == [ToolCallPart('look', '{}', 'a'), ToolCallPart('find', '{"x": 1}', 'b')]


def test_a_tool_call_starts_with_all_earlier_fragments_when_its_name_is_known() -> None:
    manager = PartsManager()
    manager.tool_call(0, args='{"a"', tool_call_id='i', provider_name='p')
    manager.tool_call(0, args=': 1')
    assert (manager.take_events(), manager.get()) == ([], [])
    manager.tool_call(0, name='look', args='}')
    assert manager.events == [PartStartEvent(0, ToolCallPart('look', '{"a": 1}', 'i', provider_name='p'))]
    assert finish(manager) == [ToolCallPart('look', '{"a": 1}', 'i', provider_name='p')]


def test_a_tool_call_without_a_name_in_a_complete_response_is_an_error() -> None:
    manager = PartsManager()
    manager.tool_call(0, args='{}')
    with pytest.raises(UnexpectedModelBehavior, match=r"called a tool without naming it: \[{'args': '{}'}\]"):
        manager.end()
    manager.end(complete=False)
    assert manager.get() == []


def test_a_repeated_name_changes_nothing() -> None:
    manager = PartsManager()
    manager.tool_call(0, name='look', tool_call_id='a', args='{')
    manager.tool_call(0, name='look', tool_call_id='a', args='}')
    assert finish(manager) == [ToolCallPart('look', '{}', 'a')]


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
def test_text_is_appended_to_arguments_and_an_object_replaces_them(pieces: Any, args: Any, named_first: bool) -> None:
    manager = PartsManager()
    if named_first:
        manager.tool_call(0, name='look', tool_call_id='a')
    for piece in pieces:
        manager.tool_call(0, args=piece)
    if not named_first:
        manager.tool_call(0, name='look', tool_call_id='a')
    assert replay(manager.events) == manager.get()
    assert finish(manager) == [ToolCallPart('look', args, 'a')]


def test_a_native_tool_call_grows_like_any_other() -> None:
    manager = PartsManager()
    manager.whole(0, NativeToolCallPart('search', '', 'n'))
    manager.tool_call(0, args='{"q"')
    manager.tool_call(0, args=': 1}')
    assert manager.events[1] == PartDeltaEvent(0, ToolCallPartDelta('{"q"', 'n'))
    assert finish(manager) == [NativeToolCallPart('search', '{"q": 1}', 'n')]


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
    assert finish(manager) == [TextPart('a'), ThinkingPart('de')]


def test_a_whole_part_replaces_fragments_without_a_name() -> None:
    manager = PartsManager()
    manager.tool_call(0, args='{"a')
    manager.whole(0, ToolCallPart('look', {'a': 1}, 'i'))
    assert finish(manager) == [ToolCallPart('look', {'a': 1}, 'i')]


def test_a_closed_part_has_ended_and_its_key_can_be_used_again() -> None:
    manager = PartsManager()
    manager.text(0, 'a')
    manager.close(0)
    manager.close(0)
    manager.close('unknown')
    manager.text(0, 'b')
    assert manager.take_events() == [
        PartStartEvent(0, TextPart('a')),
        PartEndEvent(0, TextPart('a')),
        PartStartEvent(1, TextPart('b'), previous_part_kind='text'),
    ]


def test_parts_end_in_order_with_the_kind_of_the_next_part() -> None:
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
def test_a_fragment_of_another_kind_is_an_error(grow: Any, kind: str) -> None:
    manager = PartsManager()
    manager.whole(0, FILE)
    with pytest.raises(UnexpectedModelBehavior, match=f'A fragment of a {kind} arrived for FilePart'):
        grow(manager)


def test_the_kind_and_content_of_a_key() -> None:
    manager = PartsManager()
    assert (manager.kind_of(0), manager.kind_of(LAST), manager.has_content(0)) == (None, None, False)
    manager.thinking(0, signature='s')
    assert (manager.kind_of(0), manager.kind_of(LAST), manager.has_content(0)) == ('thinking', 'thinking', False)
    manager.thinking(0, 'x')
    assert manager.has_content(0)
    manager.close(0)
    assert (manager.kind_of(0), manager.has_content(0)) == (None, False)


# ---------------------------------------------------------------------- LAST


def test_the_last_part_continues_if_the_kind_is_the_same() -> None:
    manager = PartsManager()
    for kind, content in [('thinking', 'a'), ('thinking', 'b'), ('text', 'c'), ('text', 'd'), ('thinking', 'e')]:
        getattr(manager, kind)(LAST, content)
    assert [event.index for event in manager.events if isinstance(event, PartEndEvent)] == [0, 1]
    assert finish(manager) == [ThinkingPart('ab'), TextPart('cd'), ThinkingPart('e')]


def test_the_last_part_does_not_continue_after_another_part() -> None:
    manager = PartsManager()
    manager.text(LAST, 'a')
    manager.tool_call(0, name='look', args='{}', tool_call_id='i')
    manager.text(LAST, 'b')
    manager.tool_call(0, args=' ')
    assert finish(manager) == [TextPart('a'), ToolCallPart('look', '{} ', 'i'), TextPart('b')]


def test_with_last_a_name_starts_a_new_tool_call() -> None:
    manager = PartsManager()
    manager.tool_call(LAST, name='look', args='{', tool_call_id='a')
    manager.tool_call(LAST, args='}')
    manager.tool_call(LAST, name='look', args='{}', tool_call_id='b')
    assert finish(manager) == [ToolCallPart('look', '{}', 'a'), ToolCallPart('look', '{}', 'b')]


def test_the_last_part_can_be_closed_and_changed() -> None:
    manager = PartsManager()
    manager.text(LAST, 'a')
    manager.details(LAST, id='i')
    manager.close(LAST)
    manager.details(LAST, id='too late')
    manager.text(LAST, 'b')
    assert finish(manager) == [TextPart('a', id='i'), TextPart('b')]


def test_a_whole_part_does_not_replace_the_last_part() -> None:
    manager = PartsManager()
    manager.text(LAST, 'a')
    manager.whole(LAST, TextPart('b'))
    manager.text(LAST, 'c')
    assert finish(manager) == [TextPart('a'), TextPart('bc')]


# ---------------------------------------------------------------------- values and cost


def test_returned_parts_and_events_do_not_change_later() -> None:
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


def apply_step(manager: PartsManager, step: tuple[Any, ...]) -> None:
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
def test_replaying_the_events_gives_the_same_parts_at_any_time(script: list[tuple[Any, ...]]) -> None:
    manager = PartsManager()
    events: list[Any] = []
    for step in script:
        try:
            apply_step(manager, step)
        except UnexpectedModelBehavior:
            continue
        events += manager.take_events()
        assert replay(events) == manager.get()
    manager.end(complete=False)
    events += manager.take_events()
    assert replay(events) == manager.get()
    assert sorted(event.index for event in events if isinstance(event, PartEndEvent)) == list(range(len(manager.get())))


# ---------------------------------------------------------------------- the draft


def test_a_draft_becomes_a_response() -> None:
    draft = ResponseDraft('m', 'p', 'https://p', warnings=['w'])
    draft.parts.text(0, 'Hello.')
    draft.record_time(1_700_000_000)
    draft.record_time(5)
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


def test_a_draft_is_incomplete_by_default() -> None:
    assert ResponseDraft('m').get().state == 'incomplete'


def test_an_unknown_finish_reason_is_kept_in_the_details() -> None:
    draft = ResponseDraft('m')
    draft.finish(None, {})
    assert draft.get().provider_details is None
    draft.finish('bored', {'stop': 'stop'})
    assert (draft.get().finish_reason, draft.get().provider_details) == (None, {'finish_reason': 'bored'})


@pytest.mark.parametrize('seconds', [None, 0, 1_700_000_000_000, 1e30, float('nan'), float('inf'), -1e30, 'noon'])
def test_an_invalid_time_is_ignored(seconds: Any) -> None:
    draft = ResponseDraft('m')
    draft.record_time(seconds)
    assert draft.timestamp is None
    assert draft.get().timestamp == draft.get().timestamp


def test_a_returned_response_does_not_change_later() -> None:
    draft = ResponseDraft('m', warnings=['w'])
    draft.provider_details['logprobs'] = [1]
    early = draft.get()
    before = deepcopy(early)
    draft.provider_details['logprobs'].append(2)
    draft.provider_details['more'] = 1
    draft.warnings.append('v')
    assert early == before
