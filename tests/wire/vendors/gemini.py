"""Gemini, at the Generative Language API and at Vertex AI."""

from __future__ import annotations

from google.oauth2.credentials import Credentials

from pydantic_llm.models import Model
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.google_vertex import GoogleVertexProvider
from tests.wire.declared import Difference
from tests.wire.vendor import KEY, Build, Http


def gemini(model: str, http: Http) -> Model:
    """Build a model at the Generative Language API."""
    return GeminiModel(model, provider=GoogleGLAProvider(api_key=KEY, http_client=http))


def vertex(model: str, http: Http) -> Model:
    """Build a model at Vertex AI, with a token that never expires."""
    provider = GoogleVertexProvider(
        credentials=Credentials(KEY), project_id='PROJECT', region='global', http_client=http
    )
    return GeminiModel(model, provider=provider)


VENDORS: dict[str, Build] = {'gemini': gemini, 'vertex': vertex}

SIGNED = (
    'the signature comes after the text, with its own empty text; the documentation forbids to merge a part with a '
    'signature and one without, so it stays a separate part, and is sent back unchanged'
)

DECLARED = (
    Difference('decode', 'gemini', '*native_output_with_builtin_tools_stream*', 'parts', SIGNED),
    Difference(
        'roundtrip', 'gemini', '*native_output_with_builtin_tools_stream*', r'body\.contents\[1\]\.parts', SIGNED
    ),
    *(
        row
        for vendor in VENDORS
        for row in (
            Difference(
                'decode',
                vendor,
                '*body_empty',
                '.*',
                'an empty body is not a response of the API, which always sends an object: it is an error that can be '
                'retried, and not an empty response',
            ),
            Difference(
                'encode',
                f'{vendor}*',
                'settings_extra_body',
                r'body\.customField',
                'extra_body is added to the body unchanged, as with every vendor',
            ),
        )
    ),
)
