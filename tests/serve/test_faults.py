"""Every way in which a server can be told to misbehave."""

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
from tests.serve.models import says
from tests.serve.protocols import Wire, data_of, events_of

PIECES = ('one ', 'two ', 'three')


async def stream_with(connect: Connect, wire: Wire, fault: Fault) -> httpx2.Response:
    async with connect(says(*PIECES), faults=lambda body: fault) as client:
        return await client.post(wire.to(body := wire.request(stream=True)), json=body)


async def whole_with(connect: Connect, wire: Wire, fault: Fault) -> httpx2.Response:
    async with connect(says(*PIECES), faults=lambda body: fault) as client:
        return await client.post(wire.to(body := wire.request()), json=body)


class Listener:
    """Reads a stream over a real connection, and keeps what came and when."""

    def __init__(self, wire: Wire, fault: Fault) -> None:
        self.wire = wire
        self.fault = fault
        self.status = 0
        self.opened = 0.0
        self.came: list[tuple[float, str]] = []

    @property
    def text(self) -> str:
        return ''.join(text for _, text in self.came)

    async def listen(self, *, until: str | None = None) -> None:
        app = create_app(says(*PIECES), faults=lambda body: self.fault)
        async with LocalServer(app) as url, httpx2.AsyncClient() as client:
            started = perf_counter()
            request = self.wire.request(stream=True)
            async with client.stream('POST', url + self.wire.to(request), json=request) as answer:
                self.status, self.opened = answer.status_code, perf_counter() - started
                async for text in answer.aiter_text():
                    self.came.append((perf_counter() - started, text))
                    if until is not None and until in self.text:
                        break


async def good_events(connect: Connect, wire: Wire) -> list[str]:
    """The data of the events of an answer with which nothing is wrong."""
    answer = await stream_with(connect, wire, Fault())
    return [without_ids(data) for data in data_of(answer.text)]


def without_ids(data: str) -> str:
    """Each answer has an id of its own."""
    return re.sub(r'"(chatcmpl-|msg_|resp_)\w+"|"[0-9a-f-]{36}"|"created(_at)?":\d+|"createTime":"[^"]+"', '', data)


# ------------------------------------------------------------------------------------------ in the place of the answer


async def test_a_fault_without_anything_changes_nothing(connect: Connect, wire: Wire) -> None:
    streamed, whole = await stream_with(connect, wire, Fault()), await whole_with(connect, wire, Fault())
    assert ''.join(wire.read_delta(event) for event in events_of(streamed.text)) == 'one two three'
    assert wire.read_text(whole.json()) == 'one two three'


async def test_a_plan_chooses_by_the_body(connect: Connect, wire: Wire) -> None:
    def plan(body: Any) -> Fault | None:
        return Fault(status=500) if body['model'] == 'bad' else None

    async with connect(says('Hello'), faults=plan) as client:
        good = await client.post(wire.to(body := wire.request()), json=body)
        bad = await client.post(wire.to(body := wire.request() | {'model': 'bad'}), json=body)
    assert (good.status_code, bad.status_code) == (200, 500)


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_status_comes_with_the_protocols_error_and_the_headers(
    connect: Connect, wire: Wire, stream: bool
) -> None:
    fault = Fault(status=429, headers={'retry-after': '3'})
    async with connect(says('Hello'), faults=lambda body: fault) as client:
        answer = await client.post(wire.to(body := wire.request(stream=stream)), json=body)
    assert (answer.status_code, answer.headers['retry-after']) == (429, '3')
    assert wire.read_error(answer.json()) == 'The server was told to fail'
    assert answer.json().get('error', {}).get('type') in ('rate_limit_error', None)


async def test_a_body_is_sent_as_it_is(connect: Connect, wire: Wire) -> None:
    page = Fault(body=b'<html>', content_type='text/html', headers={'server': 'proxy'})
    answer = await whole_with(connect, wire, page)
    assert (answer.status_code, answer.content) == (200, b'<html>')
    assert (answer.headers['content-type'], answer.headers['server']) == ('text/html', 'proxy')


async def test_a_body_can_have_a_status(connect: Connect, wire: Wire) -> None:
    answer = await stream_with(connect, wire, Fault(status=502, body=b'Bad gateway', content_type='text/plain'))
    assert (answer.status_code, answer.text) == (502, 'Bad gateway')


async def test_headers_stand_beside_a_good_answer(connect: Connect, wire: Wire) -> None:
    fault = Fault(headers={'x-request-id': 'r1'})
    streamed, whole = await stream_with(connect, wire, fault), await whole_with(connect, wire, fault)
    assert (streamed.headers['x-request-id'], whole.headers['x-request-id']) == ('r1', 'r1')


