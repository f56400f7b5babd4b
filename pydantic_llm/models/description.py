"""What decides about the response to a request: for the keys of caches, for recordings, and to look at a request.

`Model.describe_request` returns a `RequestDescription`; `encode_description` makes the body for models without a wire
format, `join_descriptions` that of a model around several models. `describe_reading`, `describe_provider` and
`describe_value` return what is not in the body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from functools import cache
from hashlib import sha256
from types import FunctionType
from typing import Any, cast
from uuid import uuid4
from weakref import WeakKeyDictionary

from pydantic_core import from_json, to_json

from .._type_checks import check_messages
from ..json_types import Json, repair_text
from ..messages import ModelMessage
from ..profiles import ModelProfile
from ..settings import TRANSPORT_SETTINGS, ModelSettings
from ..transport.keys import KEY_HEADERS

__all__ = (
    'RequestDescription',
    'describe_provider',
    'describe_reading',
    'describe_value',
    'encode_description',
    'join_descriptions',
)

SETTINGS_WITHOUT_EFFECT = TRANSPORT_SETTINGS - {'extra_body', 'extra_headers'}
"""Settings that do not change what is asked."""

WRAPPER_PREFIXES = ('response_cache_', 'router_')
"""The beginnings of settings of models around models, which do not change what is asked."""

READING_FIELDS = frozenset(
    {
        'ignore_streamed_leading_whitespace',
        'openai_ends_silently',
        'openai_hides_thinking_tokens',
        'openai_reuses_call_ids',
        'openai_thinking_field',
        'text_tool_calls',
        'thinking_tag_is_prefilled',
        'thinking_tags',
    }
)
"""The fields of a profile by which a response is decoded. All others only decide about the request."""

PRIVATE_WORDS = frozenset('apikey auth authentication authorization cookie key password secret signature token'.split())
"""Words in the names of headers that may hold credentials."""

HEADERS_WITHOUT_EFFECT = (
    'accept',
    'connection',
    'content-',
    'host',
    'openai-organization',
    'openai-project',
    'user-agent',
    'x-amzn-bedrock',
    'x-goog-user-project',
    'x-stainless-',
)
"""The beginnings of the names of headers that describe the client or choose an account."""

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
    context: Mapping[str, object] = field(default_factory=dict[str, object])
    """What decides about the response and is not in the request: the fields of the profile by which the response is
    decoded, headers of the provider other than credentials, the options of a model in this process."""
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
        if self.context:
            facts.append(sorted(self.context.items()))
        return sha256(to_json(facts)).hexdigest()


def encode_description(
    messages: Sequence[ModelMessage], settings: ModelSettings, parameters: object, **others: object
) -> bytes:
    """Return the body of the description of a request to a model without a wire format.

    `settings` include those of the model, `parameters` are `ModelRequestParameters`, `others` more fields of the body.
    """
    check_messages(messages)
    fields = {
        'messages': [_describe_message(message) for message in messages],
        'settings': {name: value for name, value in sorted(settings.items()) if _has_effect(name)},
        'parameters': parameters,
        **others,
    }
    return _encode(fields)


def join_descriptions(descriptions: Sequence[RequestDescription]) -> bytes:
    """Return the body of the description of a request that several models may get."""
    names = ('model_id', 'base_url', 'path', 'headers', 'context')
    members = [{name: getattr(each, name) for name in names} | {'body': each.json()} for each in descriptions]
    return _encode({'members': members})


def describe_reading(profile: ModelProfile, *, has_output: bool) -> dict[str, object]:
    """Return what decides about how a response is decoded: fields of the profile, and whether JSON is expected."""
    values = {
        name: getattr(profile, name)
        for name, default in _list_reading_defaults(cast('Any', type(profile)))
        if getattr(profile, name) != default
    }
    return {**values, **({'expects_json': True} if has_output else {})}


@cache
def _list_reading_defaults(profile_type: Any) -> list[tuple[str, object]]:
    return [(item.name, item.default) for item in fields(profile_type) if item.name in READING_FIELDS]


def describe_provider(headers: Mapping[str, object] | None) -> dict[str, object]:
    """Return the headers of a provider that may decide about its responses, with `header:` before their names."""
    return {
        f'header:{name.lower()}': value
        for name, value in (headers or {}).items()
        if isinstance(value, str) and not _is_without_effect(name.lower())
    }


def describe_value(value: object) -> object:
    """Return a value as JSON. An object that cannot be written as JSON is equal to itself alone, in this process."""
    return cast('object', from_json(_encode(_order_sets(value))))


def _order_sets(value: object) -> object:
    """Replace sets by sorted lists: their order differs between processes."""
    match value:
        case set() | frozenset():
            return sorted((_order_sets(item) for item in cast('Set[object]', value)), key=_encode)
        case list() | tuple():
            return [_order_sets(item) for item in cast('Sequence[object]', value)]
        case Mapping():
            return {name: _order_sets(item) for name, item in cast('Mapping[object, object]', value).items()}
        case _:
            return value


def _encode(value: object) -> bytes:
    return to_json(value, fallback=_name_object, inf_nan_mode='strings', bytes_mode='base64')


_names: WeakKeyDictionary[object, str] = WeakKeyDictionary()


def _name_object(value: object) -> str:
    """Return a name for an object: that of a class or of a function of a module, else a random one.

    Another object may get its address, and functions inside functions have the same name with other variables.
    """
    if isinstance(value, type) or (isinstance(value, FunctionType) and '<' not in value.__qualname__):
        return f'{value.__module__}.{value.__qualname__}'
    name = f'{type(value).__qualname__} {uuid4().hex}'
    try:
        return _names.setdefault(value, name)
    except TypeError:  # it cannot be hashed, or has no weak references
        return name


def _has_effect(setting: str) -> bool:
    return setting not in SETTINGS_WITHOUT_EFFECT and not setting.startswith(WRAPPER_PREFIXES)


def _is_without_effect(header: str) -> bool:
    is_private = header in KEY_HEADERS or not PRIVATE_WORDS.isdisjoint(header.split('-'))
    return is_private or header.startswith(HEADERS_WITHOUT_EFFECT)


def _describe_message(message: ModelMessage) -> Json:
    from ..messages import ModelMessagesTypeAdapter  # made when it is first used

    [fields] = cast('list[dict[str, Any]]', ModelMessagesTypeAdapter.dump_python([message], mode='json'))
    described = {name: value for name, value in fields.items() if name in MESSAGE_FIELDS}
    described['parts'] = [_describe_part(part) for part in fields['parts']]
    return cast('Json', repair_text(described))


def _describe_part(part: Json) -> Json:
    described = {name: value for name, value in part.items() if name not in PART_FIELDS_WITHOUT_EFFECT}
    if part['part_kind'] == 'retry-prompt' and part['tool_name'] is None:
        del described['tool_call_id']  # a random one, which no model gets
    return described
