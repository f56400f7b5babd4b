"""Each value of a vendor's response is replaced by others: there are embeddings, or an error of this package."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from pydantic_llm.embeddings.rerank import RerankResult
from pydantic_llm.embeddings.result import EmbeddingResult
from pydantic_llm.exceptions import LLMError
from tests.embeddings.test_rerank import ANSWER, DOCUMENTS, Server as RerankServer
from tests.embeddings.vendors import VENDORS, Server, Vendor, answer

VALUES: list[Any] = [
    *(None, True, -1, 0.5, 10**30, 10**400, float('inf'), float('nan'), '', 'x', '\ud800'),
    *([], {}, [None], [[]], {'a': 1}),
]


def find_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from find_paths(item, (*path, name))


def replace(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.deepcopy(value)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = new
    return changed


def is_sound(result: EmbeddingResult) -> bool:
    numbers = [number for vector in result.embeddings for number in vector]
    usage = result.usage.input_tokens
    return len(result.embeddings) == 2 and all(abs(number) < 1e300 for number in numbers) and type(usage) is int


@pytest.mark.parametrize('vendor', VENDORS, ids=repr)
async def test_an_odd_value_in_a_response_is_no_error_from_the_inside(vendor: Vendor) -> None:
    if vendor.name.startswith('vertex'):
        pytest.importorskip('google.auth', reason='google-auth is not installed')
    if vendor.name in ('titan', 'bedrock-cohere', 'nova'):
        pytest.importorskip('boto3', reason='boto3 is not installed')
    server = Server()
    model = vendor.make(server)
    await model.embed(['Hello', 'you'], input_type='document')
    paths = [*find_paths(answer(*server.requests[0]))]
    for path in paths:
        for new in VALUES:
            server.override = lambda url, body, path=path, new=new: httpx2.Response(  # type: ignore[misc]
                200, content=json.dumps(replace(answer(url, body), path, new))
            )
            try:
                result = await model.embed(['Hello', 'you'], input_type='document', settings={'retries': 0})
            except LLMError:
                continue
            assert is_sound(result), (path, new, result)


async def test_an_odd_value_in_ranks_is_no_error_from_the_inside() -> None:
    for path in find_paths(ANSWER):
        for new in VALUES:
            try:
                server = RerankServer(None)
                server.answer = json.loads(json.dumps(replace(ANSWER, path, new)))
                ranked: RerankResult = await server.model().rerank('sky', DOCUMENTS, settings={'retries': 0})
            except (LLMError, ValueError) as error:
                assert isinstance(error, LLMError) or 'JSON' in str(error), (path, new)  # noqa: PT017
                continue
            assert all(0 <= each.index < len(DOCUMENTS) for each in ranked), (path, new)
