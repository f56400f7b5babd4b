"""Any model of this library as a chat model of LangChain: `ChatPydanticLLM`.

https://docs.langchain.com/oss/python/langchain/models. `_langchain_messages` encodes and decodes the messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from pydantic import PrivateAttr

from ..exceptions import UserError
from ..json_types import Json
from ..models import Model, infer_model
from ._chat import ChatEndpoint
from ._framework import import_framework
from ._langchain_messages import decode_chunk, decode_response, encode_message

if TYPE_CHECKING:
    from ..models.known_names import KnownModelName

    class Base:
        """The members of `langchain_core.language_models.BaseChatModel` that the class below uses."""

        def __init__(self, **kwargs: Any) -> None: ...
        def bind(self, **kwargs: Any) -> Any: ...
        def with_structured_output(self, schema: Any, **kwargs: Any) -> Any: ...
        def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any: ...
else:
    Base = import_framework('langchain_core.language_models', extra='langchain', what=__name__).BaseChatModel

__all__ = ('ChatPydanticLLM',)

outputs: Any = import_framework('langchain_core.outputs', extra='langchain', what=__name__)
parsers: Any = import_framework('langchain_core.output_parsers', extra='langchain', what=__name__)
runnables: Any = import_framework('langchain_core.runnables', extra='langchain', what=__name__)
function_calling: Any = import_framework('langchain_core.utils.function_calling', extra='langchain', what=__name__)

PARAMETERS = {'temperature': 'temperature', 'max_tokens': 'max_tokens', 'timeout': 'timeout', 'max_retries': 'retries'}
"""The parameters that all chat models of LangChain have -> the fields of a request."""

StructuredOutputMethod = Literal['json_schema', 'function_calling', 'json_mode']


class ChatPydanticLLM(Base):
    """A chat model of LangChain whose requests go to a model of this library.

    `model` is a `Model` or a name such as `'openai:gpt-5.4-mini'`; `settings` are sent with every request. What
    LangChain binds or passes to a call (`temperature=0`, `thinking='low'`) replaces them, and `model=` another model.
    Errors are those of this library.
    """

    model: Any
    """The model of this library, or its name."""
    settings: Any = None
    """Settings of every request, `ModelSettings` or those of one vendor."""
    temperature: float | None = None
    """The randomness of the response, from 0."""
    max_tokens: int | None = None
    """The maximum number of tokens to generate."""
    timeout: float | None = None
    """The time limit of a request in seconds."""
    max_retries: int | None = None
    """The maximum number of retries of a request that failed."""
    stop: list[str] | None = None
    """Texts that end the response."""
    streaming: bool = False
    """True to stream also for `invoke`, for the callbacks that receive tokens."""

    _named: dict[str, Model] = PrivateAttr(default_factory=dict[str, Model])
    """The models that calls named, with their connections."""

    def __init__(self, model: Model | KnownModelName | str, **kwargs: Any) -> None:
        super().__init__(model=infer_model(model), **kwargs)

    @property
    def _llm_type(self) -> str:
        return 'pydantic-llm'

    @property
    def _identifying_params(self) -> Json:
        return {'model': self.model.model_id, 'settings': self.settings, **self._get_parameters()}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        """Return what traces show of a request."""
        name, system = kwargs.get('model', self.model.model_name), self.model.system
        return {
            **super()._get_ls_params(stop or self.stop, **kwargs),
            'ls_provider': system,
            'ls_model_name': str(name),
        }

    # ---------------------------------------------------------------------- requests

    def _generate(
        self, messages: list[Any], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        endpoint, body = self._build_request(messages, stop, kwargs)
        return _make_result(endpoint.complete_sync(body))

    async def _agenerate(
        self, messages: list[Any], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        endpoint, body = self._build_request(messages, stop, kwargs)
        return _make_result(await endpoint.complete(body))

    def _stream(
        self, messages: list[Any], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[Any]:
        endpoint, body = self._build_request(messages, stop, kwargs)
        for chunk in endpoint.stream_sync(body):
            generation = _make_generation_chunk(chunk)
            if run_manager:  # not from `stream`, which reports tokens itself, but from `stream_events`
                run_manager.on_llm_new_token(generation.text, chunk=generation)
            yield generation

    async def _astream(
        self, messages: list[Any], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        endpoint, body = self._build_request(messages, stop, kwargs)
        async with aclosing(endpoint.stream(body)) as chunks:
            async for chunk in chunks:
                generation = _make_generation_chunk(chunk)
                if run_manager:
                    await run_manager.on_llm_new_token(generation.text, chunk=generation)
                yield generation

    def _build_request(self, messages: list[Any], stop: list[str] | None, kwargs: Json) -> tuple[ChatEndpoint, Json]:
        endpoint = ChatEndpoint(self._find_model(kwargs.pop('model', None)), kwargs.pop('settings', self.settings))
        kwargs.pop('stream_usage', None)  # the usage is always streamed
        body = {**self._get_parameters(), 'messages': [*map(encode_message, messages)], **kwargs}
        if (texts := stop or body.get('stop')) is not None:
            body['stop'] = texts
        return endpoint, body

    def _find_model(self, given: Model | str | None) -> Model:
        """Return the model of a call: this one's, or the one that the call gives."""
        if given is None:
            model: Model = self.model
            return model
        if not isinstance(given, str):
            return infer_model(given)
        if given not in self._named:
            self._named[given] = infer_model(given)
        return self._named[given]

    def _get_parameters(self) -> Json:
        fields = {field: getattr(self, name) for name, field in PARAMETERS.items()} | {'stop': self.stop}
        return {name: value for name, value in fields.items() if value is not None}

    # ---------------------------------------------------------------------- tools and output

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | Any],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return this model with tools: functions, pydantic models, tools of LangChain, or schemas.

        `tool_choice` is a tool's name, `'auto'`, `'none'`, or `'any'`, `'required'` or `True` for some tool.
        """
        encoded: list[Json] = [function_calling.convert_to_openai_tool(tool, strict=strict) for tool in tools]
        names = [tool['function']['name'] for tool in encoded if 'function' in tool]
        choice = {} if not tool_choice else {'tool_choice': _encode_tool_choice(tool_choice, names)}
        return self.bind(tools=encoded, **choice, **kwargs)

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        method: StructuredOutputMethod | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return a runnable whose output has the form of `schema`: a pydantic model, a `TypedDict` or a JSON schema.

        `method` is the vendor's JSON schema mode, a call of a tool, or JSON without a schema (then `schema` may be
        `None`). The default is the first, if the model supports it, else the second. With `include_raw`, the output
        is a dict of `raw`, `parsed` and `parsing_error`.
        """
        if method is None:
            method = 'json_schema' if self.model.profile.supports_json_schema_output else 'function_calling'
        if schema is None and method != 'json_mode':
            raise UserError(f"schema= is None, which method={method!r} needs: pass one, or method='json_mode'")
        if method == 'function_calling':
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        response_format = {'type': 'json_object'} if method == 'json_mode' else _encode_schema(schema, strict)
        shown = {'kwargs': {'method': method, 'strict': strict}, 'schema': schema}
        model = self.bind(response_format=response_format, ls_structured_output_format=shown, **kwargs)
        return _parse_output(model, schema, include_raw=include_raw)


