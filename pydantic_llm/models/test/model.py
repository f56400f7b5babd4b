"""A model for unit tests: it calls the tools and makes up everything by schema, without a network or a key.

```python
model = TestModel()
agent.run_sync('What is the weather in Paris?', model=model)
assert [tool.name for tool in model.last_model_request_parameters.function_tools] == ['get_weather']
```
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, islice
from typing import Any, Literal

from pydantic_core import to_json, to_jsonable_python

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
from ...wire.prepare import PreparedRequest, prepare
from .. import Model, ModelRequestParameters, PartsManager, StreamedResponse, WholeResponse
from ..estimate import estimate_usage
from .sampler import sample

__all__ = ('TestModel',)

NOTHING_TO_SAY = 'success (no tool calls)'
"""The text of an answer that no tool has contributed to."""

PIECE = re.compile(r'\s*[^\s,:]+[,:]?\s?|\s+|[,:]')
"""What text is streamed in: words, and the names and values of JSON."""


class TestModel(Model):
    """Calls every tool once, then answers; all values are made up, valid by their schemas, and always the same.

    * The first answer of a conversation calls the function tools.
    * Tools that ask for a retry are called again.
    * Then comes the output: text where text is an acceptable answer, JSON where an object is asked for, a call of an
      output tool otherwise. The text is a JSON object of what each tool returned.
    * `tool_choice` is obeyed.

    It asks nobody, so `ALLOW_MODEL_REQUESTS` does not stop it. Usage is a count of words.
    """

    __test__ = False

    last_model_request_parameters: ModelRequestParameters | None
    """What the newest request asked for."""
    last_model_settings: ModelSettings | None
    """The settings of the newest request, the model's own included."""
    last_messages: list[ModelMessage] | None
    """The messages of the newest request."""

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
    ) -> None:
        if isinstance(call_tools, str) and call_tools != 'all':
            raise UserError(f"call_tools is 'all' or a list of tool names, not {call_tools!r}")
        if custom_output_text is not None and custom_output_args is not None:
            raise UserError('custom_output_text and custom_output_args are both given; an answer has one output')
        super().__init__(settings=settings, profile=profile)
        self.call_tools: Sequence[str] | Literal['all'] = call_tools
        """The function tools that are called, in this order."""
        self.custom_output_text = custom_output_text
        """The text of the output."""
        self.custom_output_args = custom_output_args
        """The arguments of the output tool, or the object of the output: JSON values, a dataclass, a pydantic model."""
        self.seed = seed
        """Another seed makes other values, and picks another output tool."""
        self.last_model_request_parameters = None
        self.last_model_settings = None
        self.last_messages = None
        self._model_name = model_name

    @property
    def model_name(self) -> str:
        """`'test'`, or the name that it was given."""
        return self._model_name

    @property
    def system(self) -> str:
        """`'test'`."""
        return 'test'

    def _own_profile(self) -> ModelProfile:
        return ModelProfile(supports_json_schema_output=True, supports_json_object_output=True)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Make up an answer."""
        settings = self.merged_settings(model_settings)
        parameters = model_request_parameters or ModelRequestParameters()
        self.last_messages, self.last_model_settings = list(messages), settings or None
        self.last_model_request_parameters = parameters
        prepared = prepare(
            messages or [ModelRequest.user_text_prompt('nothing')],
            settings,
            parameters,
            model_name=self.model_name,
            system=self.system,
            profile=self.profile,
            supported=(),
            prefix='',  # what every setting begins with: a made-up answer goes with them all
            stream=False,
        )
        tools = self._tools_to_call(messages, prepared)
        parts: list[ModelResponsePart] = [*self._calls(tools, messages, prepared.parameters.output_tools)]
        if not parts:
            parts.append(TextPart(self._text(messages, prepared.parameters)))
        return ModelResponse(
            parts,
            usage=estimate_usage(messages, parts),
            model_name=self.model_name,
            provider_name=self.system,
            finish_reason='tool_call' if tools else 'stop',
            warnings=prepared.warnings,
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Make up an answer and tell it in pieces: text word by word, a call's arguments one by one."""
        response = await self.request(messages, model_settings, model_request_parameters)
        stream = _InPieces(response, model_request_parameters)
        try:
            yield stream
        finally:
            await stream.cancel()

    def _tools_to_call(self, messages: Sequence[ModelMessage], request: PreparedRequest) -> list[ToolDefinition]:
        """The tools that the answer calls; none where it is text."""
        parameters, choice = request.parameters, request.tool_choice
        allowed = [tool for tool in parameters.tools if choice in ('auto', 'required') or tool.name in choice]
        if choice == 'none' or not allowed:
            return []
        if again := _asked_again(messages, allowed):
            return again
        functions = self._chosen(parameters.function_tools, allowed)
        if functions and not any(isinstance(message, ModelResponse) for message in messages):
            return functions
        outputs = [tool for tool in parameters.output_tools if tool in allowed]
        if choice == 'auto' and (self.custom_output_args is None or not outputs):
            return []
        if self.custom_output_text is not None:
            raise UserError('custom_output_text is given, but this request takes no text; use custom_output_args')
        return [outputs[self.seed % len(outputs)]] if outputs else functions or allowed[:1]

    def _chosen(self, tools: Sequence[ToolDefinition], allowed: Sequence[ToolDefinition]) -> list[ToolDefinition]:
        """The function tools of `call_tools`, as far as they are allowed."""
        if self.call_tools == 'all':
            return [tool for tool in tools if tool in allowed]
        known = {tool.name: tool for tool in tools}
        if unknown := [name for name in self.call_tools if name not in known]:
            raise UserError(f'call_tools names {unknown[0]!r}, which is not among the tools {list(known)!r}')
        return [known[name] for name in self.call_tools if known[name] in allowed]

    def _calls(
        self, tools: Sequence[ToolDefinition], messages: Sequence[ModelMessage], outputs: Sequence[ToolDefinition]
    ) -> list[ToolCallPart]:
        responses = (message for message in messages if isinstance(message, ModelResponse))
        used = {call.tool_call_id for response in responses for call in response.tool_calls}
        ids = (id for number in count(1) if (id := f'call_{number}') not in used)
        return [ToolCallPart(tool.name, self._arguments(tool, outputs), next(ids)) for tool in tools]

    def _arguments(self, tool: ToolDefinition, outputs: Sequence[ToolDefinition]) -> dict[str, Any]:
        if self.custom_output_args is None or tool not in outputs:
            arguments: dict[str, Any] = sample({'type': 'object', **tool.parameters_json_schema}, seed=self.seed)
            return arguments
        output: Any = to_jsonable_python(self.custom_output_args)
        return {tool.outer_typed_dict_key: output} if tool.outer_typed_dict_key else output

    def _text(self, messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> str:
        if self.custom_output_text is not None:
            return self.custom_output_text
        if (wanted := parameters.output_object) is not None:
            custom = self.custom_output_args
            return _json(sample(wanted.json_schema, seed=self.seed) if custom is None else custom)
        if self.custom_output_args is not None:
            raise UserError('custom_output_args are given, but this request takes text; use custom_output_text')
        requests = (message for message in messages if isinstance(message, ModelRequest))
        returns = (part for request in requests for part in request.parts if isinstance(part, ToolReturnPart))
        returned = {part.tool_name: part.content for part in returns}
        return _json(returned) if returned else NOTHING_TO_SAY


class _InPieces(WholeResponse):
    """A whole answer, told as slowly as most vendors do."""

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Yield each part's start, its pieces and its end."""
        parts = self.draft.parts
        for index, part in enumerate(self._response.parts):
            for _ in _tell(parts, index, part):
                for event in parts.take_events():
                    yield event
        self.draft.state = self._response.state


def _tell(parts: PartsManager, key: int, part: ModelResponsePart) -> Iterator[None]:
    """Give a part to the manager piece by piece."""
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


def _asked_again(messages: Sequence[ModelMessage], allowed: Sequence[ToolDefinition]) -> list[ToolDefinition]:
    """The tools of which the newest request says that the call was wrong."""
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


def _json(value: object) -> str:
    return to_json(value, bytes_mode='base64', serialize_unknown=True).decode()
