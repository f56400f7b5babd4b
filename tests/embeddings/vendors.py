"""A server of every vendor's API for embeddings, and a model of each vendor that talks to it.

The forms of requests and responses are those of recorded exchanges with the vendors. The embedding of a text is its
length and 1, so that a test sees which vector belongs to which text.
"""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from pydantic_llm.embeddings import EmbeddingModel
from pydantic_llm.embeddings.bedrock import BedrockEmbeddingModel
from pydantic_llm.embeddings.cohere import CohereEmbeddingModel
from pydantic_llm.embeddings.google import GoogleEmbeddingModel
from pydantic_llm.embeddings.huggingface import HuggingFaceEmbeddingModel
from pydantic_llm.embeddings.mistral import MistralEmbeddingModel
from pydantic_llm.embeddings.openai import OpenAIEmbeddingModel
from pydantic_llm.providers.azure import AzureProvider
from pydantic_llm.providers.bedrock import BedrockProvider
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.google_vertex import GoogleVertexProvider
from pydantic_llm.providers.huggingface import HuggingFaceProvider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.openai import OpenAIProvider

Json = dict[str, Any]
KEY = 'hf_a-key-that-must-not-be-shown'


class Server:
    """Answers the requests of all vendors, and records them."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Json]] = []
        self.headers: list[Any] = []
        self.override: Callable[[str, Json], httpx2.Response | None] = lambda path, body: None
        self.client = httpx2.AsyncClient(transport=httpx2.MockTransport(self._respond))

    async def _respond(self, request: httpx2.Request) -> httpx2.Response:
        path, body = request.url.raw_path.decode(), json.loads(await request.aread())
        self.requests.append((path, body))
        self.headers.append(request.headers)
        other = self.override(path, body)
        return other or httpx2.Response(200, json=answer(path, body), headers={'x-amzn-bedrock-input-token-count': '7'})

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    @property
    def body(self) -> Json:
        """The body of the only request."""
        [(_, body)] = self.requests
        return body


def embed(text: str) -> list[float]:
    return [float(len(text)), 1.0]


def answer(path: str, body: Json) -> Any:
    """Return the vendor's response to a request."""
    match body:
        case {'input': texts} if 'encoding_format' in body:
            data = [{'index': i, 'embedding': encode(text)} for i, text in reversed([*enumerate(texts)])]
            return {'object': 'list', 'data': data, 'model': 'm-1', 'usage': {'prompt_tokens': 7, 'total_tokens': 7}}
        case {'input': texts}:
            data = [{'index': i, 'embedding': embed(text)} for i, text in enumerate(texts)]
            return {'id': 'e-1', 'data': data, 'model': 'm-1', 'usage': {'prompt_tokens': 7, 'total_tokens': 7}}
        case {'texts': texts}:
            billed = {'billed_units': {'input_tokens': 7, 'image_tokens': 0}}
            return {'id': 'e-1', 'embeddings': {'float': [*map(embed, texts)]}, 'texts': texts, 'meta': billed}
        case {'requests': requests}:
            return {'embeddings': [{'values': embed(each['content']['parts'][0]['text'])} for each in requests]}
        case {'instances': instances}:
            vectors: list[Json] = [
                {'values': embed(each['content']), 'statistics': {'token_count': 0}} for each in instances
            ]
            vectors[0]['statistics'] = {'token_count': 7.0, 'truncated': False}
            return {'predictions': [{'embeddings': vector} for vector in vectors]}
        case {'content': {'parts': [{'text': text}]}}:
            return {'embedding': {'values': embed(text)}, 'usageMetadata': {'promptTokenCount': 7}}
        case {'inputText': text}:
            return {'embedding': embed(text), 'inputTextTokenCount': 7}
        case {'singleEmbeddingParams': {'text': {'value': text}}}:
            return {'embeddings': [{'embeddingType': 'TEXT', 'embedding': embed(text)}]}
        case {'inputs': texts}:
            return [*map(embed, texts)]
        case _:
            raise AssertionError((path, body))


def encode(text: str) -> str:
    return base64.b64encode(array('f', embed(text)).tobytes()).decode()


@dataclass(frozen=True)
class Vendor:
    """A vendor: the name, a function that makes its model, and what one request looks like."""

    name: str
    make: Callable[[Server], EmbeddingModel]
    path: str
    query: Json
    """The body for the query `Hello`."""
    document: Json
    """What the body for the document `Hello` has in place of the query's fields."""
    tokens: int = 7
    inputs: int = 1
    """The number of texts that one request may have."""

    def __repr__(self) -> str:
        return self.name


def openai(server: Server) -> EmbeddingModel:
    provider = OpenAIProvider(api_key=KEY, base_url='http://test/v1', http_client=server.client)
    return OpenAIEmbeddingModel('text-embedding-3-small', provider=provider)


def azure(server: Server) -> EmbeddingModel:
    provider = AzureProvider(
        api_key=KEY, azure_endpoint='http://test', api_version='2025-03-01-preview', http_client=server.client
    )
    return OpenAIEmbeddingModel('my-deployment', provider=provider)


def mistral(server: Server) -> EmbeddingModel:
    provider = MistralProvider(api_key=KEY, base_url='http://test', http_client=server.client)
    return MistralEmbeddingModel('mistral-embed', provider=provider)


def cohere(server: Server) -> EmbeddingModel:
    provider = CohereProvider(api_key=KEY, base_url='http://test', http_client=server.client)
    return CohereEmbeddingModel('embed-v4.0', provider=provider)


