"""Cohere's Chat API."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.providers.cohere import CohereProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def cohere(model: str, http: Http) -> Model:
    """Build one of Cohere's models."""
    return CohereModel(model, provider=CohereProvider(api_key=KEY, http_client=http))


VENDORS: dict[str, Build] = {'cohere': cohere}

PLANNED = ('*_auto-cohere__0_*', '*_list_single-cohere_*', '*_none_with_output-cohere_*')
"""The recorded responses with a tool plan."""

DECLARED: tuple[Difference, ...] = (
    *(
        Difference('decode', 'cohere', case, 'parts', 'the tool plan of the response is kept, as thinking')
        for case in (*PLANNED, 'cohere__body_extra_keys')
    ),
    *(
        Difference(
            'roundtrip', 'cohere', case, r'body\.messages\[1\]\.tool_plan', 'the tool plan is sent back unchanged'
        )
        for case in PLANNED
    ),
    Difference(
        'roundtrip',
        'cohere',
        '*_auto-cohere__1_*',
        r'body\.messages\[1\]\.citations',
        'the API accepts the citations of a response, and its SDK sends them with the message',
    ),
    *(
        Difference(
            'encode',
            'cohere',
            case,
            r'body\.messages\[1\]\.content',
            'a message has one block for each part',
        )
        for case in ('two_text_parts', 'thinking_with_id')
    ),
    Difference(
        'encode',
        'cohere',
        'empty_text_response',
        r'body\.messages',
        "the API rejects an empty turn ('message must not be empty in a turn'), so it is dropped",
    ),
    Difference(
        'encode',
        'cohere',
        'tools_*strict',
        r'body\.(strict_tools|tools\[0\]\.function\.parameters.*)',
        'the API supports strict schemas (strict_tools); what it cannot enforce moves to the description',
    ),
    Difference(
        'encode',
        'cohere',
        'output_prompted',
        r'body\.response_format',
        'the API can require a JSON object',
    ),
    Difference('encode', 'cohere', 'settings_extra_body', r'body\.custom_field', 'extra_body is added to the body'),
)
