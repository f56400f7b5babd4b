"""A model for unit tests: it calls the tools and generates all values from their schemas, without a network or a key.

```python
model = TestModel()
agent.run_sync('What is the weather in Paris?', model=model)
assert [tool.name for tool in model.last_model_request_parameters.function_tools] == ['get_weather']
```
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count, islice
from typing import Any, ClassVar, Literal

from pydantic_core import to_json, to_jsonable_python

from ..._type_checks import check_items, check_type
from ...exceptions import UserError
from ...messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from ...profiles import ModelProfile, ModelProfileSpec
from ...settings import ModelSettings
from ...tools.definition import ToolDefinition
from ...usage import RequestUsage
from ...wire.foreign_settings import EverySetting
from ...wire.parameters import OUTPUT_NAME
from ...wire.prepare import PreparedRequest, PreparingModel
from .. import ModelRequestParameters, PartsManager, StreamedResponse, WholeResponse
from ..estimate import estimate_usage
from ..options import read_settings
from .sampler import sample

__all__ = ('TestModel',)

DEFAULT_TEXT = 'success (no tool calls)'
"""The text of a response if no tool has returned anything."""

PIECE = re.compile(r'\s*[^\s,:]+[,:]?\s?|\s+|[,:]')
"""A piece of streamed text: a word, or a name or value of JSON."""


class TestModel(PreparingModel):
    """Calls every tool once, then returns the output. All values are generated, schema-valid, and always the same.

    * The first response of a conversation calls the function tools.
    * Tools that request a retry are called again.
    * Then follows the output: text if the response may be text, JSON if an object is requested, a call of an output
      tool otherwise. The text is a JSON object of the tools' results.
    * `tool_choice` is obeyed.

    It uses no network, so it ignores `ALLOW_MODEL_REQUESTS`. Usage is a count of words.
    """

    __test__ = False
    supported_settings: ClassVar[frozenset[str]] = frozenset[str]()
    deciding_attributes: ClassVar[tuple[str, ...]] = ('call_tools', 'custom_output_text', 'custom_output_args', 'seed')
    settings_prefix = ''  # every setting begins with it
    own_settings: ClassVar[Collection[str] | None] = EverySetting()

    last_model_request_parameters: ModelRequestParameters | None
    """The tools and the output of the newest request."""
    last_model_settings: ModelSettings | None
    """The settings of the newest request, merged with those of the model."""
    last_messages: list[ModelMessage] | None

    def __init__(
        self,
        *,
        call_tools: Sequence[str] | Literal['all'] = 'all',
        custom_output_text: str | None = None,
        custom_output_args: Any | None = None,
        seed: int = 0,
        model_name: str = 'test',
        profile: ModelProfileSpec | None = None,
        settings: ModelSettings | None = None,
        **options: Any,
    ) -> None:
        settings = read_settings(type(self), options, settings)
        if call_tools != 'all':
            check_items(call_tools, str, parameter='call_tools', expected="tool names or 'all'")
        check_type(custom_output_text, str, parameter='custom_output_text')
        check_type(seed, int, parameter='seed')
        if custom_output_text is not None and custom_output_args is not None:
            raise UserError('custom_output_text and custom_output_args are both given; a response has one output')
        super().__init__(settings=settings, profile=profile)
        self.call_tools: Sequence[str] | Literal['all'] = call_tools
        """The function tools to call, in this order."""
        self.custom_output_text = custom_output_text
        """The output, if the response is text."""
        self.custom_output_args = custom_output_args
        """The arguments of the output tool, or the output object: JSON, a dataclass, or a pydantic model."""
        self.seed = seed
        """The seed of the generated values. It also selects the output tool."""
        self.last_model_request_parameters = None
        self.last_model_settings = None
        self.last_messages = None
        self._model_name = model_name

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return 'test'

    def _own_profile(self) -> ModelProfile:
        return ModelProfile(supports_json_schema_output=True, supports_json_object_output=True)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        prepared = self.prepare(
            messages or [ModelRequest.user_text_prompt('nothing')], model_settings, model_request_parameters
        )
        self.last_messages, self.last_model_settings = list(messages), self.merged_settings(model_settings) or None
        self.last_model_request_parameters = model_request_parameters or ModelRequestParameters()
        prepared.parameters = _find_output_tools(prepared.parameters)
        tools = self._choose_tools(messages, prepared)
        parts: list[ModelResponsePart] = [*self._build_tool_calls(tools, messages, prepared.parameters.output_tools)]
        if not parts:
            parts.append(TextPart(self._build_text(messages, prepared.parameters)))
        return ModelResponse(
            parts,
            usage=estimate_usage(messages, parts),
            model_name=self.model_name,
            provider_name=self.system,
            finish_reason='tool_call' if tools else 'stop',
            warnings=prepared.warnings,
        )

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        """Return the estimate that the usage of the response has."""
        return estimate_usage(messages, ())

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Generate a response and stream it: text word by word, tool calls argument by argument."""
        response = await self.request(messages, model_settings, model_request_parameters)
        stream = _PiecewiseResponse(response, model_request_parameters)
        try:
            yield stream
        finally:
            await stream.cancel()

    def _choose_tools(self, messages: Sequence[ModelMessage], request: PreparedRequest) -> list[ToolDefinition]:
        """Return the tools that the response calls; an empty list if it is text."""
        parameters, choice = request.parameters, request.tool_choice
        self._check_names(messages, parameters.function_tools)
        allowed = [tool for tool in parameters.tools if choice in ('auto', 'required') or tool.name in choice]
        if choice == 'none' or not allowed:
            return []
        if again := _find_tools_to_retry(messages, allowed):
            return again
        functions = self._select_functions(parameters.function_tools, allowed)
        if functions and not any(isinstance(message, ModelResponse) for message in messages):
            return functions
        outputs = [tool for tool in parameters.output_tools if tool in allowed]
        if choice == 'auto' and (self.custom_output_args is None or not outputs):
            return []
        if self.custom_output_text is not None:
            raise UserError('custom_output_text is given, but this request takes no text; use custom_output_args')
        return [outputs[self.seed % len(outputs)]] if outputs else functions or allowed[:1]

    def _select_functions(
        self, tools: Sequence[ToolDefinition], allowed: Sequence[ToolDefinition]
    ) -> list[ToolDefinition]:
        """Return the allowed function tools of `call_tools`."""
        if self.call_tools == 'all':
            return [tool for tool in tools if tool in allowed]
        known = {tool.name: tool for tool in allowed}
        return [known[name] for name in self.call_tools if name in known]

    def _check_names(self, messages: Sequence[ModelMessage], tools: Sequence[ToolDefinition]) -> None:
        """Raise `UserError` if a name in `call_tools` is neither a function tool nor a tool that was called before."""
        known = [tool.name for tool in tools]
        called = {call.tool_name for message in messages for call in _find_calls(message)}
        for name in () if self.call_tools == 'all' else self.call_tools:
            if name not in known and name not in called:
                raise UserError(f'call_tools names {name!r}, which is not among the tools {known!r}')

    def _build_tool_calls(
        self, tools: Sequence[ToolDefinition], messages: Sequence[ModelMessage], outputs: Sequence[ToolDefinition]
    ) -> list[ToolCallPart]:
        used = {call.tool_call_id for message in messages for call in _find_calls(message)}
        ids = (id for number in count(1) if (id := f'call_{number}') not in used)
        return [ToolCallPart(tool.name, self._build_arguments(tool, outputs), next(ids)) for tool in tools]

    def _build_arguments(self, tool: ToolDefinition, outputs: Sequence[ToolDefinition]) -> dict[str, Any]:
        if self.custom_output_args is None or tool not in outputs:
            arguments: dict[str, Any] = sample({'type': 'object', **tool.parameters_json_schema}, seed=self.seed)
            return arguments
        output: Any = to_jsonable_python(self.custom_output_args)
        return {tool.outer_typed_dict_key: output} if tool.outer_typed_dict_key else output

    def _build_text(self, messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> str:
        if self.custom_output_text is not None:
            return self.custom_output_text
        if (output_object := parameters.output_object) is not None:
            custom = self.custom_output_args
            return _write_json(sample(output_object.json_schema, seed=self.seed) if custom is None else custom)
        if self.custom_output_args is not None:
            raise UserError('custom_output_args are given, but this request takes text; use custom_output_text')
        requests = (message for message in messages if isinstance(message, ModelRequest))
        returns = (part for request in requests for part in request.parts if isinstance(part, ToolReturnPart))
        returned = {part.tool_name: part.content for part in returns}
        return _write_json(returned) if returned else DEFAULT_TEXT


class _PiecewiseResponse(WholeResponse):
    """A whole response, streamed in pieces as small as those of most vendors."""

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        parts = self.draft.parts
        for index, part in enumerate(self._response.parts):
            for _ in _add_piecewise(parts, index, part):
                for event in parts.take_events():
                    yield event
        self.draft.state = self._response.state


def _add_piecewise(parts: PartsManager, key: int, part: ModelResponsePart) -> Iterator[None]:
    """Add a part to the manager piece by piece. Yields after each piece."""
    match part:
        case TextPart(content) if content:
            for piece in PIECE.findall(content):
                parts.text(key, piece)
                yield
        case ToolCallPart(name, dict() as arguments, tool_call_id):
            parts.tool_call(key, name=name, args={}, tool_call_id=tool_call_id)
            yield
            for number in range(1, len(arguments) + 1):
                parts.tool_call(key, args=dict(islice(arguments.items(), number)))
                yield
        case _:
            parts.whole(key, part)
    parts.close(key)
    yield


def _find_calls(message: ModelMessage) -> Sequence[ToolCallPart]:
    return message.tool_calls if isinstance(message, ModelResponse) else ()


def _find_output_tools(parameters: ModelRequestParameters) -> ModelRequestParameters:
    """Return the parameters with the output tools apart from the function tools.

    No API has output tools: behind a gateway, those of an agent arrive as function tools, with the agent's names.
    """
    outputs = [tool for tool in parameters.function_tools if tool.name.startswith(OUTPUT_NAME)]
    if parameters.output_tools or not outputs:
        return parameters
    functions = [tool for tool in parameters.function_tools if tool not in outputs]
    return replace(parameters, function_tools=functions, output_tools=outputs)


def _find_tools_to_retry(messages: Sequence[ModelMessage], allowed: Sequence[ToolDefinition]) -> list[ToolDefinition]:
    """Return the tools for which the newest request asks for a retry."""
    names: set[str | None] = set()
    match messages:
        case [*_, ModelRequest(parts)]:
            for part in parts:
                if isinstance(part, RetryPromptPart) or (
                    isinstance(part, ToolReturnPart) and part.outcome == 'retried'
                ):
                    names.add(part.tool_name)
        case _:
            pass
    return [tool for tool in allowed if tool.name in names]


def _write_json(value: object) -> str:
    return to_json(value, bytes_mode='base64', serialize_unknown=True).decode()