def _make_result(body: Json) -> Any:
    return outputs.ChatResult(generations=[outputs.ChatGeneration(message=decode_response(body))])


def _make_generation_chunk(chunk: Json) -> Any:
    return outputs.ChatGenerationChunk(message=decode_chunk(chunk))


def _encode_tool_choice(choice: dict[str, Any] | str | bool, names: Sequence[str]) -> Any:
    """Encode a choice. Raises `UserError` for a name that no tool has."""
    if isinstance(choice, dict):
        return choice
    if choice is True or choice in ('any', 'required'):
        return 'required'
    if choice in ('auto', 'none'):
        return choice
    if choice not in names:
        known = ', '.join(map(repr, names))
        raise UserError(f"tool_choice={choice!r} is not a tool: use one of {known}, 'auto', 'none' or 'required'")
    return {'type': 'function', 'function': {'name': choice}}


def _encode_schema(schema: Any, strict: bool | None) -> Json:
    encoded: Json = function_calling.convert_to_json_schema(schema)
    output = {'name': encoded.get('title', 'output'), 'schema': encoded, 'strict': strict}
    return {'type': 'json_schema', 'json_schema': output | {'description': encoded.get('description')}}


def _parse_output(model: Any, schema: Any, *, include_raw: bool) -> Any:
    """Return the model with a parser of its JSON behind it."""
    is_model = hasattr(schema, 'model_fields') or hasattr(schema, '__fields__')  # pydantic's versions 2 and 1
    parser = parsers.PydanticOutputParser(pydantic_object=schema) if is_model else parsers.JsonOutputParser()
    if not include_raw:
        return model | parser
    assign = runnables.RunnablePassthrough.assign
    parsed = assign(parsed=runnables.RunnableLambda(_get_raw) | parser, parsing_error=_get_none)
    failed = assign(parsed=_get_none)
    return runnables.RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key='parsing_error')


def _get_raw(outcome: Json) -> Any:
    return outcome['raw']


def _get_none(outcome: Json) -> None:
    return None
