"""Writes responses and the events of streams as short JSON, and reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter

from ...json_types import Json
from ...messages import ModelMessagesTypeAdapter, ModelResponse, ModelResponseStreamEvent
from ...usage import RequestUsage

__all__ = (
    'decode_events',
    'decode_response',
    'decode_usage',
    'drop_nulls',
    'drop_unset',
    'encode_events',
    'encode_response',
    'encode_usage',
)

EVENTS: TypeAdapter[list[ModelResponseStreamEvent]] = TypeAdapter(
    list[ModelResponseStreamEvent],
    config=ConfigDict(ser_json_bytes='base64', val_json_bytes='base64', ser_json_inf_nan='strings', defer_build=True),
)

USAGE = TypeAdapter(RequestUsage)


def encode_response(response: ModelResponse) -> Json:
    """Encode a response without its headers, and without fields that are not set."""
    [fields] = cast('list[Json]', ModelMessagesTypeAdapter.dump_python([response], mode='json'))
    parts = [drop_nulls(part) for part in fields['parts']]
    return drop_unset(fields) | {'parts': parts, 'usage': encode_usage(response.usage)}


def encode_events(events: Sequence[ModelResponseStreamEvent]) -> list[Json]:
    """Encode events without the fields that are `None`."""
    encoded = cast('list[Json]', EVENTS.dump_python([*events], mode='json'))
    return [
        {name: drop_nulls(value) if name in ('part', 'delta') else value for name, value in drop_nulls(event).items()}
        for event in encoded
    ]


def decode_events(events: Sequence[Json]) -> list[ModelResponseStreamEvent]:
    """Decode events. Raises pydantic's `ValidationError` if one is invalid."""
    return EVENTS.validate_python(events)


def decode_response(fields: Json) -> ModelResponse:
    """Decode a response. Raises pydantic's `ValidationError` if it is not one."""
    [response] = ModelMessagesTypeAdapter.validate_python([fields])
    assert isinstance(response, ModelResponse), 'its kind was written'
    return response


def encode_usage(usage: RequestUsage) -> Json:
    """Encode the counts that are not zero."""
    counts: dict[str, Any] = USAGE.dump_python(usage, mode='json')
    return {name: count for name, count in counts.items() if count}


def decode_usage(counts: Json) -> RequestUsage:
    """Decode the counts of a usage; those that are missing are zero."""
    return USAGE.validate_python(counts)


def drop_unset(fields: Json) -> Json:
    """Return the fields of one of our values without those that are `None`, false or an empty list."""
    return {name: value for name, value in fields.items() if value is not None and value is not False and value != []}


def drop_nulls(fields: Json) -> Json:
    """Return the fields of one of our values without those that are `None`."""
    return {name: value for name, value in fields.items() if value is not None or name == 'content'}
