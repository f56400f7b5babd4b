"""`ResponseReader`: the bytes of one response, parsed and given to the room's decoder.

`read_body` reads a whole body; `feed` and `end_stream` read a stream. Here a response that is not the API's becomes an
`UnexpectedModelBehavior`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from ..exceptions import LLMError, ModelHTTPError, StreamInterruptedError, UnexpectedModelBehavior
from ..json_types import Json, parse_damaged_json, parse_json
from ..streaming.draft import ResponseDraft
from ..transport.errors import error_from_invalid_json
from ..transport.sse import NEWLINE, EventSplitter
from .citations import add_response_citations
from .decoder import ResponseDecoder
from .surrogates import SurrogateJoiner
from .unparsed_calls import warn_of_unparsed_calls

DECODING_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""The exceptions of a decoder that met JSON of the wrong shape."""

QUOTED_CHARACTERS = 100
"""The most characters of a header that an error quotes."""

QUOTED_BYTES = 2000
"""The most bytes of a response that an error quotes."""

DONE = b'[DONE]'
"""The data of the last event of OpenAI's APIs; some servers put blanks or quotes around it."""

END_MARK = re.compile(rb'\s*data:\s*\[DONE\]\s*$')
"""The mark that a server puts after a whole body: 9router#3492"""

EVENT_LINE = re.compile(rb'\s*(?:data|event|id|retry|error)?:')
"""The beginning of a stream of events, comments included."""

JSON_START = re.compile(rb'(?:\xef\xbb\xbf)?\s*[{\[]')
"""The beginning of a whole body, after a byte order mark. No line of a stream of events begins so."""


