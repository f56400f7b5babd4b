"""Everything that a server sends has a limit, in every room: what breaks one is one of our errors."""

from __future__ import annotations

import asyncio
import pickle
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from pydantic_llm.exceptions import LLMError, ModelHTTPError
from pydantic_llm.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse
from pydantic_llm.models import Model
from tests.faults.vendors import VENDORS, Vendor
from tests.transport.server import Exchange, Server

HELLO = [ModelRequest.user_text_prompt('Hello?')]
SETTINGS: Any = {'retries': 0, 'max_tokens': 100, 'timeout': 20}
DIRECT = [vendor for vendor in VENDORS if vendor.name != 'litellm']
"""The vendors whose bytes this library reads itself."""

ways = pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
vendors = pytest.mark.parametrize('vendor', DIRECT, ids=repr)


class Attack(NamedTuple):
    """A response: its status, headers and body, and its events if the request is streamed."""

    name: str
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = {}
    frames: list[bytes] | None = None


NUMBERS = ('9' * 5000, '9' * 400, '1e999', '1e300', 'NaN', '-1', '0.5', 'null', '"x"', '9223372036854775808', '[1]')
"""Values in place of each number of a response."""

NUMBER = re.compile(rb'(?<=[:, \[])\d+(?=[,}\] ])')

DEEP = b'[' * 100_000 + b']' * 100_000
DEEP_OBJECT = b'{"a":' * 50_000 + b'1' + b'}' * 50_000

ERROR_BODIES = {
    'deep': DEEP,
    'rather deep': b'{"error":' + b'[' * 900 + b']' * 900 + b'}',
    'a deep message': b'{"error":{"message":' + b'[' * 300 + b']' * 300 + b'}}',
    'a long code': b'{"error":{"message":"x","code":"' + b'9' * 5000 + b'"}}',
    'a long number': b'{"error":{"message":"x","code":' + b'9' * 400 + b'},"estimated_time":' + b'9' * 400 + b'}',
    'infinity': b'{"error":{"message":1e999,"code":NaN},"estimated_time":1e999}',
    'a long delay': b'{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"'
    + b'9' * 300
    + b's"}]}}',
    'NUL': b'\x00' * 1000,
    'half a character': b'{"error":{"message":"\\ud800"}}',
    'a long message': b'{"error":{"message":"' + b'x' * 5_000_000 + b'"}}',
    'wrong types': b'{"error":{"message":{"a":[1]},"type":5,"code":[1],"details":{"x":1},"metadata":{"raw":[1]}},'
    b'"request_id":{},"detail":[{"loc":[1,{}],"msg":"x"}]}',
}

DELAYS = ('nan', 'inf', '-5', '31536000', '9' * 5000, '1e306', 'Wed, 21 Oct 9999 07:28:00 GMT', '\x80\xff')
DELAYS += ('Wed, 21 Oct 0001 07:28:00 GMT', 'Wed, 99 Oct 2015 99:99:99 GMT', 'Wed, 21 Oct 2025 07:28:00 +9999')
RESETS = ('9' * 5000, '9' * 400 + 'd', '1e306', '9999-12-31T23:59:59Z', '0001-01-01T00:00:00+23:59', '1.2.3s', '9' * 18)

TEXTS = ('caf\xe9', 'a\x01b', 'a\tb', '\x7f', 'x' * 60_000)
"""Values of headers."""

TARGETS = ('http://other.example:99999/', '//\xff', 'http://[::1', 'javascript:1', f'http://{"a" * 60_000}')