# ---------------------------------------------------------------------------------------------------- in a stream


async def test_a_stream_can_end_early_as_if_it_were_over(connect: Connect, wire: Wire) -> None:
    good = await good_events(connect, wire)
    for count in range(len(good)):
        answer = await stream_with(connect, wire, Fault(end_after=count))
        assert [without_ids(data) for data in data_of(answer.text)] == good[:count]


async def test_a_stream_can_hold_garbage(connect: Connect, wire: Wire) -> None:
    good = await good_events(connect, wire)
    for count in range(len(good) + 1):
        answer = await stream_with(connect, wire, Fault(garbage_after=count))
        data = [without_ids(data) for data in data_of(answer.text)]
        assert data == [*good[:count], '{"this is no JSON', *good[count:]]


async def test_a_stream_can_end_in_an_error(connect: Connect, wire: Wire) -> None:
    good = await good_events(connect, wire)
    for count in range(len(good) + 1):
        answer = await stream_with(connect, wire, Fault(error_after=count))
        *before, last = data_of(answer.text)
        assert [without_ids(data) for data in before] == good[:count]
        assert wire.read_error(json.loads(last)) == 'The server was told to fail'


async def test_a_whole_answer_is_one_event(connect: Connect, wire: Wire) -> None:
    none = await whole_with(connect, wire, Fault(end_after=0))
    error = await whole_with(connect, wire, Fault(error_after=0))
    garbage = await whole_with(connect, wire, Fault(garbage_after=0, keep_alive=0.01, delay_first=0.05))
    assert (none.status_code, none.content) == (200, b'')
    assert (error.status_code, wire.read_error(error.json())) == (200, 'The server was told to fail')
    assert garbage.content.startswith(b'data: {"this is no JSON\n\n{')


@pytest.mark.parametrize('count', [0, 1, 3])
async def test_a_stream_can_be_cut(wire: Wire, count: int) -> None:
    listener = Listener(wire, Fault(cut_after=count))
    with pytest.raises(httpx2.RemoteProtocolError):
        await listener.listen()
    assert listener.status == 200
    assert len(data_of(listener.text)) == count


async def test_a_stream_can_be_cut_behind_its_last_event(connect: Connect, wire: Wire) -> None:
    count = len(await good_events(connect, wire))
    listener = Listener(wire, Fault(cut_after=count))
    with pytest.raises(httpx2.RemoteProtocolError):
        await listener.listen()
    assert len(data_of(listener.text)) == count


async def test_a_whole_answer_can_be_cut(wire: Wire) -> None:
    app = create_app(says('Hello'), faults=lambda body: Fault(cut_after=1))
    async with LocalServer(app) as url, httpx2.AsyncClient() as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.post(url + wire.to(body := wire.request()), json=body)


# ------------------------------------------------------------------------------------------------------- in silence


async def test_silence_before_the_headers(wire: Wire) -> None:
    listener = Listener(wire, Fault(delay=0.1))
    await listener.listen()
    assert listener.opened >= 0.1


async def test_silence_before_the_first_event(wire: Wire) -> None:
    listener = Listener(wire, Fault(delay_first=0.1))
    await listener.listen()
    assert listener.came[0][0] - listener.opened >= 0.09


async def test_silence_before_every_event(wire: Wire) -> None:
    listener = Listener(wire, Fault(delay_each=0.03))
    await listener.listen()
    times = [time for time, _ in listener.came]
    assert len(data_of(listener.text)) >= 4
    assert times[-1] - listener.opened >= 0.03 * len(data_of(listener.text)) - 0.01
    assert all(later - earlier < 0.5 for earlier, later in pairwise(times))


@pytest.mark.parametrize('count', [0, 2])
async def test_a_stream_can_stall_with_signs_of_life(wire: Wire, count: int) -> None:
    listener = Listener(wire, Fault(stall_after=count, keep_alive=0.01))
    await listener.listen(until=': keep-alive\n\n' * 3)
    assert len(data_of(listener.text)) == count


async def test_a_stream_can_stall_in_silence(wire: Wire) -> None:
    listener = Listener(wire, Fault(stall_after=1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listener.listen(), 0.3)
    assert (listener.status, len(data_of(listener.text))) == (200, 1)


async def test_signs_of_life_do_not_lengthen_a_silence(connect: Connect, wire: Wire) -> None:
    answer = await stream_with(connect, wire, Fault(delay_first=0.1, keep_alive=0.03))
    assert answer.text.startswith(': keep-alive\n\n' * 3)
    assert answer.text.count(': keep-alive') == 3
    short = await stream_with(connect, wire, Fault(delay_first=0.05, keep_alive=1))
    assert ': keep-alive' not in short.text
