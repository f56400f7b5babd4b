"""The models to test with faults. Each uses its vendor's own client, and a local server of the same API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic_core import to_json

from pydantic_llm.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_llm.models import Model
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.huggingface import HuggingFaceModel
from pydantic_llm.models.litellm import LiteLLMModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.azure import AzureProvider
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.providers.huggingface import HuggingFaceProvider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve.protocols import PROTOCOLS, Protocol
from pydantic_llm.streaming.parts import PartsManager
from pydantic_llm.transport.clients import LIBRARY_VARIABLE
from pydantic_llm.usage import RequestUsage
from pydantic_llm.wire.serving import ServedRequest

Json = dict[str, Any]

KEY = 'a-key-that-must-not-be-shown'
"""The API key of every model."""

SECRET = 'a-secret-that-must-not-be-shown'
"""Amazon's secret, used with the key."""


@dataclass(frozen=True)
class Vendor:
    """A vendor: the name, its API, and a function that makes its model for a URL."""

    name: str
    protocol: str
    make: Callable[[str], Model]

    def __repr__(self) -> str:
        return self.name

    @property
    def api(self) -> Protocol:
        return next(protocol for protocol in PROTOCOLS if protocol.name == self.protocol)

    # ---------------------------------------------------------------------- responses without a fault

    def body(self) -> bytes:
        """Return the body of a response."""
        return to_json(self.api.encode_response(RESPONSE, request(stream=False)))

    def frames(self) -> list[bytes]:
        """Return the frames of a streamed response, one per event."""
        writer, api = self.api.stream_encoder(request(stream=True)), self.api
        events = [*writer.begin()]
        for event in make_events():
            events += writer.event(event)
        frames = [api.encode_frame(event) for event in [*events, *writer.end(RESPONSE)]]
        return [*frames, api.end_frame] if api.end_frame else frames

    def error(self, status: int) -> bytes:
        """Return the body of an error."""
        from pydantic_llm.exceptions import ModelHTTPError

        return to_json(self.api.encode_error(ModelHTTPError(status, 'm', message='It went wrong'))[1])

    def error_frame(self, sent: int) -> bytes:
        """Return the frame of an error inside a stream."""
        from pydantic_llm.exceptions import ModelHTTPError

        body = self.api.encode_error(ModelHTTPError(503, 'm', message='It went wrong'))[1]
        return self.api.encode_frame(self.api.encode_error_event(body, sent))


CALL = ToolCallPart('look', '{"city": "Oslo"}', 'call12345')

RESPONSE = ModelResponse(
    [TextPart('Let me look.'), CALL],
    usage=RequestUsage(input_tokens=3, output_tokens=2),
    model_name='m',
    provider_response_id='r1',
    finish_reason='tool_call',
)
"""The response without a fault."""


def request(*, stream: bool) -> ServedRequest:
    return ServedRequest('m', [], stream=stream, options={'include_usage': True})


def make_events() -> list[Any]:
    """Return the events of the response."""
    parts = PartsManager()
    for word in ('Let ', 'me ', 'look.'):
        parts.text(0, word)
    parts.close(0)
    parts.tool_call(1, name='look', args='', tool_call_id=CALL.tool_call_id)
    for piece in ('{"city"', ': "Oslo"}'):
        parts.tool_call(1, args=piece)
    parts.close(1)
    return parts.take_events()


def _bedrock(url: str) -> Model:
    provider = BedrockProvider(
        base_url=url, region_name='us-east-1', aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )
    return BedrockConverseModel('us.anthropic.claude-sonnet-4-5-20250929-v1:0', provider=provider)


def _azure(url: str) -> Model:
    provider = AzureProvider(azure_endpoint=url, api_version='2025-03-01-preview', api_key=KEY)
    return OpenAIChatModel('gpt-4o', provider=provider)


def _with_httpx2(make: Callable[[str], Model]) -> Callable[[str], Model]:
    """Return a function that makes the same model, with httpx2 below it also if aiohttp is installed."""

    def make_with_httpx2(url: str) -> Model:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(LIBRARY_VARIABLE, 'httpx2')
            return make(url)

    return make_with_httpx2


def _openai(url: str) -> Model:
    return OpenAIChatModel('gpt-4o', provider=OpenAIProvider(api_key=KEY, base_url=f'{url}/v1'))


def _gemini(url: str) -> Model:
    return GeminiModel('gemini-2.5-flash', provider=GoogleGLAProvider(api_key=KEY, base_url=f'{url}/v1beta'))


VENDORS = (
    Vendor('openai', 'openai-chat', _openai),
    Vendor('openai-on-httpx2', 'openai-chat', _with_httpx2(_openai)),
    Vendor(
        'openai-responses',
        'openai-responses',
        lambda url: OpenAIResponsesModel('gpt-5', provider=OpenAIProvider(api_key=KEY, base_url=f'{url}/v1')),
    ),
    Vendor('azure', 'openai-chat', _azure),
    Vendor(
        'anthropic',
        'anthropic',
        lambda url: AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(api_key=KEY, base_url=url)),
    ),
    Vendor('gemini', 'gemini', _gemini),
    Vendor('gemini-on-httpx2', 'gemini', _with_httpx2(_gemini)),
    Vendor(
        'groq',
        'openai-chat',
        lambda url: GroqModel('llama-3.3-70b-versatile', provider=GroqProvider(api_key=KEY, base_url=url)),
    ),
    Vendor(
        'mistral',
        'mistral',
        lambda url: MistralModel('mistral-large-latest', provider=MistralProvider(api_key=KEY, base_url=url)),
    ),
    Vendor(
        'huggingface',
        'openai-chat',
        lambda url: HuggingFaceModel('Qwen/Qwen3-235B-A22B', provider=HuggingFaceProvider(api_key=KEY, base_url=url)),
    ),
    Vendor(
        'cohere',
        'cohere',
        lambda url: CohereModel('command-a-03-2025', provider=CohereProvider(api_key=KEY, base_url=url)),
    ),
    Vendor('bedrock', 'bedrock', _bedrock),
    Vendor('litellm', 'openai-chat', lambda url: LiteLLMModel('openai/gpt-4o', api_base=f'{url}/v1', api_key=KEY)),
)
"""All vendors."""
