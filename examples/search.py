"""Answer by documents (RAG): python examples/search.py [MODEL EMBEDDING_MODEL RERANK_MODEL]

For example `openai:gpt-5.4-mini openai:text-embedding-3-small cohere:rerank-v3.5`. The documents are embedded once; for
a question they are sorted by their distance, a rerank model sorts the nearest again, and the best go to the model.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from pydantic_llm import Agent, Embedder, Model, ModelSettings
from pydantic_llm.embeddings import EmbeddingModel
from pydantic_llm.embeddings.rerank import RankedDocument, Reranker, RerankModel, RerankResult
from pydantic_llm.embeddings.test import TestEmbeddingModel
from pydantic_llm.models.test import TestModel

DOCUMENTS = [
    'The Hurtigruten ferry leaves Bergen at 20:30.',
    'The funicular of Fløyen runs until 23:00.',
    'The fish market is closed on Sundays.',
    'The train to Oslo takes seven hours.',
]


def similarity(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the dot product. Vectors of most models have the length 1."""
    return sum(a * b for a, b in zip(first, second, strict=True))


async def main(model: Model | str, embedding_model: EmbeddingModel | str, rerank_model: RerankModel | str) -> None:
    embedder, reranker = Embedder(embedding_model), Reranker(rerank_model)
    vectors = (await embedder.embed_documents(DOCUMENTS)).embeddings
    question = 'How late does the funicular run?'
    [wanted] = (await embedder.embed_query(question)).embeddings
    order = sorted(range(len(DOCUMENTS)), key=lambda index: similarity(wanted, vectors[index]), reverse=True)
    found = await reranker.rerank(question, [DOCUMENTS[index] for index in order], top_n=1)
    context = '\n'.join(ranked.document for ranked in found.documents)
    print(f'Found: {context}')
    agent = Agent(model, instructions=f'Answer by this text alone:\n{context}')
    print((await agent.run(question)).output)


class OfflineRerankModel(RerankModel):
    """Sorts by the words that a document shares with the query."""

    @property
    def model_name(self) -> str:
        return 'shared-words'

    @property
    def system(self) -> str:
        return 'offline'

    async def rerank(
        self, query: str, documents: Sequence[str], *, top_n: int | None = None, settings: ModelSettings | None = None
    ) -> RerankResult:
        words = {*query.lower().strip('?').split()}
        scores = [len(words & {*text.lower().split()}) / len(words) for text in documents]
        ranked = [RankedDocument(index, text, scores[index]) for index, text in enumerate(documents)]
        best = sorted(ranked, key=lambda each: -each.score)[:top_n]
        return RerankResult(best, model_name=self.model_name, provider_name=self.system)


if __name__ == '__main__':
    if len(sys.argv) == 4:
        asyncio.run(main(*sys.argv[1:]))
    else:
        offline = TestModel(custom_output_text='Until 23:00.')
        asyncio.run(main(offline, TestEmbeddingModel(dimensions=8), OfflineRerankModel()))
