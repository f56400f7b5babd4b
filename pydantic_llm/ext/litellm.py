"""Any model of this library as a provider of LiteLLM: `register()` makes `'pydantic_llm/openai:gpt-5.4-mini'` a model.

https://docs.litellm.ai/docs/providers/custom_llm_server
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from .._extras import import_extra
from ..exceptions import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    LLMError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    UserError,
)
from ..json_types import Json
from ..models import Model
from ..settings import ModelSettings
from ..wire.message_dicts import read_dicts
from ..wire.serving import status_of
from ._chat import EXTRAS, ChatEndpoint

__all__ = ('PydanticLLM', 'register')

PROVIDER = 'pydantic_llm'


class PydanticLLM:
    """A provider of LiteLLM (a `CustomLLM`, which LiteLLM knows by its methods), on models of this library.

    `models` are models by the names that requests call them; any other name is one for `infer_model`. Errors are those
    of LiteLLM, with the one of this library as their cause.
    """

    def __init__(
        self, models: Mapping[str, Model | str] | None = None, *, settings: ModelSettings | None = None
    ) -> None:
        self._models: dict[str, Model | str] = {**(models or {})}
        self._settings = settings
        self._endpoints: dict[str, ChatEndpoint] = {}

    def completion(self, model: str, messages: list[Any], **options: Any) -> Any:
        """Return the response. LiteLLM calls this, as it does the other methods."""
        with _translate_errors(model):
            return _make_response(self._find_endpoint(model).complete_sync(_build_body(messages, options)))

    async def acompletion(self, model: str, messages: list[Any], **options: Any) -> Any:
        with _translate_errors(model):
            return _make_response(await self._find_endpoint(model).complete(_build_body(messages, options)))

    def streaming(self, model: str, messages: list[Any], **options: Any) -> Iterator[Any]:
        with _translate_errors(model):
            encoder = _ChunkEncoder()
            for chunk in self._find_endpoint(model).stream_sync(_build_body(messages, options)):
                yield encoder.encode(chunk)

    async def astreaming(self, model: str, messages: list[Any], **options: Any) -> AsyncIterator[Any]:
        with _translate_errors(model):
            encoder = _ChunkEncoder()
            async with aclosing(self._find_endpoint(model).stream(_build_body(messages, options))) as chunks:
                async for chunk in chunks:
                    yield encoder.encode(chunk)

    def _find_endpoint(self, name: str) -> ChatEndpoint:
        """Return the endpoint of a model. A model that was made from its name is kept, with its connections."""
        if name not in self._endpoints:
            self._endpoints[name] = ChatEndpoint(self._models.get(name, name), self._settings)
        return self._endpoints[name]


def register(
    models: Mapping[str, Model | str] | None = None,
    *,
    provider: str = PROVIDER,
    settings: ModelSettings | None = None,
) -> PydanticLLM:
    """Make the models available to `litellm.completion`, its `Router` and its proxy, as `<provider>/<name>`.

    A provider that was registered before under the same name is replaced. Returns the new one.
    """
    litellm = _import_litellm()
    handler = PydanticLLM(models, settings=settings)
    others = [item for item in litellm.custom_provider_map if item['provider'] != provider]
    litellm.custom_provider_map = [*others, {'provider': provider, 'custom_handler': handler}]
    litellm.utils.custom_llm_setup()
    return handler


def _import_litellm() -> Any:
    """Import LiteLLM, which takes seconds: not before it is used. Raises `UserError` if it is not installed."""
    return import_extra('litellm', extra='litellm', what=__name__)


# ---------------------------------------------------------------------- requests


def _build_body(messages: list[Any], options: Json) -> Json:
    """Return the body of a request. Raises `UserError` for a key or a URL, which belong to the provider of a model."""
    for name in ('api_key', 'api_base'):
        if options.get(name):
            raise UserError(
                f'{name}= is not read by {PROVIDER}: register a model that has it, in the provider= of the model'
            )
    parameters: Json = {**options['optional_params']}
    extra: Json = parameters.pop('extra_body', None) or {}
    body: Json = {
        'messages': [*map(_unpack_extras, read_dicts(messages))],
        'retries': parameters.pop('max_retries', None),
        'extra_headers': options.get('headers') or None,
        'timeout': timeout if isinstance(timeout := options.get('timeout'), (int, float)) else None,
    }
    return body | extra | parameters


def _unpack_extras(message: Json) -> Json:
    """Return a message with what `_make_response` put into LiteLLM's own place for the fields of a provider."""
    fields: Json = message.pop('provider_specific_fields', None) or {}
    return {**message, **({EXTRAS: fields[EXTRAS]} if EXTRAS in fields else {})}