def gemini(name: str) -> Callable[[Server], EmbeddingModel]:
    def make(server: Server) -> EmbeddingModel:
        provider = GoogleGLAProvider(api_key=KEY, base_url='http://test', http_client=server.client)
        return GoogleEmbeddingModel(name, provider=provider)

    return make


def vertex(name: str) -> Callable[[Server], EmbeddingModel]:
    def make(server: Server) -> EmbeddingModel:
        from google.oauth2.credentials import Credentials

        provider = GoogleVertexProvider(
            credentials=Credentials(KEY), project_id='p', base_url='http://test', http_client=server.client
        )
        return GoogleEmbeddingModel(name, provider=provider)

    return make


def bedrock(name: str) -> Callable[[Server], EmbeddingModel]:
    def make(server: Server) -> EmbeddingModel:
        provider = BedrockProvider(api_key=KEY, base_url='http://test', http_client=server.client)
        return BedrockEmbeddingModel(name, provider=provider)

    return make


def huggingface(server: Server) -> EmbeddingModel:
    provider = HuggingFaceProvider(api_key=KEY, http_client=server.client)
    return HuggingFaceEmbeddingModel('BAAI/bge-small-en-v1.5', provider=provider)


VERTEX = '/v1beta1/projects/p/locations/global/publishers/google/models'
ONE_CONTENT = {'parts': [{'text': 'task: search result | query: Hello'}]}
NOVA = {'embeddingPurpose': 'GENERIC_RETRIEVAL', 'text': {'value': 'Hello', 'truncationMode': 'NONE'}}
COHERE = {'texts': ['Hello'], 'input_type': 'search_query', 'truncate': 'NONE'}
TEXT_DOCUMENT = {'input_type': 'search_document'}

VENDORS = (
    Vendor(
        'openai',
        openai,
        '/v1/embeddings',
        {'model': 'text-embedding-3-small', 'input': ['Hello'], 'encoding_format': 'base64'},
        {},
        inputs=2048,
    ),
    Vendor(
        'azure',
        azure,
        '/openai/deployments/my-deployment/embeddings?api-version=2025-03-01-preview',
        {'model': 'my-deployment', 'input': ['Hello'], 'encoding_format': 'base64'},
        {},
        inputs=2048,
    ),
    Vendor('mistral', mistral, '/v1/embeddings', {'model': 'mistral-embed', 'input': ['Hello']}, {}, inputs=512),
    Vendor(
        'cohere',
        cohere,
        '/v2/embed',
        {'model': 'embed-v4.0', **COHERE, 'embedding_types': ['float']},
        TEXT_DOCUMENT,
        inputs=96,
    ),
    Vendor(
        'gemini',
        gemini('gemini-embedding-001'),
        '/v1beta/models/gemini-embedding-001:batchEmbedContents',
        {
            'requests': [
                {
                    'model': 'models/gemini-embedding-001',
                    'taskType': 'RETRIEVAL_QUERY',
                    'content': {'parts': [{'text': 'Hello'}]},
                }
            ]
        },
        {
            'requests': [
                {
                    'model': 'models/gemini-embedding-001',
                    'taskType': 'RETRIEVAL_DOCUMENT',
                    'content': {'parts': [{'text': 'Hello'}]},
                }
            ]
        },
        tokens=0,
        inputs=100,
    ),
    Vendor(
        'gemini-2',
        gemini('gemini-embedding-2'),
        '/v1beta/models/gemini-embedding-2:batchEmbedContents',
        {'requests': [{'model': 'models/gemini-embedding-2', 'content': ONE_CONTENT}]},
        {
            'requests': [
                {
                    'model': 'models/gemini-embedding-2',
                    'content': {'parts': [{'text': 'title: none | text: Hello'}]},
                }
            ]
        },
        tokens=0,
        inputs=100,
    ),
    Vendor(
        'vertex',
        vertex('text-embedding-005'),
        f'{VERTEX}/text-embedding-005:predict',
        {'instances': [{'content': 'Hello', 'task_type': 'RETRIEVAL_QUERY'}], 'parameters': {'autoTruncate': False}},
        {'instances': [{'content': 'Hello', 'task_type': 'RETRIEVAL_DOCUMENT'}]},
        inputs=250,
    ),
    Vendor(
        'vertex-2',
        vertex('gemini-embedding-2'),
        f'{VERTEX}/gemini-embedding-2:embedContent',
        {'content': ONE_CONTENT, 'embedContentConfig': {'autoTruncate': False}},
        {'content': {'parts': [{'text': 'title: none | text: Hello'}]}},
    ),
    Vendor(
        'titan',
        bedrock('amazon.titan-embed-text-v2:0'),
        '/model/amazon.titan-embed-text-v2%3A0/invoke',
        {'inputText': 'Hello'},
        {},
    ),
    Vendor(
        'bedrock-cohere',
        bedrock('us.cohere.embed-v4:0'),
        '/model/us.cohere.embed-v4%3A0/invoke',
        COHERE,
        TEXT_DOCUMENT,
        inputs=96,
    ),
    Vendor(
        'nova',
        bedrock('amazon.nova-2-multimodal-embeddings-v1:0'),
        '/model/amazon.nova-2-multimodal-embeddings-v1%3A0/invoke',
        {'taskType': 'SINGLE_EMBEDDING', 'singleEmbeddingParams': NOVA},
        {'singleEmbeddingParams': {**NOVA, 'embeddingPurpose': 'GENERIC_INDEX'}},
    ),
    Vendor(
        'huggingface',
        huggingface,
        '/hf-inference/models/BAAI/bge-small-en-v1.5/pipeline/feature-extraction',
        {'inputs': ['Hello']},
        {},
        tokens=0,
        inputs=32,
    ),
)
