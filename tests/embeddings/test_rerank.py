"""Documents are sorted by how well they answer a query."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from pydantic_llm.embeddings.rerank import CohereRerankModel, RankedDocument, Reranker
from pydantic_llm.exceptions import UnexpectedModelBehavior, UserError
from pydantic_llm.providers.cohere import CohereProvider

DOCUMENTS = ['Snow is white.', 'Air scatters blue light.', 'Cats purr.']
ANSWER = {
    'id': 'r-1',
    'results': [{'index': 1, 'relevance_score': 0.9}, {'index': 0, 'relevance_score': 0.2}],
    'meta': {'billed_units': {'search_units': 1}},
}


class Server:
    def __init__(self, answer: Any = ANSWER) -> None:
        self.answer = answer
        self.bodies: list[dict[str, Any]] = []

    def model(self, **options: Any) -> CohereRerankModel:
        client = httpx2.AsyncClient(transport=httpx2.MockTransport(self._respond))
        provider = CohereProvider(api_key='k', base_url='http://test', http_client=client)
        return CohereRerankModel('rerank-v3.5', provider=provider, **options)

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == '/v2/rerank'
        self.bodies.append(json.loads(request.content))
        return httpx2.Response(200, json=self.answer)


async def test_the_most_relevant_document_comes_first() -> None:
    server = Server()
    result = await Reranker(server.model(max_tokens_per_document=99)).rerank('Why is the sky blue?', DOCUMENTS, top_n=2)
    assert server.bodies == [
        {
            'model': 'rerank-v3.5',
            'query': 'Why is the sky blue?',
            'documents': DOCUMENTS,
            'top_n': 2,
            'max_tokens_per_doc': 99,
        }
    ]
    assert [*result] == [RankedDocument(1, DOCUMENTS[1], 0.9), RankedDocument(0, DOCUMENTS[0], 0.2)]
    assert (len(result), result.usage.details, result.provider_response_id) == (2, {'search_units': 1}, 'r-1')


def test_it_works_without_await() -> None:
    assert Reranker(Server().model()).rerank_sync('sky', DOCUMENTS).documents[0].index == 1


@pytest.mark.parametrize(
    'results',
    [
        *(None, ['x'], [{'index': -1}], [{'index': 7, 'relevance_score': 1}], [{'index': True, 'relevance_score': 1}]),
        *([{'index': 0, 'relevance_score': 1}] * 2, [{'index': 0, 'relevance_score': 'high'}]),
        [{'index': 0, 'relevance_score': True}],
    ],
)
async def test_a_response_in_another_form_is_reported(results: Any) -> None:
    with pytest.raises(UnexpectedModelBehavior):
        await Server({'results': results}).model().rerank('sky', DOCUMENTS, settings={'retries': 0})


@pytest.mark.parametrize(
    ('query', 'documents', 'top_n', 'name'),
    [
        ('', DOCUMENTS, None, 'query'),
        (5, DOCUMENTS, None, 'query'),
        ('sky', [], None, 'documents'),
        ('sky', 'one text', None, 'documents'),
        ('sky', [5], None, 'documents'),
        ('sky', DOCUMENTS, 0, 'top_n'),
    ],
)
async def test_wrong_arguments_are_refused(query: Any, documents: Any, top_n: Any, name: str) -> None:
    server = Server()
    with pytest.raises(UserError, match=name):
        await server.model().rerank(query, documents, top_n=top_n)
    assert server.bodies == []


def test_an_unknown_name_is_explained() -> None:
    with pytest.raises(UserError, match=r'cohere:rerank-v3\.5'):
        Reranker('openai:x')
    assert Reranker(Server().model()).model.model_name == 'rerank-v3.5'


async def test_more_documents_than_requested_are_cut_and_a_misspelled_setting_is_refused() -> None:
    assert len(await Server().model().rerank('sky', DOCUMENTS, top_n=1)) == 1
    with pytest.raises(UserError, match="no setting 'timout' of rerank models; did you mean 'timeout'"):
        await Server().model().rerank('sky', DOCUMENTS, settings={'timout': 5})  # type: ignore[typeddict-unknown-key]
