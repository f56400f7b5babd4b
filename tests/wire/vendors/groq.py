"""Groq."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.providers.groq import GroqProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def groq(model: str, http: Http) -> Model:
    """Build a model at Groq."""
    return GroqModel(model, provider=GroqProvider(api_key=KEY, http_client=http))


VENDORS: dict[str, Build] = {'groq': groq}

DECLARED = (
    Difference(
        'decode',
        'groq',
        '*tool_use_failed_error_streaming_with_text*',
        'finish_reason',
        'an error in the stream ends the response, like the same error with status 400: both have the reason `error`',
    ),
    Difference(
        'decode',
        'groq',
        '*web_search_tool_domain_filters*',
        'parts',
        'a visited page is a native tool call, like a search: it is kept',
    ),
    Difference(
        'roundtrip',
        'groq',
        '*',
        r'body\.messages\[1\]\.(reasoning|content(\[0\]\.text)?)',
        'the API has a field for the thinking of models that reason (`reasoning`); between tags it would be text',
    ),
    Difference(
        'encode',
        'groq@gpt-oss',
        '*',
        r'body\.messages\[\d\]\.(reasoning|content(\[0\]\.text)?)',
        'the API has a field for the thinking of models that reason (`reasoning`); between tags it would be text',
    ),
    Difference(
        'encode',
        'groq*',
        'empty_response',
        r'body\.messages',
        'an empty response is not sent: an assistant message without content is rejected',
    ),
)
