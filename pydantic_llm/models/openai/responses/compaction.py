"""Decodes and encodes the items of compaction, and the request for one to `POST /responses/compact`.

https://developers.openai.com/api/docs/guides/compaction
"""

from __future__ import annotations

from collections.abc import Sequence

from ....json_types import Json, keep_objects
from ....messages import CompactionPart

COMPACTION_ITEM = 'compaction'
"""The type of an item that stands for the conversation before it: `ResponseCompactionItem`."""

RETAINED = 'retained_items'
"""The key of `provider_details` for the items that the API returned before the compaction, to be sent with it."""

REQUEST_FIELDS = (
    'model input instructions previous_response_id prompt_cache_key prompt_cache_options prompt_cache_retention '
    'service_tier'
).split()
"""The fields of `ResponseCompactParams`."""


def decode_compaction(item: Json, provider_name: str | None) -> CompactionPart:
    """Decode an item. Its fields other than the id are kept."""
    details = {name: value for name, value in item.items() if name not in ('type', 'id')}
    return CompactionPart(id=item.get('id'), provider_name=provider_name, provider_details=details)


def list_output(body: Json) -> Sequence[Json]:
    """Return the items of a body. Those before the compaction of `/responses/compact` become a field of it."""
    output: list[Json] = body.get('output') or []
    if body.get('object') != 'response.compaction':
        return output
    first = next((index for index, item in enumerate(output) if item.get('type') == COMPACTION_ITEM), 0)
    return [{**output[first], RETAINED: output[:first]}, *output[first + 1 :]] if first else output


def encode_compaction(part: CompactionPart) -> list[Json]:
    """Encode a compaction for a request: the items that belong before it, and its item.

    The API accepts the fields of `ResponseCompactionItemParam`.
    """
    details = part.provider_details or {}
    id = {'id': part.id} if part.id else {}
    item = {'type': COMPACTION_ITEM, **id, 'encrypted_content': details.get('encrypted_content')}
    return [*keep_objects(details.get(RETAINED)), item]


def encode_compaction_item(part: CompactionPart) -> Json:
    """Encode a compaction for a response: its item with all of its fields."""
    details = {name: value for name, value in (part.provider_details or {}).items() if name != RETAINED}
    return {'type': COMPACTION_ITEM, 'id': part.id, **details}


def encode_compaction_request(body: Json, instructions: str | None) -> Json:
    """Encode the body of a request for a compaction, from the body of a request for a response."""
    fields = {name: body[name] for name in REQUEST_FIELDS if name in body}
    return fields if instructions is None else {**fields, 'instructions': instructions}
