"""This library. `PYDANTIC_LLM_HTTP` chooses the HTTP client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.ways.conversation import KEY, MODELS, Entry
from pydantic_llm import Agent
from pydantic_llm.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.model import WireModel

IMPORT = """from pydantic_llm import Agent"""

FIRST_TOKEN = """
import asyncio
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.messages import ModelRequest, PartStartEvent
async def main():
    model = OpenAIChatModel('gpt-4o', provider=OpenAIProvider(api_key='k', base_url=URL + '/plain/v1'))
    async with model.request_stream([ModelRequest.user_text_prompt('Hi')]) as stream:
        async for event in stream:
            if isinstance(event, PartStartEvent):
                return
asyncio.run(main())
"""

PARTS: dict[str, Callable[..., Any]] = {
    'system': SystemPromptPart,
    'user': UserPromptPart,
    'assistant': TextPart,
    'call': lambda id, name, args: ToolCallPart(name, args, id),
    'result': lambda id, name, content: ToolReturnPart(name, content, id),
}

SETTINGS: ModelSettings = {'max_tokens': 1000}


class Way:
    def __init__(self, url: str) -> None:
        self._url = url
        self._models: dict[tuple[str, str], WireModel[Any]] = {}

    def build(self, api: str, kind: str, conversation: list[Entry], tools: list[dict[str, Any]]) -> Any:
        definitions = [ToolDefinition(tool['name'], tool['parameters'], tool['description']) for tool in tools]
        if (api, kind) not in self._models:
            self._models[api, kind] = self._make_model(api, f'{self._url}/{kind}')
        model = self._models[api, kind]
        return model, self.build_history(conversation), ModelRequestParameters(definitions)

    def _make_model(self, api: str, url: str) -> WireModel[Any]:
        match api:
            case 'chat':
                return OpenAIChatModel(MODELS[api], provider=OpenAIProvider(api_key=KEY, base_url=f'{url}/v1'))
            case 'responses':
                return OpenAIResponsesModel(MODELS[api], provider=OpenAIProvider(api_key=KEY, base_url=f'{url}/v1'))
            case 'anthropic':
                return AnthropicModel(MODELS[api], provider=AnthropicProvider(api_key=KEY, base_url=url))
            case _:
                return GeminiModel(MODELS[api], provider=GoogleGLAProvider(api_key=KEY, base_url=f'{url}/v1beta'))

    def build_history(self, conversation: list[Entry]) -> list[ModelMessage]:
        history: list[ModelMessage] = []
        for role, *rest in conversation:
            kind = ModelResponse if role in ('assistant', 'call') else ModelRequest
            part = PARTS[role](*rest)
            if history and type(history[-1]) is kind:
                history[-1].parts.append(part)  # type: ignore[attr-defined]
            else:
                history.append(kind([part]))
        return history

    def extend(self, request: Any, turn: list[Entry]) -> None:
        request[1].extend(self.build_history(turn))

    async def request(self, request: Any) -> None:
        model, history, parameters = request
        response = await model.request(history, SETTINGS, parameters)
        assert response.state == 'complete'

    async def stream(self, request: Any) -> None:
        model, history, parameters = request
        async with model.request_stream(history, SETTINGS, parameters) as stream:
            async for _ in stream:
                pass
            assert stream.get().state == 'complete'

    def name_proxy(self, kind: str) -> list[str]:
        return ['gateway', f'{self._url}/{kind}/v1']

    def make_agent(self, kind: str) -> Callable[[], Awaitable[None]]:
        agent = Agent(self._make_model('chat', f'{self._url}/{kind}'), system_prompt='Be brief.')

        @agent.tool_plain
        def weather(city: str, days: int) -> str:
            """Return the weather."""
            return f'sunny in {city}'

        async def run() -> None:
            result = await agent.run('What is the weather?')
            assert len(result.all_messages()) == 12

        return run

    def dump(self, history: list[ModelMessage]) -> bytes:
        return ModelMessagesTypeAdapter.dump_json(history)

    def load(self, dumped: bytes) -> Any:
        return ModelMessagesTypeAdapter.validate_json(dumped)

    def encode(self, request: Any) -> Any:
        model, history, parameters = request
        return model._encode_request(model.prepare([*history], SETTINGS, parameters))
