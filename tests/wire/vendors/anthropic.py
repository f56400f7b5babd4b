"""Anthropic's Messages."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.providers import infer_provider_class
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def anthropic(model: str, http: Http) -> Model:
    """Build one of Anthropic's models."""
    return AnthropicModel(model, provider=infer_provider_class('anthropic')(api_key=KEY, http_client=http))


VENDORS: dict[str, Build] = {'anthropic': anthropic}

DECLARED = (
    Difference(
        'decode',
        'anthropic',
        '*advisor_tool_stream*',
        'parts',
        'the stream has a server_tool_use for the advisor before its result; if calls of undeclared tools were '
        'dropped, a result would have no call',
    ),
    Difference(
        'roundtrip',
        'anthropic',
        '*text_parts_ahead_of_built_in_tool_call*',
        r'body\.messages\[1\]\.content.*',
        'the stream has a server_tool_use and cited text, and both are sent back unchanged',
    ),
    Difference(
        'roundtrip',
        'anthropic',
        '*native_tool_search_round_trip*',
        r'body\.messages\[1\]\.content\[1\]\.input\.limit',
        "the vendor's own input, {query, limit}, is sent back unchanged",
    ),
    Difference(
        'roundtrip',
        'anthropic',
        '*in_flight_mcp_call_history*',
        r'body\.messages\[1\]\.content',
        'a result without a call in the history is dropped; the API rejects it',
    ),
    Difference(
        'encode',
        'anthropic*',
        'tool_return_scalars',
        r'body\.messages\[2\]\.content\[2\]\.content',
        "a tool that returned '' gets a tool_result without content, which is optional; empty text blocks are rejected",
    ),
)
