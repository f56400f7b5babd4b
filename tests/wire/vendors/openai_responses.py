"""OpenAI's Responses, and the services that speak it."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.providers import infer_provider_class
from pydantic_llm.providers.azure import AzureProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def responses(service: str, **options: str) -> Build:
    """How to make a model of a service that speaks OpenAI's API."""
    return lambda model, http: OpenAIResponsesModel(
        model, provider=infer_provider_class(service)(api_key=KEY, http_client=http, **options)
    )


def azure(model: str, http: Http) -> Model:
    """A deployment at Azure."""
    provider = AzureProvider(
        azure_endpoint='https://example.openai.azure.com',
        api_version='2025-03-01-preview',
        api_key=KEY,
        http_client=http,
    )
    return OpenAIResponsesModel(model, provider=provider)


VENDORS: dict[str, Build] = {
    'openai-responses': responses('openai'),
    'azure-responses': azure,
    'deepseek-responses': responses('deepseek'),
    'openrouter-responses': responses('openrouter'),
    'bedrock-mantle-responses': responses('bedrock-mantle', region_name='us-east-1'),
}
"""The vendors of the recordings that we speak to."""


OUTSIDE = 'the thoughts that a server shows are shown: they are the content of the part'
WHOLE = 'an item of a tool goes back as it came: a server that keeps nothing has lost what the tool gave'
SEARCH_FOR_TOOLS = 'a search for tools goes back in the words that it came in'
CLIENT_SEARCH = (
    "a search for tools that the caller carries out is a call of the vendor's tool, answered by an item of its own"
)

DECLARED: tuple[Difference, ...] = (
    Difference('decode', 'deepseek-responses', '*', r'parts\[0\]\.content', OUTSIDE),
    Difference('decode', 'openrouter-responses', '*raw_cot*', r'parts\[0\]\.content', OUTSIDE),
    Difference('decode', 'bedrock-mantle-responses', '*gpt_oss*', r'parts\[0\]\.content', OUTSIDE),
    Difference('decode', 'openai-responses', '*execution_client*', r'parts\[0\]\..*', CLIENT_SEARCH),
    Difference('roundtrip', 'openai-responses', '*execution_client*', r'body\.input', CLIENT_SEARCH),
    Difference(
        'roundtrip',
        'openai-responses',
        '*tool_search*',
        r'body\.input\[\d+\]\.(arguments\.(paths|queries)|tools.*)',
        SEARCH_FOR_TOOLS,
    ),
    Difference('roundtrip', 'openai-responses', '*code_execution*', r'body\.input\[\d+\]\.outputs', WHOLE),
    Difference('roundtrip', 'openai-responses', '*mcp*', r'body\.input\[\d+\]\.(tools|output|status|error)', WHOLE),
    Difference('roundtrip', 'openai-responses', '*file_search*', r'body\.input', WHOLE),
    Difference('roundtrip', 'openai-responses', '*mcp_list_tools_stream*', r'body\.input', WHOLE),
)
"""The differences."""
