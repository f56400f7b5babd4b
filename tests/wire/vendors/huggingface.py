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
    """A model at Together, by the router. The package's own table says where it is, so that the Hub is not asked."""
    HARDCODED_MODEL_INFERENCE_MAPPING['together'][model] = InferenceProviderMapping(
        provider='together', hf_model_id=model, providerId=model, status='live', task='conversational'
    )
    provider = HuggingFaceProvider(api_key='hf_test', provider_name='together', http_client=http)
    return HuggingFaceModel(model, provider=provider)


VENDORS: dict[str, Build] = {'huggingface': huggingface}
"""The vendors of the recordings."""

CUT = 'a stream that is cut is an answer that says so (`incomplete`), as it is at every other vendor'

DECLARED = (
    Difference('decode', 'huggingface', '*stream_cut_in_event*', '.*', CUT),
    Difference(
        'decode',
        'huggingface',
        '*tool_stream_reasoning_first*',
        'parts',
        'thoughts are kept under either name: services behind the router send `reasoning_content`, others `reasoning`',
    ),
    Difference(
        'encode',
        'huggingface',
        'stream_*',
        r'body\.stream_options',
        'the API documents it, and without it some services tell no usage',
    ),
    Difference(
        'encode',
        'huggingface',
        'output_prompted',
        r'body\.response_format',
        'the API documents `json_object`, which holds the model to an object',
    ),
    Difference(
        'encode',
        'huggingface',
        'choice_one',
        r'body\.tool_choice\.type',
        "the package leaves `type` out, TGI takes both, and the services behind the router follow OpenAI's API",
    ),
    Difference(
        'encode',
        'huggingface',
        'tools_*_strict',
        r'body\.tools\[0\].*\.default',
        'the package drops every null of a body, the defaults of a schema among them: it is sent as it is',
    ),
    Difference(
        'encode',
        'huggingface',
        'image_url_detail',
        r'body\.messages\[0\]\.content\[1\]\.image_url\.detail',
        'the level of detail is sent, since services behind the router know it',
    ),
    Difference(
        'encode',
        'huggingface',
        'image_url_force_download',
        r'body\.messages\[0\]\.content\[1\]\.image_url\.url',
        'the picture is downloaded, as was asked for',
    ),
    Difference(
        'encode',
        'huggingface',
        'tool_return_image',
        r'body\.messages\[3\]\.content',
        'the words around a file that a tool returned are our own',
    ),
    Difference('encode', 'huggingface', 'retry_errors_plain', r'body\.messages', 'the words of a retry are our own'),
    Difference(
        'encode',
        'huggingface',
        'empty_response',
        r'body\.messages',
        'an answer that holds nothing is not sent: a message of the assistant without content is refused',
    ),
)
"""The differences."""