# ---------------------------------------------------------------------- responses


def _make_response(body: Json) -> Any:
    choice: Json = body['choices'][0]
    message: Json = {**choice['message'], **_pack_extras(body[EXTRAS])}
    fields = {name: value for name, value in body.items() if name != EXTRAS}
    return _import_litellm().ModelResponse(**{**fields, 'choices': [{**choice, 'message': message}]})


class _ChunkEncoder:
    """Encodes chunks in LiteLLM's form. The finish reason and the usage, which come in two, must be in one there."""

    def __init__(self) -> None:
        self._finish_reason: str | None = None

    def encode(self, chunk: Json) -> Any:
        if 'usage' in chunk:
            return self._encode_last(chunk)
        choice: Json = chunk['choices'][0]
        self._finish_reason = choice['finish_reason']
        stream_type = _import_litellm().types.utils.ModelResponseStream
        return stream_type(**{**chunk, 'choices': [{**choice, 'finish_reason': None}]})

    def _encode_last(self, chunk: Json) -> Json:
        return {
            'text': '',
            'is_finished': True,
            'finish_reason': self._finish_reason or 'stop',
            'usage': chunk['usage'],
            'index': 0,
            'tool_use': None,
            **_pack_extras(chunk[EXTRAS]),
        }


def _pack_extras(extras: Json) -> Json:
    fields = {'warnings': extras.get('warnings'), EXTRAS: extras.get('message')}
    found = {name: value for name, value in fields.items() if value}
    return {'provider_specific_fields': found} if found else {}


# ---------------------------------------------------------------------- errors

ERRORS: dict[type[LLMError], str] = {
    AuthenticationError: 'AuthenticationError',
    NotFoundError: 'NotFoundError',
    ContextLengthError: 'ContextWindowExceededError',
    RateLimitError: 'RateLimitError',
    QuotaExceededError: 'RateLimitError',
    OverloadedError: 'ServiceUnavailableError',
    ContentFilterError: 'ContentPolicyViolationError',
    ModelTimeoutError: 'Timeout',
    ModelConnectionError: 'APIConnectionError',
    StreamInterruptedError: 'APIConnectionError',
    UserError: 'BadRequestError',
}
"""Errors of this library -> those of LiteLLM, by which its `Router` retries and falls back. The first match is used."""

STATUS_ERRORS = {400: 'BadRequestError', 422: 'BadRequestError', 500: 'InternalServerError'}
"""Statuses of other errors -> those of LiteLLM."""


@contextmanager
def _translate_errors(model: str) -> Generator[None]:
    try:
        yield
    except LLMError as error:
        raise _make_error(error, model) from error


def _make_error(error: LLMError, model: str) -> Exception:
    name = next((name for kind, name in ERRORS.items() if isinstance(error, kind)), None)
    fields: Json = {'message': str(error), 'model': model, 'llm_provider': PROVIDER}
    if name is None and isinstance(error, ModelHTTPError):
        name = STATUS_ERRORS.get(error.status_code)
    if name is None:
        fields['status_code'] = status_of(error)
    made: Exception = getattr(_import_litellm(), name or 'APIError')(**fields)
    return made
