"""LiteLLM as a connection: the fields of a body are the arguments of `acompletion`, and what it gives is bytes again.

LiteLLM's own retries are off, and it fetches nothing by itself (prices, lists of headers). It keeps clients for each
event loop, shared by all who use it there, and closes them with nobody: we do, once the loop ends (`Clients`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Any

from pydantic_core import from_json, to_json

from .._extras import import_extra
from .._threads import Once
from ..exceptions import UserError
from ..json_types import Json
from ..transport import ByteStream, Connection, Deadlines, RawRequest, RawResponse
from ..transport.deadlines import CLOSING_TIMEOUT, DeadlineExceeded, Watchdog
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from .litellm_errors import explain, is_cut

__all__ = ('LITELLM', 'LiteLLMConnection', 'make_router')


ENVIRONMENT = {
    'LITELLM_LOCAL_MODEL_COST_MAP': 'True',
    'LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS': 'True',
    'LITELLM_OFFLINE_MODE': 'True',
}
"""What keeps LiteLLM from fetching its lists over the network; what is set already stays as it is."""

GRACE = 5.0
"""Seconds after a deadline of ours at which LiteLLM's own limit is reached: ours says which one it was."""

AHEAD = 16
"""How many chunks are read before anybody asks for them."""

WHOLE, STREAM = {'content-type': 'application/json'}, {'content-type': 'text/event-stream'}
"""The headers of what we make of LiteLLM's answers."""


def load_litellm() -> Any:
    """Import LiteLLM, which takes seconds, with its telemetry and its network look-ups off."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        litellm = import_extra('litellm', extra='litellm', what='LiteLLMModel')
    except ImportError as error:
        raise UserError(f'The package litellm cannot be imported: {error}') from error
    if hasattr(litellm, 'telemetry'):
        litellm.telemetry = False
    litellm.suppress_debug_info = True
    return litellm


LITELLM = Once(load_litellm)
"""LiteLLM, imported once for all."""


def make_router(deployments: Iterable[Mapping[str, Any]], options: Mapping[str, Any]) -> Any:
    """A router over these deployments. It does not retry unless its options say so, since we do."""
    return LITELLM.wait().Router(model_list=deepcopy([*deployments]), **{'num_retries': 0, **options})


class LiteLLMConnection(Connection):
    """Calls LiteLLM with these options beside what a request says; by a router, where there is one."""

    def __init__(
        self,
        options: Mapping[str, Any],
        router: Once[Any] | None,
        *,
        provider_name: str,
        secrets: Sequence[str],
    ) -> None:
        self._options = options
        self._router = router
        self._provider_name = provider_name
        self._secrets = secrets

    async def send(self, request: RawRequest) -> RawResponse:
        """Ask, and wait for the whole answer."""
        watchdog = Watchdog(Deadlines(request.deadlines.timeout, waited=request.deadlines.waited))
        try:
            return RawResponse(_whole(await self._ask(request, watchdog)), WHOLE)
        finally:
            watchdog.close()

    async def open(self, request: RawRequest) -> ByteStream:
        """Ask, and get the answer as it comes."""
        watchdog = Watchdog(request.deadlines)
        try:
            answer = await self._ask(request, watchdog)
        finally:
            watchdog.close()
        return Chunks(answer, watchdog, partial(self._explain, model_name=request.model_name, in_stream=True))

    async def aclose(self) -> None:
        """Nothing: the clients are everybody's who uses LiteLLM in this event loop, and are closed when it ends."""

    async def _ask(self, request: RawRequest, watchdog: Watchdog) -> Any:
        try:
            with watchdog:
                asked = await (LITELLM if self._router is None else self._router).get()
                CLIENTS.get()
                return await asked.acompletion(**self._arguments(request))
        except Exception as error:  # noqa: BLE001 -- raised below, where the key that it may hold is no longer its context
            failure = self._explain(error, model_name=request.model_name)
        raise failure

    def _arguments(self, request: RawRequest) -> Json:
        """The options, with what the request says laid over them."""
        arguments: Json = {**self._options, **from_json(request.body)}
        if request.headers:
            arguments['extra_headers'] = {**(self._options.get('extra_headers') or {}), **request.headers}
        if self._router is None:  # which has a policy of its own
            arguments |= {'num_retries': 0, 'max_retries': 0}
        if request.deadlines.timeout is not None:
            arguments['timeout'] = request.deadlines.timeout + GRACE
        return arguments

    def _explain(self, error: Exception, *, model_name: str, in_stream: bool = False) -> Exception:
        return explain(error, model_name, provider_name=self._provider_name, secrets=self._secrets, in_stream=in_stream)


def _whole(answer: Any) -> bytes:
    """A whole answer, with what it cost where LiteLLM knows."""
    fields: Json = answer.model_dump(exclude_none=True, warnings=False)
    cost: object = getattr(answer, '_hidden_params', {}).get('response_cost')
    if cost is not None and 'usage' in fields:
        fields['usage'].setdefault('cost', cost)
    return to_json(fields)


