"""Bedrock's Converse API."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.providers.bedrock import BedrockProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def bedrock(model: str, http: Http) -> Model:
    """One of the models at Bedrock. The recorded requests were signed, and so are these."""
    provider = BedrockProvider(
        region_name='us-east-1', aws_access_key_id='k', aws_secret_access_key=KEY, http_client=http
    )
    return BedrockConverseModel(model, provider=provider)


VENDORS: dict[str, Build] = {'bedrock-converse': bedrock, 'bedrock-converse-stream': bedrock}
"""The vendors of the recordings."""

DECLARED: tuple[Difference, ...] = (
    Difference(
        'decode',
        'bedrock-converse-stream',
        'bedrock-converse-stream__stream_nothing',
        '.*',
        'a stream without an event is no answer, but an error',
    ),
    Difference(
        'encode',
        'bedrock-converse*',
        'empty_text_response',
        r'body\.messages',
        'the API refuses blank text, so a turn of nothing else is left out',
    ),
    *(
        Difference(
            'encode',
            'bedrock-converse',
            case,
            r'body\.(toolConfig|outputConfig)\..*[sS]chema\..*',
            'what a strict schema cannot say moves into the description; a const is an enum of one value',
        )
        for case in ('tools_*_strict', 'output_native_plain')
    ),
    Difference(
        'encode', 'bedrock-converse*', 'settings_extra_body', r'body\.custom_field', 'extra_body goes into the body'
    ),
    Difference(
        'encode',
        'bedrock-converse',
        'settings_parallel_false',
        r'body\.additionalModelRequestFields',
        "Claude's own field says what the API has no word for",
    ),
)
"""The differences."""
