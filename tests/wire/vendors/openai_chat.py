"""OpenAI's Chat Completions, and services with the same API."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.providers import infer_provider_class
from pydantic_llm.providers.azure import AzureProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http

GEMINI = 'https://generativelanguage.googleapis.com/v1beta/openai/'
SNOWFLAKE = 'https://myorg-myaccount.snowflakecomputing.com/api/v2/cortex/v1'
MANTLE = 'https://bedrock-mantle.us-east-1.api.aws/openai/v1'


def chat(service: str, **options: str) -> Build:
    """Return the function that builds a model of a service with OpenAI's API."""
    return lambda model, http: OpenAIModel(
        model, provider=infer_provider_class(service)(api_key=KEY, http_client=http, **options)
    )


def azure(model: str, http: Http) -> Model:
    """Build a model for a deployment at Azure."""
    provider = AzureProvider(
        azure_endpoint='https://example.openai.azure.com',
        api_version='2024-12-01-preview',
        api_key=KEY,
        http_client=http,
    )
    return OpenAIModel(model, provider=provider)


VENDORS: dict[str, Build] = {
    'openai-chat': chat('openai'),
    'azure-chat': azure,
    'gemini-openai-compat': chat('openai', base_url=GEMINI),
    'deepseek': chat('deepseek'),
    'openrouter': chat('openrouter'),
    'ollama': chat('ollama'),
    'cerebras': chat('cerebras'),
    'zai': chat('zai'),
    'crusoe': chat('crusoe'),
    'heroku': chat('heroku'),
    'snowflake': chat('snowflake', base_url=SNOWFLAKE),
    'bedrock-mantle-chat': chat('bedrock-mantle', base_url=MANTLE),
}


THINKING_WITH_ID = (
    'the part came from another API, whose id is not the name of a field here: the thinking is sent between tags, as '
    'thinking without an id is'
)
FILES_OF_TOOLS = 'the text around a file that a tool returned is our own'

DECLARED = (
    Difference(
        'encode', 'openai-chat*', 'thinking_with_id', r'body\.messages\[1\]\.(rs_123|content.*)', THINKING_WITH_ID
    ),
    Difference(
        'encode', 'azure-chat', 'thinking_with_id', r'body\.messages\[1\]\.(rs_123|content.*)', THINKING_WITH_ID
    ),
    Difference('encode', 'cerebras', 'thinking_with_id', r'body\.messages\[1\]\.(rs_123|content.*)', THINKING_WITH_ID),
    Difference('encode', 'zai', 'tool_return_image', r'body\.messages\[3\]\.content', FILES_OF_TOOLS),
    Difference(
        'encode',
        'openai-chat@reasoning',
        '*',
        r'body\.stop',
        'gpt-5-mini responds 400 to stop: it is not sent, with a warning',
    ),
    Difference(
        'decode',
        'snowflake',
        '*',
        'model_name',
        'the model of the body is "", which is not a name: it stays the requested one',
    ),
    Difference(
        'decode',
        'gemini-openai-compat',
        '*',
        r'usage\.output_tokens',
        'the tokens of thinking are in the total only, which is larger than its parts',
    ),
)
