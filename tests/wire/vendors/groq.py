"""Groq."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.providers.groq import GroqProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def groq(model: str, http: Http) -> Model:
    """A model at Groq."""
    return GroqModel(model, provider=GroqProvider(api_key=KEY, http_client=http))


VENDORS: dict[str, Build] = {'groq': groq}
"""The vendors of the recordings."""

DECLARED = (
    Difference(
        'decode',
        'groq',
        '*tool_use_failed_error_streaming_with_text*',
        'finish_reason',
        'an error inside the stream ends the answer, as the same error with status 400 does: both are told as `error`',
    ),
    Difference(
        'decode',
        'groq',
        '*web_search_tool_domain_filters*',
        'parts',
        'a page that was visited is a use of a tool of the vendor, like a search: it is kept',
    ),
    Difference(
        'roundtrip',
        'groq',
        '*',
        r'body\.messages\[1\]\.(reasoning|content(\[0\]\.text)?)',
        'the API has a field for what a model that reasons has thought (`reasoning`); in tags it would be text',
    ),
    Difference(
        'encode',
        'groq@gpt-oss',
        '*',
        r'body\.messages\[\d\]\.(reasoning|content(\[0\]\.text)?)',
        'the API has a field for what a model that reasons has thought (`reasoning`); in tags it would be text',
    ),
    Difference(
        'encode',
        'groq*',
        'empty_response',
        r'body\.messages',
        'an answer that holds nothing is not sent: a message of the assistant without content is refused',
    ),
)
"""The differences."""
