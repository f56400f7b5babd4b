"""What decides about the response to a request: for the keys of caches, for recordings, and to look at a request.

`Model.describe_request` returns a `RequestDescription`; `encode_description` makes the body for models without a wire
format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, cast

from pydantic_core import from_json, to_json

from .._type_checks import check_messages
from ..json_types import Json
from ..messages import ModelMessage, ModelMessagesTypeAdapter
from ..settings import TRANSPORT_SETTINGS, ModelSettings

__all__ = ('RequestDescription', 'encode_description')

SETTINGS_WITHOUT_EFFECT = TRANSPORT_SETTINGS - {'extra_body', 'extra_headers'}
"""Settings that do not change what is asked."""

MESSAGE_FIELDS = frozenset({'kind', 'parts', 'instructions'})
"""The fields of a message that a model gets to see."""

PART_FIELDS_WITHOUT_EFFECT = frozenset({'timestamp', 'metadata', 'dynamic_ref'})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDescription:
    """What decides about the response to a request. It does not depend on whether the response is streamed.

    It has no credentials of the provider. The headers and the body contain what the caller put into `extra_headers` and
    `extra_body`. A file that is downloaded before it is sent stands in the body with its URL in place of its content.
    """

    model_id: str
    base_url: str | None = None
    """The base URL of the model; `None` for a model in this process."""
    path: str | None = None
    """The path below the base URL; `None` if the model has no wire format."""
    body: bytes
    """The request as JSON: on the wire, or the messages, settings and parameters."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The headers of this request, in addition to those of the provider."""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """The warnings that the response would have."""

    def json(self) -> Json:
        """Return the body as an object."""
        return cast('Json', from_json(self.body))

    @property
    def fingerprint(self) -> str:
        """A hash in hexadecimal digits. Requests with the same hash are the same, in whatever order fields were set."""
        headers = sorted((name.lower(), value) for name, value in self.headers.items())
        facts = [self.model_id, self.base_url, self.path, sorted(self.json().items()), headers]
        return sha256(to_json(facts)).hexdigest()


def encode_description(messages: Sequence[ModelMessage], settings: ModelSettings, parameters: object) -> bytes:
    """Return the body of the description of a request to a model without a wire format.

    `settings` include those of the model, `parameters` are `ModelRequestParameters`.
    """
    check_messages(messages)
    fields = {
        'messages': [_describe_message(message) for message in messages],
        'settings': {name: value for name, value in sorted(settings.items()) if name not in SETTINGS_WITHOUT_EFFECT},
        'parameters': parameters,
    }
    return to_json(fields, fallback=repr, inf_nan_mode='strings', bytes_mode='base64')


def _describe_message(message: ModelMessage) -> Json:
    [fields] = cast('list[dict[str, Any]]', ModelMessagesTypeAdapter.dump_python([message], mode='json'))
    described = {name: value for name, value in fields.items() if name in MESSAGE_FIELDS}
    described['parts'] = [
        {name: value for name, value in part.items() if name not in PART_FIELDS_WITHOUT_EFFECT}
        for part in fields['parts']
    ]
    return described
