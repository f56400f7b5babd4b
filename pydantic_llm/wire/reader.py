"""`ResponseReader`: the bytes of one response, parsed and given to the room's decoder.

Here a response that is not the API's becomes an `UnexpectedModelBehavior`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from ..exceptions import LLMError, UnexpectedModelBehavior
from ..json_types import Json, parse_damaged_json, parse_json
from ..streaming.draft import ResponseDraft
from ..transport.errors import error_from_invalid_json
from .decoder import ResponseDecoder
from .surrogates import SurrogateJoiner

DECODING_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""The exceptions of a decoder that met JSON of the wrong shape."""

QUOTED_BYTES = 2000
"""The most bytes of a response that an error quotes."""


class ResponseReader:
    """Feeds one response to a decoder. `api_name` is the API's name in errors: 'a chat completion'."""

    def __init__(self, decoder: ResponseDecoder, *, api_name: str, base_url: str) -> None:
        self.decoder = decoder
        self.api_name = api_name
        self.base_url = base_url
        self._joiner = SurrogateJoiner()

    @property
    def draft(self) -> ResponseDraft:
        """The response under construction."""
        return self.decoder.draft

    def read_body(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Decode a whole body. Raises `UnexpectedModelBehavior` if it is not JSON, or not this API's."""
        self.decoder.decode_headers(headers)
        try:
            parsed = parse_json(body)
        except ValueError:
            raise self._not_json(body, headers.get('content-type', '')) from None
        self.decode(parsed)

    def read_event(self, data: bytes) -> None:
        """Decode one event of a stream. Raises `UnexpectedModelBehavior` if it is not JSON, or not this API's."""
        try:
            event = from_json(data)
            is_clean = not self._joiner.held
        except ValueError as error:
            event, is_clean = _parse_damaged_event(data, error), False
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

    def decode(self, body: Any) -> None:
        """Decode a whole body that was parsed already. Raises `UnexpectedModelBehavior` if it is not this API's."""
        self._check(self.decoder.decode, body)

    def decode_event(self, event: Any) -> None:
        """Decode an event that was parsed already. Raises `UnexpectedModelBehavior` if it is not this API's."""
        self._check(self.decoder.decode_event, event)

    def empty_stream(self, headers: Mapping[str, str]) -> LLMError:
        """Return the error for a stream without any event, such as a web page."""
        content_type = headers.get('content-type', '') or 'an untyped body'
        return UnexpectedModelBehavior(
            f'{self.base_url} answered with a stream that holds no event, but {content_type}'
        )

    def _not_json(self, body: bytes, content_type: str) -> LLMError:
        """Return the error for a body that is not JSON: truncated if its type is JSON, else not this API's."""
        if 'json' in content_type:
            return error_from_invalid_json(
                body, model_name=self.draft.model_name, provider_name=self.draft.provider_name
            )
        return UnexpectedModelBehavior(
            f'{self.base_url} did not answer with {self.api_name} but with {content_type or "an untyped body"}',
            body[:QUOTED_BYTES].decode('utf-8', 'replace'),
        )

    def _check(self, decode: Callable[[Json], None], data: Any) -> None:
        try:
            decode(data)
            self.draft.check()
        except DECODING_ERRORS as error:
            text = to_json(data, serialize_unknown=True)[:QUOTED_BYTES].decode('utf-8', 'replace')
            reason = f'{type(error).__name__}: {error}'
            raise UnexpectedModelBehavior(
                f'{self.base_url} did not answer with {self.api_name} ({reason})', text
            ) from error


def _parse_damaged_event(data: bytes, error: ValueError) -> Any:
    try:
        return parse_damaged_json(data, error, keep_halves=True)
    except ValueError:
        raise UnexpectedModelBehavior(f'An event of the stream is not JSON: {error}', repr(data[:500])) from None
