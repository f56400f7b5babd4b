"""The models under fault: each over its vendor's own client, before a server that speaks its protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from pydantic_llm.usage import RequestUsage
from pydantic_llm.wire.serving import ServedRequest

Json = dict[str, Any]

KEY = 'a-key-that-nobody-may-see'
"""What every model authorizes its requests with."""

SECRET = 'a-secret-that-nobody-may-see'
"""And Amazon's, beside it."""


@dataclass(frozen=True)
class Vendor:
    """One of them."""

    name: str
    protocol: str
    make: Callable[[str], Model]

    def __repr__(self) -> str:
        return self.name

    @property
    def speaks(self) -> Protocol:
        return next(protocol for protocol in PROTOCOLS if protocol.name == self.protocol)

    # ---------------------------------------------------------------------- what a server says that is well

    def body(self) -> bytes:
        """A whole answer."""
        return to_json(self.speaks.encode_response(ANSWER, request(stream=False)))

    def frames(self) -> list[bytes]:
        """A streamed answer, event by event."""
        writer, speaks = self.speaks.stream_encoder(request(stream=True)), self.speaks
        events = [*writer.begin()]
        for event in told():
            events += writer.event(event)
        frames = [speaks.encode_frame(event) for event in [*events, *writer.end(ANSWER)]]
        return [*frames, speaks.end_frame] if speaks.end_frame else frames

    def error(self, status: int) -> bytes:
        """The body of an error."""
        from pydantic_llm.exceptions import ModelHTTPError

        return to_json(self.speaks.encode_error(ModelHTTPError(status, 'm', message='It went wrong'))[1])

    def error_frame(self, sent: int) -> bytes:
        """An error inside a stream."""
        from pydantic_llm.exceptions import ModelHTTPError

        body = self.speaks.encode_error(ModelHTTPError(503, 'm', message='It went wrong'))[1]
        return self.speaks.encode_frame(self.speaks.encode_error_event(body, sent))


CALL = ToolCallPart('look', '{"city": "Oslo"}', 'call12345')

ANSWER = ModelResponse(
    [TextPart('Let me look.'), CALL],
    usage=RequestUsage(input_tokens=3, output_tokens=2),
    model_name='m',
    provider_response_id='r1',
    finish_reason='tool_call',
)
"""What is answered where all goes well."""


def request(*, stream: bool) -> ServedRequest:
    return ServedRequest('m', [], stream=stream, options={'include_usage': True})


def told() -> list[Any]:
    """The answer's events."""
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


VENDORS = (
    Vendor(
        'openai',
        'openai-chat',
        lambda url: OpenAIChatModel('gpt-4o', provider=OpenAIProvider(api_key=KEY, base_url=f'{url}/v1')),
    ),
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
    Vendor(
        'gemini',
        'gemini',
        lambda url: GeminiModel('gemini-2.5-flash', provider=GoogleGLAProvider(api_key=KEY, base_url=f'{url}/v1beta')),
    ),
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
"""All of them."""
