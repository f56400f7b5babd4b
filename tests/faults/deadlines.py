"""Measures the deadlines of every room with a stopwatch: `python -m tests.faults.deadlines [--tolerance SECONDS]`.

Each stage is a server that lets a request wait for ever in one way. The program prints a table of rooms and stages with
the seconds until the error, and exits with 1 if one is later than the limit by more than 10 % and 100 ms. A busy
machine needs a `--tolerance`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import sys
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_llm.exceptions import LLMError, UserError
from pydantic_llm.messages import ImageUrl, ModelRequest, UserPromptPart
from pydantic_llm.models import Model
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.providers.litellm_connection import LITELLM
from tests.faults.vendors import VENDORS, Vendor
from tests.transport.server import Exchange, Server

LIMIT = 0.4
"""The deadline in seconds."""

HANGS = 20.0
"""Seconds after which a request counts as one that never ends."""

HELLO = [ModelRequest.user_text_prompt('Hello?')]


@dataclass(frozen=True)
class Stage:
    """One way in which a server lets a request wait."""

    name: str
    serve: Callable[[Exchange, Vendor], Awaitable[None]]
    streamed: bool
    setting: str = 'timeout'
    may_complete: bool = False
    """True if the response may also be complete, since its end has arrived."""
    through: Callable[[Model], contextlib.AbstractAsyncContextManager[Model]] | None = None
    """Makes a model around the room's model, in which the request waits."""
    download: bool = False
    """True if the request has a file that is downloaded first, from the same server."""


# ---------------------------------------------------------------------- the stages


async def before_headers(exchange: Exchange, vendor: Vendor) -> None:
    await exchange.wait_until_gone()


def after(count: int | None, tail: bytes = b'') -> Callable[[Exchange, Vendor], Awaitable[None]]:
    """Return a handler that sends `count` events, or all of them, and a `tail`, and then waits."""

    async def serve(exchange: Exchange, vendor: Vendor) -> None:
        await exchange.begin(vendor.api.stream_type)
        for piece in [*vendor.frames()[:count], tail]:
            if piece:
                await exchange.chunk(piece)
        await exchange.wait_until_gone()

    return serve


async def before_content(exchange: Exchange, vendor: Vendor) -> None:
    """Send the events before the first one with text, and a comment, and wait."""
    frames = vendor.frames()
    start = next(number for number, frame in enumerate(frames) if b'Let ' in frame)
    await after(start, b'' if vendor.name == 'bedrock' else COMMENT)(exchange, vendor)


def repeat(piece: bytes | None, events: int = 0) -> Callable[[Exchange, Vendor], Awaitable[None]]:
    """Return a handler that sends some events, and then a piece again and again; `None` for bytes of an event."""

    async def serve(exchange: Exchange, vendor: Vendor) -> None:
        frames = vendor.frames()
        await exchange.begin(vendor.api.stream_type)
        for frame in frames[:events]:
            await exchange.chunk(frame)
        for number in range(10_000):
            await exchange.chunk(frames[events][number : number + 1] or b'x' if piece is None else piece)
            await asyncio.sleep(0.02)

    return serve


async def inside_a_body(exchange: Exchange, vendor: Vendor) -> None:
    await exchange.begin('application/json')
    await exchange.chunk(vendor.body()[:20])
    await exchange.wait_until_gone()


async def blanks_before_a_body(exchange: Exchange, vendor: Vendor) -> None:
    await exchange.begin('application/json')
    for _ in range(10_000):
        await exchange.chunk(b' ')
        await asyncio.sleep(0.02)


BOMB = gzip.compress(b' ' * 200_000_000, 1)


async def bomb(exchange: Exchange, vendor: Vendor) -> None:
    content_type = 'application/json' if not _is_streamed(exchange) else vendor.api.stream_type
    await exchange.begin(content_type, {'content-encoding': 'gzip'})
    await exchange.chunk(BOMB)
    await exchange.wait_until_gone()


async def drip_a_file(exchange: Exchange, vendor: Vendor) -> None:
    await repeat(b'x')(exchange, vendor)


@contextlib.asynccontextmanager
async def in_a_queue(model: Model) -> AsyncIterator[Model]:
    """Yield a model whose only slot is taken."""
    limited = ConcurrencyLimitedModel(model, limit=1)
    first = asyncio.create_task(limited.request(HELLO, {'retries': 0, 'max_tokens': 100, 'timeout': HANGS}))
    await asyncio.sleep(0.05)
    try:
        yield limited
    finally:
        first.cancel()
        await asyncio.wait([first])


COMMENT = b': keep-alive\n\n'

