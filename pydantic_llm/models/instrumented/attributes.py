"""The attributes of spans and metrics, from requests, responses and errors. `conventions` has their names."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from ...exceptions import (
    ContentFilterError,
    LLMError,
    ModelHTTPError,
    ModelRetry,
    ToolFailed,
    UnexpectedModelBehavior,
    UserError,
)
from ...messages import ModelMessage, ModelResponse
from ...settings import ModelSettings
from ...usage import Usage
from .. import Model, ModelRequestParameters
from .conventions import PROVIDER_NAMES, REQUEST_ATTRIBUTES, USAGE_ATTRIBUTES
from .settings import InstrumentationSettings

__all__ = (
    'Attributes',
    'describe_error',
    'describe_exception',
    'describe_model',
    'describe_request',
    'describe_response',
    'describe_usage',
    'is_remote',
)

Attributes = dict[str, Any]
"""Attributes by name."""

ERRORS_WITH_CONTENT = (
    ContentFilterError,
    ModelRetry,
    ToolFailed,
    UnexpectedModelBehavior,
    UserError,
    ValidationError,
)
"""Errors whose messages quote what a model or a user wrote."""

DEFAULT_PORTS = {'https': 443, 'http': 80}


def describe_model(model: Model) -> Attributes:
    """Return what identifies a model: also the attributes of its metrics."""
    return {
        'gen_ai.provider.name': name_provider(model.system),
        'gen_ai.request.model': model.model_name,
        **describe_server(model.base_url),
    }


def name_provider(system: str) -> str:
    """Return the name of a vendor by the conventions, or our own name for it."""
    return PROVIDER_NAMES.get(system, system)


@lru_cache(maxsize=256)
def _split_url(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


def describe_server(url: str | None) -> Attributes:
    """Return the address and the port of a base URL; empty for a model in this process."""
    found = _split_url(url) if url else None
    return {} if found is None else {'server.address': found[0], 'server.port': found[1]}


def is_remote(model: Model) -> bool:
    """Return whether a model, or one that it sends its requests to, is behind a URL."""
    try:
        return model.base_url is not None or any(is_remote(member) for member in model.members)
    except UserError:  # an `AgentModel` whose agent has no model yet
        return False


def describe_request(
    messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters | None
) -> Attributes:
    """Return the attributes of the settings, the output and the conversation."""
    attributes: Attributes = {
        name: type_(settings[key])  # type: ignore[literal-required]  # the keys of the table are settings
        for key, (name, type_) in REQUEST_ATTRIBUTES.items()
        if settings.get(key) is not None
    }
    if (tier := settings.get('openai_service_tier', settings.get('service_tier'))) is not None:
        attributes['openai.request.service_tier'] = tier
    if parameters is not None and parameters.output_mode in ('native', 'prompted', 'tool'):
        attributes['gen_ai.output.type'] = 'json'
    elif parameters is not None and parameters.allow_image_output:
        attributes['gen_ai.output.type'] = 'image'
    ids = (message.conversation_id for message in reversed(messages) if message.conversation_id)
    if (conversation_id := next(ids, None)) is not None:
        attributes['gen_ai.conversation.id'] = conversation_id
    return attributes


def describe_response(response: ModelResponse) -> Attributes:
    """Return the attributes of a response, without its usage."""
    details = response.provider_details or {}
    found: Attributes = {
        'gen_ai.response.id': response.provider_response_id,
        'gen_ai.response.model': response.model_name,
        'gen_ai.response.finish_reasons': [response.finish_reason] if response.finish_reason else None,
        'gen_ai.provider.name': name_provider(response.provider_name) if response.provider_name else None,
        'pydantic_llm.request_id': response.request_id,
        **describe_server(response.provider_url),
    }
    if response.provider_name in ('openai', 'azure'):
        found['openai.response.service_tier'] = details.get('service_tier')
        found['openai.response.system_fingerprint'] = details.get('system_fingerprint')
    return {name: value for name, value in found.items() if value is not None}


def describe_usage(usage: Usage) -> Attributes:
    """Return the counts of tokens. Those that the vendor did not send are left out, and zeros of parts of the whole."""
    if not usage.has_values():
        return {}
    always = {'input_tokens', 'output_tokens'} - {*usage.missing}
    counts = {field: getattr(usage, field) for field in USAGE_ATTRIBUTES}
    return {USAGE_ATTRIBUTES[field]: count for field, count in counts.items() if count or field in always}


def describe_error(error: BaseException) -> Attributes:
    """Return the type of an error: the name of its class, with its module if it is not one of this package."""
    kind = type(error)
    is_plain = kind.__module__ in ('builtins', 'asyncio.exceptions', LLMError.__module__)
    found: Attributes = {'error.type': kind.__qualname__ if is_plain else f'{kind.__module__}.{kind.__qualname__}'}
    if isinstance(error, ModelHTTPError):
        found['http.response.status_code'] = error.status_code
    return found


def describe_exception(error: BaseException, settings: InstrumentationSettings) -> Attributes:
    """Return the attributes of an exception.

    Its message is left out if it may quote content that the settings do not include. The stack has the frames only: the
    messages of other errors that it was raised from stay out.
    """
    kind = type(error)
    attributes: Attributes = {
        'exception.type': f'{kind.__module__}.{kind.__qualname__}',
        'exception.stacktrace': ''.join(traceback.format_tb(error.__traceback__)),
    }
    if settings.include_content or not _quotes_content(error):
        attributes['exception.message'] = settings.redact(str(error))
    return attributes


def _quotes_content(error: BaseException) -> bool:
    """Return whether the message of an error may quote content."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_quotes_content, error.exceptions))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    return isinstance(error, ERRORS_WITH_CONTENT)
