"""pydantic-ai."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import (
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from benchmarks.ways.conversation import KEY, MODELS, Entry

IMPORT = """from pydantic_ai import Agent"""

FIRST_TOKEN = """
import asyncio
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.messages import ModelRequest, PartStartEvent
from pydantic_ai.models import ModelRequestParameters
async def main():
    model = OpenAIChatModel('gpt-4o', provider=OpenAIProvider(api_key='k', base_url=URL + '/plain/v1'))
    messages = [ModelRequest.user_text_prompt('Hi')]
    async with model.request_stream(messages, None, ModelRequestParameters()) as stream:
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

SETTINGS: Any = {'max_tokens': 1000}


class Way:
    def __init__(self, url: str) -> None:
        self._url = url
        self._models: dict[tuple[str, str], Any] = {}

    def build(self, api: str, kind: str, conversation: list[Entry], tools: list[dict[str, Any]]) -> Any:
        definitions = [
            ToolDefinition(
                name=tool['name'], description=tool['description'], parameters_json_schema=tool['parameters']
            )
            for tool in tools
        ]
        if (api, kind) not in self._models:
            self._models[api, kind] = self._make_model(api, f'{self._url}/{kind}')
        parameters = ModelRequestParameters(function_tools=definitions)
        return self._models[api, kind], self.build_history(conversation), parameters

    def _make_model(self, api: str, url: str) -> Any:
        match api:
            case 'chat' | 'responses':
                from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
                from pydantic_ai.providers.openai import OpenAIProvider

                kind: Any = OpenAIChatModel if api == 'chat' else OpenAIResponsesModel
                return kind(MODELS[api], provider=OpenAIProvider(api_key=KEY, base_url=f'{url}/v1'))
            case 'anthropic':
                from pydantic_ai.models.anthropic import AnthropicModel
                from pydantic_ai.providers.anthropic import AnthropicProvider

                return AnthropicModel(MODELS[api], provider=AnthropicProvider(api_key=KEY, base_url=url))
            case _:
                from pydantic_ai.models.google import GoogleModel
                from pydantic_ai.providers.google import GoogleProvider

                return GoogleModel(MODELS[api], provider=GoogleProvider(api_key=KEY, base_url=url))

    def build_history(self, conversation: list[Entry]) -> list[Any]:
        history: list[Any] = []
        for role, *rest in conversation:
            kind: Any = ModelResponse if role in ('assistant', 'call') else ModelRequest
            part = PARTS[role](*rest)
            if history and type(history[-1]) is kind:
                history[-1].parts.append(part)
            else:
                history.append(kind(parts=[part]))
        return history

    def extend(self, request: Any, turn: list[Entry]) -> None:
        request[1].extend(self.build_history(turn))

    async def request(self, request: Any) -> None:
        model, history, parameters = request
        await model.request(history, SETTINGS, parameters)

    async def stream(self, request: Any) -> None:
        model, history, parameters = request
        async with model.request_stream(history, SETTINGS, parameters) as stream:
            async for _ in stream:
                pass
            stream.get()

    def make_agent(self, kind: str) -> Callable[[], Awaitable[None]]:
        agent = Agent(self._make_model('chat', f'{self._url}/{kind}'), system_prompt='Be brief.')

        @agent.tool_plain
        def weather(city: str, days: int) -> str:
            """Return the weather."""
            return f'sunny in {city}'

        async def run() -> None:
            await agent.run('What is the weather?')

        return run

    def dump(self, history: Any) -> bytes:
        return ModelMessagesTypeAdapter.dump_json(history)

    def load(self, dumped: bytes) -> Any:
        return ModelMessagesTypeAdapter.validate_json(dumped)
