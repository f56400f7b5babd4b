"""Mistral."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.providers.mistral import MistralProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def mistral(model: str, http: Http) -> Model:
    """A model at Mistral."""
    return MistralModel(model, provider=MistralProvider(api_key=KEY, http_client=http))


VENDORS: dict[str, Build] = {'mistral': mistral}
"""The vendors of the recordings."""

DECLARED = (
    Difference(
        'decode',
        'mistral',
        '*',
        r'usage\.cache_read_tokens',
        'answers of 2026-01 and 02 tell of cached tokens as `num_cached_tokens`, which are part of the prompt as well',
    ),
    Difference(
        'encode',
        'mistral',
        'system_mid',
        r'body\.messages.*',
        'the API refuses a system message after an answer (3230): it stands before the conversation, with the others',
    ),
    Difference(
        'encode',
        'mistral',
        'empty_text_response',
        r'body\.messages.*',
        'the API refuses an answer that says nothing and calls nothing: it is left out',
    ),
    Difference(
        'encode',
        'mistral',
        'ends_with_response',
        r'body\.messages\[1\]\.prefix',
        'the API refuses an answer as the last message, unless it is a prefix',
    ),
    Difference(
        'encode',
        'mistral',
        '*',
        r'body\.messages\[\d\]\.(tool_calls\[\d\]\.id|tool_call_id)',
        'the ids of calls must be nine letters or digits: others are mapped',
    ),
    Difference(
        'encode',
        'mistral',
        '*',
        r'body\.messages\[\d\]\.content\[0\]\.signature',
        'the signature of a chunk goes back to the vendor that sealed it',
    ),
    Difference(
        'encode',
        'mistral',
        'thinking_with_id',
        r'body\.messages\[1\]\.content',
        'a signature belongs to one chunk: thoughts that have one are not joined with their neighbours',
    ),
    Difference(
        'encode',
        'mistral',
        'choice_none',
        r'body\.(tools|tool_choice)',
        'the API can be told to call none of the tools',
    ),
    Difference(
        'encode',
        'mistral',
        'settings_*',
        r'body\.(top_k|custom_field)',
        'the API has `top_k`, and fields of its own that are not known here go into the body',
    ),
    Difference(
        'encode',
        'mistral',
        'output_prompted',
        r'body\.response_format',
        'the API can be held to JSON where the request has no tools',
    ),
    Difference(
        'encode',
        'mistral',
        '*_strict',
        r'body\.tools\[0\]\.function\.strict',
        'the API knows `strict` for tools, where it is asked for',
    ),
)
"""The differences."""
