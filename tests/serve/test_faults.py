"""Every fault that a server can inject."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import pairwise
from time import perf_counter
from typing import Any

import httpx2
import pytest

from pydantic_llm.serve import Fault, LocalServer, create_app
from tests.serve.conftest import Connect
from tests.serve.models import text_model
from tests.serve.protocols import Wire, data_of, events_of

PIECES = ('one ', 'two ', 'three')


async def get_stream(connect: Connect, wire: Wire, fault: Fault) -> httpx2.Response:
    async with connect(text_model(*PIECES), faults=lambda body: fault) as client:
        return await client.post(wire.to(body := wire.request(stream=True)), json=body)


async def get_response(connect: Connect, wire: Wire, fault: Fault) -> httpx2.Response:
    async with connect(text_model(*PIECES), faults=lambda body: fault) as client:
        return await client.post(wire.to(body := wire.request()), json=body)


class StreamReader:
    """Reads a stream over a real connection, and records the text and the time of each piece."""

    def __init__(self, wire: Wire, fault: Fault) -> None:
        self.wire = wire
        self.fault = fault
        self.status = 0
        self.headers_after = 0.0
        self.pieces: list[tuple[float, str]] = []

    @property
    def text(self) -> str:
        return ''.join(text for _, text in self.pieces)

    async def read(self, *, until: str | None = None) -> None:
        app = create_app(text_model(*PIECES), faults=lambda body: self.fault)
        async with LocalServer(app) as url, httpx2.AsyncClient() as client:
            started = perf_counter()
            request = self.wire.request(stream=True)
            async with client.stream('POST', url + self.wire.to(request), json=request) as response:
                self.status, self.headers_after = response.status_code, perf_counter() - started
                async for text in response.aiter_text():
                    self.pieces.append((perf_counter() - started, text))
                    if until is not None and until in self.text:
                        break


async def get_expected_events(connect: Connect, wire: Wire) -> list[str]:
    """Return the data of the events of a response without a fault."""
    response = await get_stream(connect, wire, Fault())
    return [without_ids(data) for data in data_of(response.text)]


def without_ids(data: str) -> str:
    """Remove the ids and times, which differ from response to response."""
    return re.sub(r'"(chatcmpl-|msg_|resp_)\w+"|"[0-9a-f-]{36}"|"created(_at)?":\d+|"createTime":"[^"]+"', '', data)


# --------------------------------------------------------------------------------------------- instead of a response


async def test_an_empty_fault_changes_nothing(connect: Connect, wire: Wire) -> None:
    streamed, whole = await get_stream(connect, wire, Fault()), await get_response(connect, wire, Fault())
    assert ''.join(wire.read_delta(event) for event in events_of(streamed.text)) == 'one two three'
    assert wire.read_text(whole.json()) == 'one two three'


async def test_a_plan_chooses_the_fault_by_the_body(connect: Connect, wire: Wire) -> None:
    def plan(body: Any) -> Fault | None:
        return Fault(status=500) if body['model'] == 'bad' else None

    async with connect(text_model('Hello'), faults=plan) as client:
        good = await client.post(wire.to(body := wire.request()), json=body)
        bad = await client.post(wire.to(body := wire.request() | {'model': 'bad'}), json=body)
    assert (good.status_code, bad.status_code) == (200, 500)


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_status_comes_with_an_error_of_the_protocol_and_the_headers(
    connect: Connect, wire: Wire, stream: bool
) -> None:
    fault = Fault(status=429, headers={'retry-after': '3'})
    async with connect(text_model('Hello'), faults=lambda body: fault) as client:
        response = await client.post(wire.to(body := wire.request(stream=stream)), json=body)
    assert (response.status_code, response.headers['retry-after']) == (429, '3')
    assert wire.read_error(response.json()) == 'The server was told to fail'
    assert response.json().get('error', {}).get('type') in ('rate_limit_error', None)


async def test_a_body_is_sent_unchanged(connect: Connect, wire: Wire) -> None:
    page = Fault(body=b'<html>', content_type='text/html', headers={'server': 'proxy'})
    response = await get_response(connect, wire, page)
    assert (response.status_code, response.content) == (200, b'<html>')
    assert (response.headers['content-type'], response.headers['server']) == ('text/html', 'proxy')


async def test_a_body_can_have_a_status(connect: Connect, wire: Wire) -> None:
    response = await get_stream(connect, wire, Fault(status=502, body=b'Bad gateway', content_type='text/plain'))
    assert (response.status_code, response.text) == (502, 'Bad gateway')


async def test_headers_are_added_to_a_response(connect: Connect, wire: Wire) -> None:
    fault = Fault(headers={'x-request-id': 'r1'})
    streamed, whole = await get_stream(connect, wire, fault), await get_response(connect, wire, fault)
    assert (streamed.headers['x-request-id'], whole.headers['x-request-id']) == ('r1', 'r1')


# ---------------------------------------------------------------------------------------------------- in a stream


async def test_a_stream_can_end_early_as_if_it_were_complete(connect: Connect, wire: Wire) -> None:
    expected = await get_expected_events(connect, wire)
    for count in range(len(expected)):
        response = await get_stream(connect, wire, Fault(end_after=count))
        assert [without_ids(data) for data in data_of(response.text)] == expected[:count]


async def test_a_stream_can_contain_an_invalid_event(connect: Connect, wire: Wire) -> None:
    expected = await get_expected_events(connect, wire)
    for count in range(len(expected) + 1):
        response = await get_stream(connect, wire, Fault(garbage_after=count))
        data = [without_ids(data) for data in data_of(response.text)]
        assert data == [*expected[:count], '{"this is no JSON', *expected[count:]]


async def test_a_stream_can_end_in_an_error(connect: Connect, wire: Wire) -> None:
    expected = await get_expected_events(connect, wire)
    for count in range(len(expected) + 1):
        response = await get_stream(connect, wire, Fault(error_after=count))
        *before, last = data_of(response.text)
        assert [without_ids(data) for data in before] == expected[:count]
        assert wire.read_error(json.loads(last)) == 'The server was told to fail'


async def test_a_response_that_is_not_streamed_is_one_event(connect: Connect, wire: Wire) -> None:
    none = await get_response(connect, wire, Fault(end_after=0))
    error = await get_response(connect, wire, Fault(error_after=0))
    garbage = await get_response(connect, wire, Fault(garbage_after=0, keep_alive=0.01, delay_first=0.05))
    assert (none.status_code, none.content) == (200, b'')
    assert (error.status_code, wire.read_error(error.json())) == (200, 'The server was told to fail')
    assert garbage.content.startswith(b'data: {"this is no JSON\n\n{')


@pytest.mark.parametrize('count', [0, 1, 3])
async def test_the_connection_of_a_stream_can_break(wire: Wire, count: int) -> None:
    reader = StreamReader(wire, Fault(cut_after=count))
    with pytest.raises(httpx2.RemoteProtocolError):
        await reader.read()
    assert reader.status == 200
    assert len(data_of(reader.text)) == count


async def test_the_connection_can_break_after_the_last_event(connect: Connect, wire: Wire) -> None:
    count = len(await get_expected_events(connect, wire))
    reader = StreamReader(wire, Fault(cut_after=count))
    with pytest.raises(httpx2.RemoteProtocolError):
        await reader.read()
    assert len(data_of(reader.text)) == count


async def test_the_connection_of_a_response_that_is_not_streamed_can_break(wire: Wire) -> None:
    app = create_app(text_model('Hello'), faults=lambda body: Fault(cut_after=1))
    async with LocalServer(app) as url, httpx2.AsyncClient() as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.post(url + wire.to(body := wire.request()), json=body)


# ---------------------------------------------------------------------------------------------------------- silences


async def test_silence_before_the_headers(wire: Wire) -> None:
    reader = StreamReader(wire, Fault(delay=0.1))
    await reader.read()
    assert reader.headers_after >= 0.1


async def test_silence_before_the_first_event(wire: Wire) -> None:
    reader = StreamReader(wire, Fault(delay_first=0.1))
    await reader.read()
    assert reader.pieces[0][0] - reader.headers_after >= 0.09


async def test_silence_before_every_event(wire: Wire) -> None:
    reader = StreamReader(wire, Fault(delay_each=0.03))
    await reader.read()
    times = [time for time, _ in reader.pieces]
    assert len(data_of(reader.text)) >= 4
    assert times[-1] - reader.headers_after >= 0.03 * len(data_of(reader.text)) - 0.01
    assert all(later - earlier < 0.5 for earlier, later in pairwise(times))


@pytest.mark.parametrize('count', [0, 2])
async def test_a_stream_can_stall_with_keep_alive_frames(wire: Wire, count: int) -> None:
    reader = StreamReader(wire, Fault(stall_after=count, keep_alive=0.01))
    await reader.read(until=': keep-alive\n\n' * 3)
    assert len(data_of(reader.text)) == count


async def test_a_stream_can_stall_in_silence(wire: Wire) -> None:
    reader = StreamReader(wire, Fault(stall_after=1))
    reading = asyncio.ensure_future(reader.read())
    async with asyncio.timeout(10):
        while not data_of(reader.text):  # noqa: ASYNC110 -- the reader has no event for it
            await asyncio.sleep(0.01)
    assert await asyncio.wait({reading}, timeout=0.2) == (set(), {reading})
    reading.cancel()
    await asyncio.wait({reading})
    assert (reader.status, len(data_of(reader.text))) == (200, 1)


async def test_keep_alive_frames_do_not_lengthen_a_silence(connect: Connect, wire: Wire) -> None:
    response = await get_stream(connect, wire, Fault(delay_first=0.1, keep_alive=0.03))
    assert response.text.startswith(': keep-alive\n\n' * 3)
    assert response.text.count(': keep-alive') == 3
    short = await get_stream(connect, wire, Fault(delay_first=0.05, keep_alive=1))
    assert ': keep-alive' not in short.text