def list_attacks(vendor: Vendor) -> Iterator[Attack]:
    body, frames = vendor.body(), vendor.frames()
    for number in NUMBERS:
        changed = None
        if vendor.name != 'bedrock':  # whose frames have checksums
            changed = [NUMBER.sub(number.encode(), frame) for frame in frames]
        yield Attack(f'numbers {number[:9]}', NUMBER.sub(number.encode(), body), frames=changed)
    for name, deep in {'deep': DEEP, 'a deep object': DEEP_OBJECT}.items():
        yield Attack(name, deep, frames=[b'data: ' + deep + b'\n\n'])
    for depth in (150, 900):
        odd = b'{"x":' + b'[' * depth + b']' * depth
        yield Attack(f'depth {depth}', odd + b',' + body[1:], frames=[b'data: ' + odd + b'}\n\n', *frames])
    for text in TEXTS:
        yield Attack(f'header {text[:9]!r}', body, headers={'x-odd': text, 'x-request-id': text}, frames=frames)
        yield Attack(f'content type {text[:9]!r}', body, headers={'content-type': text}, frames=frames)
    for encoding in ('br', 'gzip, gzip', '\xe9', 'gzip'):
        yield Attack(f'encoding {encoding!r}', body, headers={'content-encoding': encoding}, frames=frames)
    yield Attack('many headers', body, headers={f'x-{number}': 'y' * 100 for number in range(5000)}, frames=frames)


def list_errors(status: int) -> Iterator[Attack]:
    for name, body in ERROR_BODIES.items():
        yield Attack(f'error {name}', body, status)
    for delay in DELAYS:
        for header in ('retry-after', 'retry-after-ms'):
            yield Attack(f'{header} {delay[:9]!r}', b'{}', status, {header: delay})
    for reset in RESETS:
        for limit in ('x-ratelimit-{}-requests', 'anthropic-ratelimit-requests-{}'):
            headers = {limit.format('remaining'): '0', limit.format('reset'): reset}
            yield Attack(f'reset {reset[:9]!r}', b'{}', 429, headers)
    for text in TEXTS:
        headers = dict.fromkeys(('x-request-id', 'x-amzn-errortype', 'x-should-retry'), text)
        yield Attack(f'error header {text[:9]!r}', b'{}', 400, headers)
    for target in TARGETS:
        yield Attack(f'redirect to {target[:9]!r}', b'{}', 307, {'location': target})
    yield Attack('an encoding that is not gzip', b'{}', 500, {'content-encoding': 'gzip'})


async def ask(model: Model, *, stream: bool) -> ModelResponse | LLMError:
    try:
        async with asyncio.timeout(15):
            if not stream:
                return await model.request(HELLO, SETTINGS)
            async with model.request_stream(HELLO, SETTINGS) as streamed:
                async for _ in streamed:
                    pass
                return streamed.get()
    except LLMError as error:
        return error


def check(found: ModelResponse | LLMError, name: str, model: Model) -> None:
    """Check that an error can be shown, stored and waited for, and that a response can be stored and sent again."""
    if isinstance(found, LLMError):
        assert len(str(pickle.loads(pickle.dumps(found)))) < 5000, name
        wait = found.retry_after if isinstance(found, ModelHTTPError) else None
        assert wait is None or 0 <= wait <= 366 * 86_400, name
        return
    history = [*HELLO, found, *HELLO]
    ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(history))
    model.prepare(history)


@ways
@vendors
async def test_a_hostile_response_is_a_response_or_one_of_our_errors(vendor: Vendor, stream: bool) -> None:
    attack = Attack('', b'')

    async def answer(exchange: Exchange) -> None:
        if stream and attack.frames is not None:
            await exchange.begin(vendor.api.stream_type, attack.headers)
            for frame in attack.frames:
                await exchange.chunk(frame)
            await exchange.end()
        else:
            await exchange.respond(attack.body, status=attack.status, headers=attack.headers)

    async with Server(answer).run() as server:
        model = vendor.make(server.url)
        for attack in [*list_attacks(vendor), *list_errors(503 if stream else 429)]:
            check(await ask(model, stream=stream), attack.name, model)


@ways
@vendors
async def test_endless_headers_end_the_request(vendor: Vendor, stream: bool) -> None:
    """An endless name, value or number of headers."""
    start = piece = b''

    async def answer(exchange: Exchange) -> None:
        await exchange.write(b'HTTP/1.1 200 OK\r\n' + start)
        while True:
            await exchange.write(piece)

    async with Server(answer).run() as server:
        model = vendor.make(server.url)
        for kind in ((b'', b'x' * 10_000), (b'x-a: ', b'y' * 10_000), (b'', b'x-a: ' + b'y' * 1000 + b'\r\n')):
            start, piece = kind
            assert isinstance(await ask(model, stream=stream), LLMError)
