"""`WireSuite`: tests of a model behind an API, for the authors of wire formats. It needs Hypothesis (extra `testing`).

```python {test="skip"}
class TestMyAPI(WireSuite):
    room = Room('my-api', lambda: MyModel('m', api_key='k'), decode_request, encode_response, MyStreamEncoder)
```

The server's half of the API, `serve.py`, responds to the client's: client after server is the identity. The tests of
`ModelSuite` are included, with a `TestModel` behind the server's half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from pydantic_core import from_json, to_json

from .._extras import import_extra
from ..exceptions import LLMError
from ..messages import ModelMessagesTypeAdapter, ModelResponse, NativeToolCallPart, NativeToolReturnPart
from ..models import Model, ModelRequestParameters
from ..models.test import TestModel
from ..usage import REPORTED, RequestUsage
from . import changes
from .exchange import (
    Splitter,
    comparable,
    decode_body,
    decode_bytes,
    decode_events,
    encode_body,
    encode_events,
    encode_stream,
    object_events,
    parse_arguments,
)
from .expectations import check_events
from .room import Room
from .samples import make_response, make_rich_response, make_text, make_tool_call, split_in_threes
from .served import serve_room
from .suite import ModelSuite

__all__ = ('WireSuite',)

TEXTS = (' ', '\n', ' a', 'a\n\n', '\u2028', '\x00', '🧑‍🚀', '</think>', 'a <think> b')

ARGUMENTS = ('{"city":"Rome","days":3}', '{}', '{"place":{"lat":1.5},"names":["a"]}')


ODD_COUNTS: tuple[Any, ...] = (None, 'n/a', -7, float('nan'), float('inf'), True, [], {}, {'count': 1}, 10**400)
ODD_USAGES: tuple[Any, ...] = ('', 'n/a', 3, [1], [{}], True)
CONVERSIONS: tuple[changes.Change, ...] = (float, str, '{}.0'.format)


class WireSuite(ModelSuite):
    """Tests of a room: of its client, and of both halves together."""

    room: ClassVar[Room]
    """The room under test."""
    calls_tools = True

    def model(self) -> Model:
        """Return a model of the room; a `TestModel` responds to its requests."""
        return serve_room(self.room, TestModel())

    def test_tokens_are_counted_or_a_user_error_is_raised(self) -> None:
        """Do nothing: the server's half has no request for that."""

    def read_both(self, sent: ModelResponse, split: Splitter = split_in_threes) -> list[ModelResponse]:
        """Return a response as the client decodes it, from a body and from a stream."""
        started, ended = encode_events(self.room, sent, split)
        return [
            decode_body(self.room, encode_body(self.room, sent)),
            decode_events(self.room, [*started, *ended])[0],
        ]

    def _try_random(self, check: Callable[[Any], None], examples: int | None = None) -> None:
        """Run a check with the data of Hypothesis, `examples` times; `None` is the number of its profile."""
        hypothesis = import_extra('hypothesis', extra='testing', what=type(self).__name__)
        given = hypothesis.given(data=import_extra('hypothesis.strategies', extra='testing', what='').data())

        def run(data: Any) -> None:
            check(data)

        phases = [phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain]  # it takes minutes
        options = {} if examples is None else {'max_examples': examples}
        hypothesis.settings(deadline=None, phases=phases, **options)(given(run))()

    # ---------------------------------------------------------------------- client after server

    def test_a_response_body_is_decoded_to_the_same_response(self) -> None:
        from .strategies import responses

        def check(data: Any) -> None:
            response = data.draw(responses(self.room))
            assert comparable(decode_body(self.room, encode_body(self.room, response))) == comparable(response)

        self._try_random(check)

    def test_a_stream_is_decoded_to_the_same_response_however_it_is_split(self) -> None:
        from .strategies import chunk_sizes, responses, splitters

        def check(data: Any) -> None:
            response, split, size = data.draw(responses(self.room)), data.draw(splitters()), data.draw(chunk_sizes)
            started, ended = encode_events(self.room, response, split)
            read, emitted = decode_bytes(self.room, [*started, *ended], size)
            assert comparable(parse_arguments(read)) == comparable(parse_arguments(response))
            arguments = [[call.args_as_json_str() for call in each.tool_calls] for each in (read, response)]
            assert arguments[0] == arguments[1]
            check_events(emitted, read.parts, None)

        self._try_random(check)

    def test_a_request_is_the_same_after_the_server_decoded_it(self) -> None:
        from .strategies import conversations, tools

        def check(data: Any) -> None:
            model, history, defined = self.room.build(), data.draw(conversations(self.room)), data.draw(tools)
            body = model.encode(self.room.prepare(history, {'max_tokens': 99}, ModelRequestParameters(defined)))
            served = self.room.decode_request(from_json(to_json(body)))
            again = model.encode(self.room.prepare(served.messages, served.settings, served.parameters))
            assert from_json(to_json(again)) == from_json(to_json(body))

        self._try_random(check)

    # ---------------------------------------------------------------------- finish reasons

    def test_every_finish_reason_is_decoded_from_bodies_and_streams(self) -> None:
        for reason in self.room.features.finish_reasons:
            for read in self.read_both(make_response(self.room, make_text(self.room, 'Hello.'), finish_reason=reason)):
                assert (read.finish_reason, read.state) == (reason, 'complete'), f'{reason!r} is decoded to {read!r}'

    def _with_finish_reason(self, word: str) -> ModelResponse:
        body = encode_body(self.room, make_response(self.room, make_text(self.room, 'Hello.')))
        return decode_body(self.room, changes.set_at(body, self.room.finish_reason_path, word))

    def test_the_vendors_finish_reason_is_kept_in_the_details(self) -> None:
        for word, reason in self.room.finish_reasons.items():
            read = self._with_finish_reason(word)
            found = read.finish_reason, (read.provider_details or {}).get('finish_reason')
            assert found == (reason, word), f'{word!r} is decoded to {read!r}'

    def test_an_unknown_finish_reason_is_kept_in_the_details_only(self) -> None:
        if self.room.finish_reason_path:
            read = self._with_finish_reason(changes.UNKNOWN)
            assert (read.finish_reason, read.state, read.text) == (None, 'complete', 'Hello.')
            assert (read.provider_details or {}).get('finish_reason') == changes.UNKNOWN

    # ---------------------------------------------------------------------- parts

    def test_a_response_without_parts_is_valid(self) -> None:
        sent = make_response(self.room)
        for read in self.read_both(sent):
            assert comparable(read) == comparable(sent)

    def test_arguments_that_a_model_emits_as_objects_reach_the_client(self) -> None:
        calls = [make_tool_call(self.room, f'id{number}abcd', args) for number, args in enumerate(ARGUMENTS)]
        sent = make_response(self.room, *calls, finish_reason='tool_call')
        started, ended = encode_stream(self.room, sent, object_events(sent))
        read, _ = decode_events(self.room, [*started, *ended])
        assert [(call.tool_name, call.args_as_json_str()) for call in read.tool_calls] == [
            ('look', text) for text in ARGUMENTS
        ]

    def test_parallel_tool_calls_are_not_mixed(self) -> None:
        arguments = {'a': '{"city": "Rome"}', 'b': '{}', 'c': '{"city": "Ulan Bator"}'}
        calls = [make_tool_call(self.room, id, args) for id, args in arguments.items()]
        sent = make_response(self.room, make_text(self.room, 'Three.'), *calls)
        for size in (1, 5, 100):
            read = self.read_both(sent, partial(_split, size=size))
            assert parse_arguments(read[1]).parts == parse_arguments(sent).parts

    def test_tool_calls_with_the_same_id_get_ids_of_their_own(self) -> None:
        for id in ('a', ''):
            calls = [replace(make_tool_call(self.room, name), tool_call_id=id) for name in ('x', 'y')]
            for read in self.read_both(make_response(self.room, *calls)):
                assert [call.args_as_dict() for call in read.tool_calls] == [{'city': 'Rome'}] * 2
                assert len({call.tool_call_id for call in read.tool_calls} - {''}) == 2

    def test_every_character_of_a_text_is_kept(self) -> None:
        for content in TEXTS:
            for read in self.read_both(make_response(self.room, make_text(self.room, content)), list):
                assert read.text == content

    # ---------------------------------------------------------------------- truncated streams

    def test_a_truncated_stream_is_incomplete_and_its_parts_are_kept(self) -> None:
        from .strategies import lengths, responses, splitters

        def check(data: Any) -> None:
            sent, split = data.draw(responses(self.room)), data.draw(splitters())
            started, _ = encode_events(self.room, sent, split)
            read, emitted = decode_events(self.room, started[: data.draw(lengths(len(started)))])
            assert (read.state, read.finish_reason) == ('incomplete', None)
            assert sorted(_ends(emitted)) == list(range(len(read.parts)))
            for part, whole in zip(read.parts, sent.parts, strict=False):
                assert changes.is_prefix(part, whole)

        self._try_random(check, 50)

    def test_a_stream_without_events_is_incomplete(self) -> None:
        read, emitted = decode_events(self.room, [])
        assert (read.parts, read.state, emitted) == ([], 'incomplete', [])

    # ---------------------------------------------------------------------- unknown fields, events and parts

    def test_unknown_fields_are_ignored(self) -> None:
        from .strategies import numbers, responses, splitters

        def check(data: Any) -> None:
            sent, split, picked = data.draw(responses(self.room)), data.draw(splitters()), data.draw(numbers)
            body = changes.add_unknown_fields(encode_body(self.room, sent), picked)
            assert changes.normalize(decode_body(self.room, body)) == changes.normalize(sent)
            started, ended = encode_events(self.room, sent, split)
            events = changes.add_unknown_fields([*started, *ended], picked)
            assert changes.normalize(decode_events(self.room, events)[0]) == changes.normalize(sent)

        self._try_random(check, 50)

    def test_unknown_events_are_ignored(self) -> None:
        from .strategies import insertions, responses, splitters

        def check(data: Any) -> None:
            sent = data.draw(responses(self.room))
            started, ended = encode_events(self.room, sent, data.draw(splitters()))
            events = data.draw(insertions([*started, *ended], changes.UNKNOWN_EVENTS))
            assert changes.normalize(decode_events(self.room, events)[0]) == changes.normalize(sent)

        self._try_random(check, 50)

    def test_a_part_of_an_unknown_kind_does_not_hide_the_others(self) -> None:
        if not self.room.parts_path:
            return
        sent = make_response(self.room, make_text(self.room, 'Hello.'), make_tool_call(self.room, 'a'))
        body = encode_body(self.room, sent)
        part = {'type': changes.UNKNOWN, 'id': 'x', changes.UNKNOWN: {'text': changes.UNKNOWN}}
        changes.get_at(body, self.room.parts_path).insert(1, part)
        read = decode_body(self.room, body)
        known = [part for part in read.parts if not isinstance(part, (NativeToolCallPart, NativeToolReturnPart))]
        assert parse_arguments(replace(read, parts=known)).parts == parse_arguments(sent).parts

    # ---------------------------------------------------------------------- invalid data

    def test_an_invalid_body_raises_only_llm_errors(self) -> None:
        def check(data: Any) -> None:
            body = changes.damage(data, encode_body(self.room, make_rich_response(self.room)))
            _decode_or_raise(lambda: decode_body(self.room, body))

        self._try_random(check, 300)

    def test_invalid_events_raise_only_llm_errors(self) -> None:
        from .strategies import lengths

        def check(data: Any) -> None:
            rich = make_rich_response(self.room)
            started, ended = encode_events(self.room, replace(rich, parts=list(rich.parts[:3])), split_in_threes)
            events: list[Any] = [*started, *ended]
            number = data.draw(lengths(len(events) - 1))
            events[number] = changes.damage(data, events[number])
            _decode_or_raise(lambda: decode_events(self.room, events)[0])

        self._try_random(check, 300)

    # ---------------------------------------------------------------------- usage

    def _read_usages(self, change: changes.Change) -> Iterable[ModelResponse]:
        """Return the responses of a body and of a stream whose usages were changed."""
        sent = make_response(self.room, make_text(self.room, 'Hello.'))
        started, ended = encode_events(self.room, sent, lambda text: [text])
        body = encode_body(self.room, sent)
        yield decode_body(self.room, changes.change_usages(body, change))
        yield decode_events(self.room, changes.change_usages([*started, *ended], change))[0]

    def test_counts_in_other_types_are_converted(self) -> None:
        for convert in CONVERSIONS:
            for response in self._read_usages(partial(changes.change_counts, change=convert)):
                assert (response.usage.input_tokens, response.usage.output_tokens) == (5, 3), f'{convert!r}'

    def test_a_value_that_is_no_count_does_not_lose_the_response(self) -> None:
        for odd in ODD_COUNTS:
            for response in self._read_usages(partial(changes.change_counts, change=partial(_replace, odd))):
                assert (response.text, response.state) == ('Hello.', 'complete'), f'a count of {str(odd)[:9]}'
                assert (response.usage, response.usage.missing) == (RequestUsage(), REPORTED), f'{str(odd)[:9]}'
                ModelMessagesTypeAdapter.dump_json([response])

    def test_a_usage_that_is_no_object_does_not_lose_the_response(self) -> None:
        for odd in ODD_USAGES:
            for response in self._read_usages(partial(_replace, odd)):
                assert (response.text, response.usage) == ('Hello.', RequestUsage()), f'a usage of {odd!r}'
                assert response.usage.missing == REPORTED, f'a usage of {odd!r}'


def _split(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _replace(new: Any, old: Any) -> Any:
    return new


def _ends(events: Iterable[Any]) -> list[int]:
    return [event.index for event in events if event.event_kind == 'part_end']


def _decode_or_raise(decode: Callable[[], ModelResponse]) -> None:
    """Check that the response is valid, or that an error of this package is raised."""
    try:
        response = decode()
    except LLMError:
        return
    changes.assert_valid(response)
