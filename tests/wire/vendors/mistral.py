"""Mistral."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.providers.mistral import MistralProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def mistral(model: str, http: Http) -> Model:
    """Build a model at Mistral."""
    return MistralModel(model, provider=MistralProvider(api_key=KEY, http_client=http))


VENDORS: dict[str, Build] = {'mistral': mistral}

DECLARED = (
    Difference(
        'decode',
        'mistral',
        '*',
        r'usage\.cache_read_tokens',
        'responses of 2026-01 and 02 count cached tokens as `num_cached_tokens`, which are part of the prompt too',
    ),
    Difference(
        'encode',
        'mistral',
        'system_mid',
        r'body\.messages.*',
        'the API rejects a system message after a response (3230): it is sent at the start, with the others',
    ),
    Difference(
        'encode',
        'mistral',
        'empty_text_response',
        r'body\.messages.*',
        'the API rejects a response without text and tool calls: it is dropped',
    ),
    Difference(
        'encode',
        'mistral',
        'ends_with_response',
        r'body\.messages\[1\]\.prefix',
        'the API rejects a response as the last message, unless it is a prefix',
    ),
    Difference(
        'encode',
        'mistral',
        '*',
        r'body\.messages\[\d\]\.(tool_calls\[\d\]\.id|tool_call_id)',
        'the ids of tool calls must be nine letters or digits: others are mapped',
    ),
    Difference(
        'encode',
        'mistral',
        '*',
        r'body\.messages\[\d\]\.content\[0\]\.signature',
        'the signature of a chunk is sent back to the vendor that created it',
    ),
    Difference(
        'encode',
        'mistral',
        'thinking_with_id',
        r'body\.messages\[1\]\.content',
        'a signature belongs to one chunk: thinking with a signature is not joined with other thinking',
    ),
    Difference(
        'encode',
        'mistral',
        'choice_none',
        r'body\.(tools|tool_choice)',
        'the API can forbid tool calls',
    ),
    Difference(
        'encode',
        'mistral',
        'settings_*',
        r'body\.(top_k|custom_field)',
        'the API has `top_k`, and unknown fields are added to the body',
    ),
    Difference(
        'encode',
        'mistral',
        'output_prompted',
        r'body\.response_format',
        'the API can require JSON if the request has no tools',
    ),
    Difference(
        'encode',
        'mistral',
        '*_strict',
        r'body\.tools\[0\]\.function\.strict',
        'the API supports `strict` for tools, if it is set',
    ),
)
