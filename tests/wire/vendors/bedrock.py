"""Bedrock's Converse API."""

from __future__ import annotations

from pydantic_llm.models import Model
from pydantic_llm.models.bedrock import BedrockConverseModel
from pydantic_llm.providers.bedrock import BedrockProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def bedrock(model: str, http: Http) -> Model:
    """Build a model at Bedrock that signs its requests, as the recorded ones were signed."""
    provider = BedrockProvider(
        region_name='us-east-1', aws_access_key_id='k', aws_secret_access_key=KEY, http_client=http
    )
    return BedrockConverseModel(model, provider=provider)


VENDORS: dict[str, Build] = {'bedrock-converse': bedrock, 'bedrock-converse-stream': bedrock}

DECLARED: tuple[Difference, ...] = (
    Difference(
        'decode',
        'bedrock-converse-stream',
        'bedrock-converse-stream__stream_nothing',
        '.*',
        'a stream without events is not a response, but an error',
    ),
    Difference(
        'encode',
        'bedrock-converse*',
        'empty_text_response',
        r'body\.messages',
        'the API rejects blank text, so a turn with nothing else is dropped',
    ),
    *(
        Difference(
            'encode',
            'bedrock-converse',
            case,
            r'body\.(toolConfig|outputConfig)\..*[sS]chema\..*',
            'what a strict schema does not support moves to the description; a const becomes an enum of one value',
        )
        for case in ('tools_*_strict', 'output_native_plain')
    ),
    Difference(
        'encode', 'bedrock-converse*', 'settings_extra_body', r'body\.custom_field', 'extra_body is added to the body'
    ),
    Difference(
        'encode',
        'bedrock-converse',
        'settings_parallel_false',
        r'body\.additionalModelRequestFields',
        "Claude's own field is used, since the API has none",
    ),
)