# ---------------------------------------------------------------------- streams


class Chunks(ByteStream):
    """The chunks of a stream of LiteLLM's, as server-sent events.

    One task reads them, a few ahead of whoever waits, so that the stream can be closed in the middle of a read.
    """

    def __init__(self, answer: Any, watchdog: Watchdog, explain: Callable[[Exception], Exception]) -> None:
        self._is_stream = hasattr(answer, '__anext__')
        self.headers = STREAM if self._is_stream else WHOLE
        self._answer = answer
        self._watchdog = watchdog
        self._explain = explain
        self._events = asyncio.Queue[bytes | Exception](AHEAD)
        self._reading: asyncio.Task[None] | None = None
        self._over = False
        self._closed = False

    async def read(self) -> bytes:
        """The next event; empty at the end."""
        if self._over:
            return b''
        if self._reading is None:
            self._reading = asyncio.create_task(self._pull())
        try:
            with self._watchdog:
                event = await self._events.get()
        except DeadlineExceeded as error:
            event = error  # raised below, without this one as its context
        if isinstance(event, Exception):
            event = self._ended_by(event)
        self._over = not event
        return event

    def _ended_by(self, error: Exception) -> bytes:
        """The end, where the stream was merely cut; raises what else an error means."""
        if is_cut(error):
            return b''
        raise self._explain(error) from None

    async def _pull(self) -> None:
        """Read to the end, and close."""
        try:
            if not self._is_stream:
                await self._events.put(_whole(self._answer))
            else:
                async for chunk in self._answer:
                    await self._events.put(self._event(chunk))
            await self._events.put(b'')
        except Exception as error:  # noqa: BLE001 -- raised where it is waited for
            await self._events.put(error)
        finally:
            if self._is_stream:
                await self._answer.aclose()

    def _event(self, chunk: Any) -> bytes:
        if type(self._answer).__name__ == 'CustomStreamWrapper' and not _has_ended(self._answer):
            for choice in chunk.choices:
                choice.finish_reason = None  # made up by LiteLLM, for a stream that was cut
        fields: str = chunk.model_dump_json(exclude_none=True, warnings=False)
        return b'data: ' + fields.encode() + b'\n\n'

    def progress(self) -> None:
        """An event has come."""
        self._watchdog.progress()

    async def aclose(self) -> None:
        """Close the stream now."""
        if self._closed:
            return
        self._closed = True
        self._watchdog.close()
        with suppress(Exception):  # thrown away: how a connection breaks does not matter
            async with asyncio.timeout(CLOSING_TIMEOUT):
                await self._close()
        if self._events.empty():  # somebody may wait for what will not come
            self._events.put_nowait(ConnectionAbortedError('the stream was closed'))

    async def _close(self) -> None:
        if self._reading is None:
            await self._answer.aclose()
        elif not self._reading.done():
            self._reading.cancel()
            await asyncio.wait([self._reading])


def _has_ended(stream: Any) -> bool:
    """Whether the vendor has said why the answer ended."""
    return bool(getattr(stream, 'received_finish_reason', True) or getattr(stream, 'intermittent_finish_reason', None))


# ---------------------------------------------------------------------- the clients


class Clients:
    """What LiteLLM keeps for an event loop, as `LoopClients` wants to know it. The value itself means nothing."""

    def is_fresh(self, client: object) -> bool:
        """There is nothing to open."""
        return True

    def fork(self, client: object) -> object:
        """One for another loop."""
        return object()

    async def release(self, client: object) -> None:
        """Close what LiteLLM has open in this loop."""
        litellm: Any = LITELLM.wait()
        kept: Any = litellm.in_memory_llm_clients_cache
        ending: str = kept.update_cache_key_with_event_loop('')
        everybodys: Any = getattr(litellm, '__dict__', {}).get('module_level_aclient')
        for key, holder in (*kept.cache_dict.items(), ('', everybodys)):
            ours = bool(ending) and key.endswith(ending)
            with suppress(Exception):
                await _close_sessions(holder, ours=ours)
            if ours:
                kept.cache_dict.pop(key, None)

    def abandon(self, client: object) -> None:
        """A loop that was closed without a word takes what it had with it."""


async def _close_sessions(holder: Any, *, ours: bool) -> None:
    """Close the connections of a client that belong to the running loop. It stays usable."""
    client: Any = holder._client  # of `httpx`, below the client of an SDK or LiteLLM's own
    session: Any = getattr(client._transport, 'client', None)
    if getattr(session, '_loop', None) is asyncio.get_running_loop():
        await session.close()
    elif ours and session is None:  # no transport of aiohttp's
        await HTTP.release(client)


HTTP = HttpClients()
"""How connections of `httpx` are closed."""

CLIENTS = LoopClients[object](object(), Clients())
"""The event loops in which LiteLLM was called."""
