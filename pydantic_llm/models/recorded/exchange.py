"""`Exchange`: a request and what came back, as an entry of a recording."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, cast

from ...exceptions import LLMError, ModelHTTPError, UserError
from ...json_types import Json, repair_text
from ...messages import ModelResponse, ModelResponseStreamEvent
from ...messages.headers import ResponseHeaders
from ...usage import RequestUsage
from .errors import decode_error, encode_error
from .matching import find_key, replace_files
from .redaction import Redactor
from .responses import (
    decode_events,
    decode_response,
    decode_usage,
    encode_events,
    encode_response,
    encode_usage,
)

__all__ = ('Exchange', 'Kind', 'Outcome', 'TimedEvent')

Kind = Literal['request', 'count_tokens', 'compact_messages']
"""The method of the model that was called."""

TimedEvent = tuple[float, ModelResponseStreamEvent]
"""An event of a stream, with the seconds since the request began."""


class Outcome:
    """The result of a request, while it is being recorded."""

    def __init__(self) -> None:
        self.seconds: float = 0.0
        self.response: ModelResponse | None = None
        self.usage: RequestUsage | None = None
        self.error: LLMError | None = None
        self.events: list[TimedEvent] | None = None
        """The events of a stream; `None` if the response came whole."""
        self.keys: set[str] = set()
        """The keys that the request was sent with."""

    def encode(self, redactor: Redactor) -> Json:
        """Encode the outcome without secrets.

        If a secret was in the response, its stream is not recorded event by event: the secret is in pieces there.
        """
        fields: Json = {'seconds': round(self.seconds, 3)}
        events = self.events
        if self.usage is not None:
            fields['usage'] = encode_usage(self.usage)
        if self.response is not None:
            response = encode_response(self.response)
            fields['response'] = redactor.redact(response)
            if self.response.headers:
                fields['response_headers'] = redactor.redact_headers(self.response.headers)
            events = events if fields['response'] == response else None
        if self.error is not None:
            error = encode_error(self.error)
            if isinstance(self.error, ModelHTTPError):
                error['fields']['headers'] = redactor.redact_headers(self.error.headers)
            fields['error'] = redactor.redact_fields(error)
        if events is not None:
            fields['events'] = redactor.redact(_encode_events(events))
        return fields


def _encode_events(events: Sequence[TimedEvent]) -> list[Json]:
    encoded = encode_events([event for _, event in events])
    return [{'at': round(at, 3), **fields} for (at, _), fields in zip(events, encoded, strict=True)]


class Exchange:
    """An entry of a recording. Its values are decoded each time they are read, so that callers share none."""

    def __init__(self, fields: Json) -> None:
        self.fields = fields
        self.kind: Kind = fields['kind']
        self.model_id: str = fields['model']
        self.request: Json = fields['request']
        self.key: str = find_key(self.kind, self.model_id, self.request)

    @classmethod
    def make(
        cls, kind: Kind, model_id: str, request: Json, wire: Json | None, outcome: Outcome, redactor: Redactor
    ) -> Exchange:
        """Return the entry for a request and its outcome. `wire` is the request as it was sent, for the reader."""
        sent = {} if wire is None else {'wire': redactor.redact_fields(replace_files(wire))}
        asked: Json = {'kind': kind, 'model': model_id, 'request': redactor.redact(request), **sent}
        return cls(cast('Json', repair_text({**asked, **outcome.encode(redactor)})))

    @property
    def seconds(self) -> float:
        """The time from the request to the end of the response."""
        with _reading('seconds'):
            return float(self.fields.get('seconds', 0))

    @property
    def error(self) -> LLMError | None:
        """The exception that the request ended with."""
        with _reading('error'):
            return decode_error(self.fields['error']) if 'error' in self.fields else None

    @property
    def response(self) -> ModelResponse:
        """The response; of a request that failed, what arrived of it."""
        with _reading('response'):
            headers: Mapping[str, str] | None = self.fields.get('response_headers')
            response = decode_response(self.fields['response'])
            return response if headers is None else replace(response, headers=ResponseHeaders(headers))

    @property
    def usage(self) -> RequestUsage:
        """The number of tokens that were counted."""
        with _reading('usage'):
            return decode_usage(self.fields['usage'])

    @property
    def events(self) -> list[TimedEvent] | None:
        """The events of a stream; `None` if the response came whole."""
        recorded: list[Json] | None = self.fields.get('events')
        if recorded is None:
            return None
        with _reading('events'):
            plain = [{name: value for name, value in event.items() if name != 'at'} for event in recorded]
            times = [float(event['at']) for event in recorded]
            return list(zip(times, decode_events(plain), strict=True))

    def to_text(self) -> str:
        """Return the entry as indented JSON, with one line for each event."""
        fields: dict[str, Any] = {name: value for name, value in self.fields.items() if name != 'events'}
        text = json.dumps(fields, indent=2, ensure_ascii=False)
        if (events := self.fields.get('events')) is None:
            return text
        lines = ',\n    '.join(json.dumps(event, ensure_ascii=False) for event in events)
        return f'{text[:-2]},\n  "events": [\n    {lines}\n  ]\n}}' if events else f'{text[:-2]},\n  "events": []\n}}'


@contextmanager
def _reading(name: str) -> Generator[None]:
    """Raise `UserError` if a field of an entry, which may have been edited by hand, is invalid."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'An entry of the recording has an invalid {name!r}: {error}') from error
