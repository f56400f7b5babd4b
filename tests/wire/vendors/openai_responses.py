"""OpenAI's Responses, and services with the same API."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.providers import infer_provider_class
from pydantic_llm.providers.azure import AzureProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def responses(service: str, **options: str) -> Build:
    """Return the function that builds a model of a service with OpenAI's API."""
    return lambda model, http: OpenAIResponsesModel(
        model, provider=infer_provider_class(service)(api_key=KEY, http_client=http, **options)
    )


def azure(model: str, http: Http) -> Model:
    """Build a model for a deployment at Azure."""
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


OUTSIDE = 'thinking that a server returns is the content of the part'
WHOLE = 'an item of a tool is sent back unchanged: a server that stores nothing does not have its result'
SEARCH_FOR_TOOLS = 'a search for tools is sent back unchanged'
CLIENT_SEARCH = 'a search for tools by the caller is a native tool call, whose result is a separate item'

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