class ResponseReader:
    """Feeds one response to a decoder. `api_name` is the API's name in errors: 'a chat completion'."""

    def __init__(self, decoder: ResponseDecoder, *, api_name: str, base_url: str) -> None:
        self.decoder = decoder
        self.api_name = api_name
        self.base_url = base_url
        self._joiner = SurrogateJoiner()
        self.event_count: int = 0
        """The number of events so far, without `[DONE]`."""
        self.saw_done: bool = False
        """True after `[DONE]`; what follows it is skipped."""
        self._splitter = EventSplitter()
        self._last_event: Any = None

    @property
    def draft(self) -> ResponseDraft:
        """The response under construction."""
        return self.decoder.draft

    def begin(self, headers: Mapping[str, str]) -> None:
        """Record the headers of the response."""
        self.draft.record_headers(headers)
        self.decoder.decode_headers(headers)

    def read_body(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Decode a whole body. Raises `UnexpectedModelBehavior` if it is not JSON, or not this API's.

        A stream of events in place of a body is decoded as one: some servers always stream.
        """
        self.begin(headers)
        if is_event_stream(body, headers):
            self.feed(body)
            self.end_stream(headers)
            return
        try:
            parsed = parse_json(END_MARK.sub(b'', body) if b'[DONE]' in body[-20:] else body)
        except ValueError:
            raise self._make_not_json_error(body, headers.get('content-type', '')) from None
        self.decode(parsed)

    def feed(self, chunk: bytes) -> None:
        """Decode the events of a stream that end in this chunk."""
        repeats = self.decoder.repeats
        if repeats.template is not None and self._splitter.is_between_events and not self._joiner.held:
            count, chunk = repeats.read(chunk)
            self.event_count += count
            if not chunk:
                return
        events = self._splitter.feed(chunk)
        if len(events) == 1 and events[0][:2] == b'{"' and not self.saw_done and NEWLINE not in events[0]:
            self.event_count += 1
            self.read_event(events[0])  # most chunks are one event with an object, which takes no further look
        else:
            self._read_events(events)
        if events and repeats.template is None:
            repeats.learn(chunk, events[-1])

    def end_stream(self, headers: Mapping[str, str]) -> None:
        """Finish the response after the server ended the stream.

        Raises `StreamInterruptedError` if the stream ends inside an event, before the end of the response, and
        `UnexpectedModelBehavior` if it holds no event.
        """
        is_inside = self._splitter.is_inside_event
        is_truncated = not self._read_last_event(self._splitter.end() or b'') and is_inside
        if is_truncated and not self.draft.has_ended:
            raise self._make_interruption('inside an event')
        if not self.event_count:
            raise self.empty_stream(headers)
        self.end()
        if not self.draft.has_ended and (failure := self._find_failure()) is not None:
            raise failure
        self.draft.parts.end(complete=self.draft.has_ended)

    def read_event(self, data: bytes) -> None:
        """Decode one event of a stream. Raises `UnexpectedModelBehavior` if it is not JSON, or not this API's."""
        try:
            event = from_json(data)
            is_clean = not self._joiner.held
        except ValueError as error:
            event, is_clean = self._parse_damaged_event(data, error), False
        if is_clean:
            self.decode_event(event)
            return
        for complete in self._joiner.feed(event):
            self.decode_event(complete)

    def end(self) -> None:
        """Decode what was held until the end of the stream."""
        for event in self._joiner.flush():
            self.decode_event(event)
        self.decoder.decode_end()
        add_response_citations(self.draft)
        warn_of_unparsed_calls(self.draft)

    def decode(self, body: Any) -> None:
        """Decode a whole body that was parsed already. Raises `UnexpectedModelBehavior` if it is not this API's."""
        self._check(self.decoder.decode, body)
        add_response_citations(self.draft)
        warn_of_unparsed_calls(self.draft)

    def decode_event(self, event: Any) -> None:
        """Decode an event that was parsed already. Raises `UnexpectedModelBehavior` if it is not this API's.

        An empty one (`null`, `{}`) only keeps the connection open.
        """
        repeats = self.decoder.repeats
        if repeats.add(event):
            return
        repeats.forget()
        if event:
            self._last_event = event
            self._check(self.decoder.decode_event, event)

    def empty_stream(self, headers: Mapping[str, str]) -> LLMError:
        """Return the error for a stream without any event, such as a web page."""
        content_type = headers.get('content-type', '')[:QUOTED_CHARACTERS] or 'an untyped body'
        return UnexpectedModelBehavior(
            f'{self.base_url} answered with a stream that holds no event, but {content_type}',
            self._quote_stray() or None,
        )

    def _read_events(self, events: Iterable[bytes]) -> None:
        for event in events:
            for data in (event,) if NEWLINE not in event else _split_event(event):
                if self.saw_done:
                    return
                if len(data) < 20 and data.strip(b' \t\r"') == DONE:
                    self.saw_done = True
                    self.decoder.repeats.forget()
                    self.decoder.decode_done()
                    return
                self.event_count += 1
                self.read_event(data)

    def _read_last_event(self, data: bytes) -> bool:
        """Decode an event without the empty line that ends it, which some servers forget.

        Return whether it was decoded, which a truncated one is not.
        """
        try:
            parse_json(data)
        except ValueError:
            if not data.strip().endswith(DONE):
                return False
        self._read_events([data])
        return True

    def _find_failure(self) -> LLMError | None:
        """Return the error that ended a stream in a form that the room does not know, if there is one."""
        if is_error(self._last_event):
            return self._add_headers(self.decoder.error_from(self._last_event))
        if not (text := self._quote_stray()):
            return None
        try:
            return self._add_headers(self.decoder.error_from(parse_json(text)))
        except ValueError:
            return self._make_interruption(f'with {text!r}')

    def _add_headers(self, error: LLMError) -> LLMError:
        """Add the headers of the response to an error that is in it."""
        if isinstance(error, ModelHTTPError):
            error.headers = error.headers or dict(self.draft.headers or {})
            error.request_id = error.request_id or self.draft.request_id
        return error

    def _quote_stray(self) -> str:
        """Return the first lines of the stream that are not events."""
        return b'\n'.join(self._splitter.stray).decode('utf-8', 'replace')

    def _make_interruption(self, how: str) -> LLMError:
        draft = self.draft
        draft.state = 'interrupted'
        message = f'The answer of {draft.model_name} broke off {how}'
        return StreamInterruptedError(
            draft.model_name, message, provider_name=draft.provider_name, response=draft.get()
        )

    def _parse_damaged_event(self, data: bytes, error: ValueError) -> Any:
        """Parse an event with damaged text. Junk after the end of the response is skipped with a warning."""
        try:
            return parse_damaged_json(data, error, keep_halves=True)
        except ValueError:
            if self.draft.has_ended:
                self.draft.warnings.append('An event after the end of the response was skipped, since it is not JSON')
                return None
            raise UnexpectedModelBehavior(f'An event of the stream is not JSON: {error}', repr(data[:500])) from None

    def _make_not_json_error(self, body: bytes, content_type: str) -> LLMError:
        """Return the error for a body that is not JSON: truncated if its type is JSON, else not this API's."""
        if 'json' in content_type:
            return error_from_invalid_json(
                body, model_name=self.draft.model_name, provider_name=self.draft.provider_name
            )
        return UnexpectedModelBehavior(
            f'{self.base_url} did not answer with {self.api_name} but with '
            f'{content_type[:QUOTED_CHARACTERS] or "an untyped body"}',
            body[:QUOTED_BYTES].decode('utf-8', 'replace'),
        )

    def _check(self, decode: Callable[[Json], None], data: Any) -> None:
        try:
            decode(data)
            self.draft.check()
        except ModelHTTPError as error:
            self._add_headers(error)
            raise
        except DECODING_ERRORS as error:
            text = to_json(data, serialize_unknown=True)[:QUOTED_BYTES].decode('utf-8', 'replace')
            reason = f'{type(error).__name__}: {error}'
            raise UnexpectedModelBehavior(
                f'{self.base_url} did not answer with {self.api_name} ({reason})', text
            ) from error
        finally:
            self.draft.take_back()  # also if another field raised first: a response that is kept can be stored


def is_event_stream(start: bytes, headers: Mapping[str, str]) -> bool:
    """Return whether a response is a stream of events, by its first bytes; by its content type if they are neither.

    Servers send whole bodies as `text/event-stream`, and events as `application/json`.
    """
    if JSON_START.match(start):
        return False
    return EVENT_LINE.match(start) is not None or headers.get('content-type', '').startswith('text/event-stream')


def is_error(event: object) -> bool:
    """Return whether an event is an error in a shape that any server could send."""
    match event:
        case {'error': object() as error} | {'errors': object() as error}:
            return bool(error)
        case {'message': str()} | {'Message': str()} | {'msg': str()} | {'detail': str() | list()}:
            return True
        case _:
            return False


def _split_event(event: bytes) -> list[bytes]:
    """Return the events in an event of several lines: one if it is JSON, else one per line.

    Servers that forget the empty lines between events send all of them as one.
    """
    try:
        parse_json(event)
    except ValueError:
        return [line for line in event.split(b'\n') if line.strip()]
    return [event]