STAGES = (
    Stage('before headers', before_headers, streamed=False),
    Stage('inside body', inside_a_body, streamed=False),
    Stage('drip of blanks', blanks_before_a_body, streamed=False),
    Stage('bomb', bomb, streamed=False),
    Stage('queue', before_headers, streamed=False, through=in_a_queue),
    Stage('download', drip_a_file, streamed=False, download=True),
    Stage('s: before headers', before_headers, streamed=True),
    Stage('s: after headers', after(0), streamed=True),
    Stage('s: first token', before_content, streamed=True, setting='first_token_timeout'),
    Stage('s: idle', after(4), streamed=True, setting='idle_timeout'),
    Stage('s: inside event', after(4, b'\x00\x00\x00'), streamed=True),
    Stage('s: after the end', after(None), streamed=True, may_complete=True),
    Stage('s: drip', repeat(None), streamed=True, setting='first_token_timeout'),
    Stage('s: comments', repeat(COMMENT, 4), streamed=True, setting='idle_timeout'),
    Stage('s: blank lines', repeat(b'\n'), streamed=True, setting='first_token_timeout'),
    Stage('s: bomb', bomb, streamed=True),
    Stage('s: queue', before_headers, streamed=True, through=in_a_queue),
    Stage('s: download', drip_a_file, streamed=True, setting='first_token_timeout', download=True),
)


def _is_streamed(exchange: Exchange) -> bool:
    return 'stream' in exchange.path.lower() or b'"stream":true' in exchange.body.replace(b' ', b'')


# ---------------------------------------------------------------------- measuring


async def measure(vendor: Vendor, stage: Stage) -> tuple[float, str]:
    """Return the seconds until a request ended, and how it ended: an error's name, a state, or `'HANGS'`."""

    async def answer(exchange: Exchange) -> None:
        await stage.serve(exchange, vendor)

    async with Server(answer).run() as server:
        model = vendor.make(server.url)
        history = HELLO
        if stage.download:
            image = ImageUrl(f'{server.url}/x.png', force_download='allow-local')
            history = [ModelRequest([UserPromptPart(['Look', image])])]
        async with contextlib.nullcontext(model) if stage.through is None else stage.through(model) as asked:
            began = time.monotonic()
            try:
                end = await asyncio.wait_for(ask(asked, history, stage), HANGS)
            except TimeoutError:
                end = 'HANGS'
            except LLMError as error:
                end = type(error).__name__
            seconds = time.monotonic() - began
        await model.aclose()
    return seconds, end


async def ask(model: Model, history: Sequence[ModelRequest], stage: Stage) -> str:
    settings: Any = {'retries': 0, 'max_tokens': 100, stage.setting: LIMIT}
    if not stage.streamed:
        return (await model.request(history, settings)).state
    async with model.request_stream(history, settings) as stream:
        async for _ in stream:
            pass
        return stream.get().state


def is_right(stage: Stage, seconds: float, end: str, tolerance: float = 0.0) -> bool:
    """Return whether a request ended in time and with the right error."""
    if end == UserError.__name__:
        return stage.download  # a model that takes no images
    ends = {'ModelTimeoutError', *(['complete'] if stage.may_complete else [])}
    if stage.setting == 'timeout' and 'bomb' in stage.name:
        ends |= {'UnexpectedModelBehavior', 'ModelAPIError'}
    # the usage may follow the end of a response for five seconds
    longest = 5.0 if stage.may_complete else LIMIT
    return end in ends and seconds <= longest * 1.1 + 0.1 + tolerance


def _print(line: str) -> None:
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


async def main() -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or '').partition('\n')[0])
    arguments.add_argument('--tolerance', type=float, default=0.0, help='seconds that a busy machine may add')
    arguments.add_argument('--room', action='append', help='only this room')
    options = arguments.parse_args()
    warnings.simplefilter('ignore')  # those of LiteLLM's own code
    LITELLM.wait()
    rooms = [vendor for vendor in VENDORS if not options.room or vendor.name in options.room]
    wrong: list[str] = []
    _print(f'seconds until the error; the limit is {LIMIT}')
    _print('| stage | ' + ' | '.join(room.name for room in rooms) + ' |')
    for stage in STAGES:
        cells: list[str] = []
        for vendor in rooms:
            if vendor.name == 'litellm' and 'bomb' in stage.name:
                cells.append('-')  # its own client decompresses
                continue
            seconds, end = await measure(vendor, stage)
            right = is_right(stage, seconds, end, options.tolerance)
            cells.append('-' if end == UserError.__name__ else f'{seconds:.2f}{"" if right else " " + end}')
            if not right:
                wrong.append(f'{vendor}, {stage.name}: {end} after {seconds:.2f} s')
        _print(f'| {stage.name} | ' + ' | '.join(cells) + ' |')
    _print('\n'.join(wrong) or 'all in time')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(asyncio.run(main()))
