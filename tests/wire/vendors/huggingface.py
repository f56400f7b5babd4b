"""Hugging Face: a service behind its router."""

from __future__ import annotations

from huggingface_hub.hf_api import InferenceProviderMapping
from huggingface_hub.inference._providers._common import HARDCODED_MODEL_INFERENCE_MAPPING

from pydantic_llm.models import Model
from pydantic_llm.models.huggingface import HuggingFaceModel
from pydantic_llm.providers.huggingface import HuggingFaceProvider
from tests.wire.declared import Difference
from tests.wire.vendor import Build, Http


def huggingface(model: str, http: Http) -> Model:
    """Build a model at Together, through the router. Add it to the package's table, so that the Hub is not needed."""
    HARDCODED_MODEL_INFERENCE_MAPPING['together'][model] = InferenceProviderMapping(
        provider='together', hf_model_id=model, providerId=model, status='live', task='conversational'
    )
    provider = HuggingFaceProvider(api_key='hf_test', provider_name='together', http_client=http)
    return HuggingFaceModel(model, provider=provider)


VENDORS: dict[str, Build] = {'huggingface': huggingface}

DECLARED = (
    Difference(
        'decode',
        'huggingface',
        '*tool_stream_reasoning_first*',
        'parts',
        'thinking has either name: services behind the router send `reasoning_content`, others `reasoning`',
    ),
    Difference(
        'encode',
        'huggingface',
        'stream_*',
        r'body\.stream_options',
        'the API documents it, and without it some services send no usage',
    ),
    Difference(
        'encode',
        'huggingface',
        'output_prompted',
        r'body\.response_format',
        'the API documents `json_object`, which requires an object',
    ),
    Difference(
        'encode',
        'huggingface',
        'choice_one',
        r'body\.tool_choice\.type',
        "the package sends no `type`, TGI accepts both, and the services behind the router follow OpenAI's API",
    ),
    Difference(
        'encode',
        'huggingface',
        'tools_*_strict',
        r'body\.tools\[0\].*\.default',
        'the package drops every null of a body, including the defaults of a schema: here it is sent unchanged',
    ),
    Difference(
        'encode',
        'huggingface',
        'image_url_detail',
        r'body\.messages\[0\]\.content\[1\]\.image_url\.detail',
        'the level of detail is sent, since services behind the router support it',
    ),
    Difference(
        'encode',
        'huggingface',
        'image_url_force_download',
        r'body\.messages\[0\]\.content\[1\]\.image_url\.url',
        'the image is downloaded, as requested',
    ),
    Difference(
        'encode',
        'huggingface',
        'tool_return_image',
        r'body\.messages\[3\]\.content',
        'the text around a file that a tool returned is our own',
    ),
    Difference('encode', 'huggingface', 'retry_errors_plain', r'body\.messages', 'the text of a retry is our own'),
    Difference(
        'encode',
        'huggingface',
        'empty_response',
        r'body\.messages',
        'an empty response is not sent: an assistant message without content is rejected',
    ),
)
