"""Batches while the vendor fails: uploads that break, refused creations, failing looks, truncated results."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import httpx2
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pydantic_llm.batches import batch as batch_module, batch_requests, get_batch
from pydantic_llm.batches.batch import Batch
from pydantic_llm.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    RateLimitError,
    UnexpectedModelBehavior,
)
from pydantic_llm.retries import budget as budget_module
from pydantic_llm.retries.policy import RetryPolicy
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.serve.faults import ConnectionBreak
from pydantic_llm.wire.model import WireModel
from tests.batches.vendors import VENDORS, Make, anthropic, openai_chat
from tests.serve.models import text_model

FaultKind = Literal['drop', 'truncate', 'shorten'] | int
"""The connection breaks before or after the body of the response begins; a body that ends too early; a status."""

RESULTS = dict.fromkeys(VENDORS, '/content') | {'anthropic': '/results', 'gemini': ':download'}
"""The ends of the paths of results."""


@dataclass
class Faulty:
    """An app whose requests fail: `plan` chooses the fault of a request by its method, path and number."""

    app: ASGIApp
    plan: Callable[[str, str, int], FaultKind | None] = lambda method, path, number: None
    requests: list[str] = field(default_factory=list[str])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        name = f'{scope["method"]} {scope["path"]}'
        number = self.requests.count(name)
        self.requests.append(name)
        match self.plan(scope['method'], scope['path'], number):
            case None:
                await self.app(scope, receive, send)
            case 'drop':
                await receive()
                await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'9')]})
                raise ConnectionBreak
            case 'truncate' | 'shorten' as kind:
                await self.app(scope, receive, truncate(send, ends=kind == 'shorten'))
            case int() as status:
                headers = [(b'content-type', b'application/json'), (b'retry-after', b'0')]
                await send({'type': 'http.response.start', 'status': status, 'headers': headers})
                await send({'type': 'http.response.body', 'body': b'{"error": {"message": "busy"}}'})

    def count(self, method: str, end: str) -> int:
        return sum(name.startswith(method) and name.endswith(end) for name in self.requests)


def truncate(send: Send, *, ends: bool) -> Send:
    """Return a `send` that sends the first two thirds of a body: all in one piece."""
    pieces: list[bytes] = []
    start: Message = {}

    async def send_part(message: Message) -> None:
        nonlocal start
        if message['type'] == 'http.response.start':
            start = message
        elif message['type'] == 'http.response.body':
            pieces.append(message.get('body', b''))
            if not message.get('more_body'):
                whole = b''.join(pieces)
                part = whole[: len(whole) * 2 // 3]
                drop = (b'content-length',) if ends else ()
                headers = [(name, value) for name, value in start['headers'] if name not in drop]
                await send({**start, 'headers': headers})
                await send({'type': 'http.response.body', 'body': part, 'more_body': True})
                if not ends:
                    raise ConnectionBreak
                await send({'type': 'http.response.body', 'body': b''})

    return send_part


@asynccontextmanager
async def serve(make: Make, **options: Any) -> AsyncGenerator[tuple[Faulty, WireModel[Any]]]:
    faulty = Faulty(create_app(text_model('Hello')))
    with LocalServer(faulty) as url:
        async with make(url, **options) as model:
            yield faulty, model


@pytest.fixture(autouse=True)
def two_quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_module, 'DEFAULT_POLICY', RetryPolicy(retries=2, first_wait=0.001))


async def read(batch: Batch, **options: Any) -> list[str]:
    results = [result async for result in batch.results(poll_every=0.01, **options)]
    assert all(result.response for result in results)
    return sorted(result.id for result in results)


def expected(count: int) -> list[str]:
    return sorted(f'request-{index}' for index in range(count))


FILE_VENDORS = [vendor for vendor in VENDORS if vendor not in ('anthropic', 'gemini')]


@pytest.mark.parametrize('vendor', FILE_VENDORS)
async def test_an_upload_that_breaks_is_sent_again_as_a_whole(vendor: str) -> None:
    async with serve(VENDORS[vendor]) as (faulty, model):
        faulty.plan = lambda method, path, number: (
            'drop' if method == 'POST' and path.endswith('/files') and number < 2 else None
        )
        batch = await batch_requests(model, ['a' * 5000] * 40)
        assert faulty.count('POST', '/files') == 3
        assert await read(batch) == expected(40)


async def test_an_upload_to_google_begins_again() -> None:
    async with serve(VENDORS['gemini']) as (faulty, model):
        faulty.plan = lambda method, path, number: 'drop' if path.startswith('/upload') and number in (1, 2) else None
        batch = await batch_requests(model, ['a' * 50_000] * 40)
        assert await read(batch) == expected(40)
        assert batch.warnings == []


@pytest.mark.parametrize(
    ('fault', 'error', 'attempts'),
    [
        ('drop', ModelConnectionError, 1),
        (500, ModelHTTPError, 1),
        (504, ModelHTTPError, 1),
        (429, RateLimitError, 3),
    ],
)
@pytest.mark.parametrize('make', [openai_chat, anthropic])
async def test_a_batch_is_not_created_twice(fault: Any, error: type[Exception], attempts: int, make: Make) -> None:
    async with serve(make) as (faulty, model):
        faulty.plan = lambda method, path, number: fault if method == 'POST' and path.endswith('/batches') else None
        with pytest.raises(error) as caught:
            await batch_requests(model, ['a'])
        assert faulty.count('POST', '/batches') == attempts
        assert isinstance(caught.value, ModelAPIError)
        assert faulty.count('DELETE', '') == (1 if make is openai_chat else 0)  # the file that was uploaded


async def test_a_busy_vendor_creates_a_batch_at_a_later_attempt() -> None:
    async with serve(openai_chat) as (faulty, model):
        faulty.plan = lambda method, path, number: (
            429 if method == 'POST' and path.endswith('/batches') and number == 0 else None
        )
        assert await read(await batch_requests(model, ['a'])) == expected(1)


@pytest.mark.parametrize('make', [openai_chat, anthropic])
async def test_the_parts_of_a_batch_are_cancelled_if_another_part_is_refused(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(make) as (faulty, model):
        api = model.get_batch_api()
        assert api is not None
        monkeypatch.setattr(model, 'get_batch_api', lambda: replace(api, max_requests=1))
        faulty.plan = lambda method, path, number: (
            400 if method == 'POST' and path.endswith('/batches') and number == 2 else None
        )
        with pytest.raises(ModelHTTPError):
            await batch_requests(model, ['a', 'b', 'c', 'd'])
        assert faulty.count('POST', '/batches') == 3
        assert faulty.count('POST', '/cancel') == 2


@pytest.mark.parametrize('fault', [500, 429, 503, 'drop', 'truncate', 'shorten'])
@pytest.mark.parametrize('make', [openai_chat, anthropic])
async def test_a_reader_survives_failures_of_the_vendor_while_it_waits(fault: Any, make: Make) -> None:
    async with serve(make) as (faulty, model):
        faulty.plan = lambda method, path, number: (
            fault if method == 'GET' and '/batches/' in path and 'results' not in path and number < 12 else None
        )
        batch = await batch_requests(model, ['a', 'b'])
        assert await read(batch) == expected(2)


async def test_a_reader_gives_up_after_many_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, 'MAX_FAILED_POLLS', 3)
    async with serve(openai_chat) as (faulty, model):
        batch = await batch_requests(model, ['a'])
        faulty.plan = lambda method, path, number: 500 if method == 'GET' else None
        with pytest.raises(ModelHTTPError):
            await read(batch)
        assert faulty.count('GET', batch.id) == 3 * 3
        faulty.plan = lambda method, path, number: None
        assert await read(batch) == expected(1)


async def test_a_wrong_key_is_not_waited_for() -> None:
    async with serve(openai_chat) as (faulty, model):
        batch = await batch_requests(model, ['a'])
        faulty.plan = lambda method, path, number: 401 if method == 'GET' else None
        with pytest.raises(ModelHTTPError):
            await read(batch)
        assert faulty.count('GET', batch.id) == 1


@pytest.mark.parametrize('fault', ['drop', 'truncate', 'shorten', 500])
@pytest.mark.parametrize('vendor', VENDORS)
async def test_a_download_that_breaks_off_goes_on_without_a_row_lost_or_twice(fault: Any, vendor: str) -> None:
    async with serve(VENDORS[vendor]) as (faulty, model):
        faulty.plan = lambda method, path, number: (
            fault if method == 'GET' and path.endswith(RESULTS[vendor]) and number < 2 else None
        )
        batch = await batch_requests(model, ['a' * 40_000] * 30)  # so that Google's API has a file
        assert await read(batch) == expected(30)
        assert faulty.count('GET', RESULTS[vendor]) == 3


async def test_results_that_stay_truncated_are_an_error() -> None:
    async with serve(openai_chat) as (faulty, model):
        faulty.plan = lambda method, path, number: 'truncate' if path.endswith('/content') else None
        batch = await batch_requests(model, ['a'] * 30)
        with pytest.raises(ModelAPIError) as caught:
            await read(batch)
        assert len(caught.value.earlier_attempts) == 2
        assert faulty.count('DELETE', '') == 0
        faulty.plan = lambda method, path, number: None
        assert await read(batch) == expected(30)


async def test_a_row_that_the_vendor_lost_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(openai_chat) as (_, model):
        api = model.get_batch_api()
        assert api is not None
        batch = await batch_requests(model, ['a', 'b'])
        decode = api.decode_row

        def lose(row: Any) -> Any:
            return decode({**row, 'custom_id': 'request-0'})

        monkeypatch.setattr(model, 'get_batch_api', lambda: replace(api, decode_row=lose))
        again = await get_batch(model, batch.id, requests=['a', 'b'])
        results = {result.id: result async for result in again.results(poll_every=0.01, keep_files=True)}
        assert isinstance(results['request-1'].error, UnexpectedModelBehavior)
        unknown = await get_batch(model, batch.id)
        with pytest.raises(UnexpectedModelBehavior, match='do not contain all requests'):
            await read(unknown, keep_files=True)


@pytest.mark.parametrize('body', [b'[]', b'nonsense', b'{}', b'{"id": 3, "status": null}', b'{"name": 7}'])
@pytest.mark.parametrize('vendor', VENDORS)
async def test_a_body_that_is_not_the_vendors_is_no_error_from_the_inside(body: bytes, vendor: str) -> None:
    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope['type'] == 'http':
            headers = [(b'content-type', b'application/json')]
            await send({'type': 'http.response.start', 'status': 200, 'headers': headers})
            await send({'type': 'http.response.body', 'body': body})

    with LocalServer(respond) as url:
        async with VENDORS[vendor](url) as model:
            with pytest.raises((UnexpectedModelBehavior, ModelAPIError)):
                await batch_requests(model, ['a'])
            with pytest.raises((UnexpectedModelBehavior, ModelAPIError)):
                await get_batch(model, 'batches/a')


@pytest.mark.parametrize('id', ['../../admin', 'a/../b', 'a\r\nX-Other: b', 'a b', 'a#b'])
async def test_an_id_that_leads_elsewhere_is_not_followed(id: str) -> None:
    paths: list[str] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        paths.append(request.url.raw_path.decode())
        return httpx2.Response(200, json={'id': id, 'object': 'batch', 'status': 'in_progress', 'input_file_id': 'f'})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(respond))
    with pytest.raises(UnexpectedModelBehavior, match='which is no id'):
        await (await batch_requests(openai_chat('http://test', http_client=client), ['a'])).refresh()
    assert {*paths} <= {'/v1/files', '/v1/batches'}
