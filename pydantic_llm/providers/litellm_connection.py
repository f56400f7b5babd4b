"""Calls LiteLLM: the fields of a body become arguments of `acompletion`, and its result becomes bytes again.

LiteLLM's own retries are off, and it fetches nothing by itself (prices, lists of headers). It caches clients for each
event loop and never closes them; `Clients` closes them when the loop ends.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Any, cast

from pydantic_core import PydanticSerializationError, from_json, to_json

from .._extras import import_extra
from .._threads import Once
from ..exceptions import UserError
from ..json_types import Json
from ..transport import ByteStream, Connection, Deadlines, RawRequest, RawResponse
from ..transport.called_keys import CalledKey, FunctionFailure
from ..transport.deadlines import CLOSING_TIMEOUT, DeadlineExceeded, Watchdog
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from .litellm_errors import is_truncation, translate

__all__ = ('LITELLM', 'LiteLLMConnection', 'make_router')


ENVIRONMENT = {
    'LITELLM_LOCAL_MODEL_COST_MAP': 'True',
    'LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS': 'True',
    'LITELLM_OFFLINE_MODE': 'True',
}
"""Variables that keep LiteLLM from fetching lists over the network. A variable that is already set is not changed."""

CALLBACKS = ('callbacks', 'input_callback', 'success_callback', 'failure_callback', '_async_success_callback')
"""The lists of functions that LiteLLM calls for each call."""

GRACE = 5.0
"""Seconds between a deadline and LiteLLM's own timeout, so that the deadline, which has a name, is reported first."""

BUFFERED_EVENTS = 16
"""The number of chunks that are read ahead of the reader of a stream."""

WHOLE, STREAM = {'content-type': 'application/json'}, {'content-type': 'text/event-stream'}
"""The headers of the two kinds of responses that are made of LiteLLM's results."""

VENDOR_PREFIX = 'llm_provider-'
"""The start of the names of the vendor's headers (`process_response_headers` in litellm's `core_helpers.py`)."""


def load_litellm() -> Any:
    """Import LiteLLM, which takes seconds, with its telemetry and its network requests off."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        litellm = import_extra('litellm', extra='litellm', what='LiteLLMModel')
    except ImportError as error:
        raise UserError(f'The package litellm cannot be imported: {error}') from error
    if hasattr(litellm, 'telemetry'):
        litellm.telemetry = False
    litellm.suppress_debug_info = True
    _call_without_network(litellm)
    return litellm


def _call_without_network(litellm: Any) -> None:
    """Let LiteLLM import all that a first call imports, which takes another half second, unless a callback listens."""
    if any(getattr(litellm, name, ()) for name in CALLBACKS):
        return
    message = {'role': 'user', 'content': 'Hello'}
    with suppress(Exception):  # the first request reports it
        litellm.completion(model='openai/gpt-4o', messages=[message], mock_response='Hello', num_retries=0)


LITELLM = Once(load_litellm)
"""The `litellm` package, imported at most once, in a thread."""


def make_router(deployments: Iterable[Mapping[str, Any]], options: Mapping[str, Any]) -> Any:
    """Make a router over deployments. It retries only if its options enable that, since this library retries too."""
    return LITELLM.wait().Router(model_list=deepcopy([*deployments]), **{'num_retries': 0, **options})


class LiteLLMConnection(Connection):
    """Calls LiteLLM, or a router if there is one, with the provider's options and the fields of a request."""

    def __init__(
        self,
        options: Mapping[str, Any],
        router: Once[Any] | None,
        *,
        provider_name: str,
        secrets: Sequence[str],
        key: CalledKey | None = None,
    ) -> None:
        self._options = options
        self._router = router
        self._provider_name = provider_name
        self._secrets = secrets
        self._key = key
        self._newest_key: tuple[str, ...] = ()

    async def load(self) -> None:
        """Import LiteLLM, and make the router if there is one. An error is raised by the request that follows."""
        with suppress(Exception):
            await (self._router or LITELLM).get()

    async def send(self, request: RawRequest) -> RawResponse:
        watchdog = Watchdog(Deadlines(request.deadlines.timeout, waited=request.deadlines.waited))
        try:
            result = await self._call(request, watchdog)
            return RawResponse(_encode_response(result), _find_headers(result) | WHOLE, self._find_secrets)
        finally:
            watchdog.close()

    async def open(self, request: RawRequest) -> ByteStream:
        watchdog = Watchdog(request.deadlines)
        try:
            result = await self._call(request, watchdog)
        finally:
            watchdog.close()
        translate = partial(self._translate, model_name=request.model_name, in_stream=True)
        return ChunkStream(result, watchdog, translate, self._find_secrets())

    async def aclose(self) -> None:
        """Do nothing: other users of LiteLLM in this event loop share its clients, which are closed with the loop."""

    async def _call(self, request: RawRequest, watchdog: Watchdog) -> Any:
        try:
            with watchdog:
                target = await (self._router or LITELLM).get()
                CLIENTS.get()
                return await target.acompletion(**self._make_arguments(request), **await self._call_key())
        except FunctionFailure as error:
            failure = error.error
        except Exception as error:  # noqa: BLE001 -- raised below, where the key that it may hold is no longer its context
            failure = self._translate(error, model_name=request.model_name)
        raise failure

    async def _call_key(self) -> dict[str, str]:
        """Return the key for a request, if a function returns it."""
        if self._key is None:
            return {}
        key = await self._key.get()
        self._newest_key = (key,)
        return {'api_key': key}

    def _find_secrets(self) -> Sequence[str]:
        return (*self._secrets, *self._newest_key)

    def _make_arguments(self, request: RawRequest) -> Json:
        """Return the arguments of `acompletion`: the options, overridden by the fields of the request."""
        arguments: Json = {**self._options, **from_json(request.body)}
        if request.headers:
            arguments['extra_headers'] = {**(self._options.get('extra_headers') or {}), **request.headers}
        if self._router is None:  # a router has a retry policy of its own
            arguments |= {'num_retries': 0, 'max_retries': 0}
        if request.deadlines.timeout is not None:
            arguments['timeout'] = request.deadlines.timeout + GRACE
        return arguments

    def _translate(self, error: Exception, *, model_name: str, in_stream: bool = False) -> Exception:
        return translate(
            error, model_name, provider_name=self._provider_name, secrets=self._find_secrets(), in_stream=in_stream
        )


def _encode_response(response: Any) -> bytes:
    """Encode a whole response, with its cost if LiteLLM knows the price."""
    fields: Json = response.model_dump(exclude_none=True, warnings=False)
    cost: object = getattr(response, '_hidden_params', {}).get('response_cost')
    if cost is not None and 'usage' in fields:
        fields['usage'].setdefault('cost', cost)
    return _dump_json(fields)


def _find_headers(result: Any) -> dict[str, str]:
    """Return the vendor's headers that LiteLLM keeps with a result, with names in lower case."""
    kept: object = getattr(result, '_hidden_params', {}).get('additional_headers')
    headers = cast('dict[object, object]', kept) if isinstance(kept, dict) else {}
    return {str(name).lower().removeprefix(VENDOR_PREFIX): str(value) for name, value in headers.items()}


def _dump_json(fields: Json) -> bytes:
    """Return JSON. A half of a surrogate pair is escaped: the other half may be in the next event."""
    try:
        return to_json(fields)
    except PydanticSerializationError:
        return json.dumps(fields).encode()


# ---------------------------------------------------------------------- streams


class ChunkStream(ByteStream):
    """The chunks of one of LiteLLM's streams, as server-sent events.

    A task reads them, a few ahead of the reader, so that the stream can be closed in the middle of a read. LiteLLM may
    return a whole response for a streamed request, which then is the only event.
    """

    def __init__(
        self, result: Any, watchdog: Watchdog, translate: Callable[[Exception], Exception], secrets: Sequence[str]
    ) -> None:
        self._is_stream = hasattr(result, '__anext__')
        self.headers: Mapping[str, str] = _find_headers(result) | (STREAM if self._is_stream else WHOLE)
        self._result = result
        self._watchdog = watchdog
        self._translate = translate
        self._secrets = secrets
        self._events = asyncio.Queue[bytes | Exception](BUFFERED_EVENTS)
        self._reader: asyncio.Task[None] | None = None
        self._ended = False
        self._closed = False

    async def read(self) -> bytes:
        if self._ended:
            return b''
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_ahead())
        try:
            with self._watchdog:
                event = await self._events.get()
        except DeadlineExceeded as error:
            event = error  # raised below, where it is not the context of what is raised
        if isinstance(event, Exception):
            event = self._end_or_raise(event)
        self._ended = not event
        return event

    def _end_or_raise(self, error: Exception) -> bytes:
        """Return the end of the stream if it was only truncated; raise the translation of any other error."""
        if is_truncation(error):
            return b''
        raise self._translate(error) from None

    async def _read_ahead(self) -> None:
        """Read the stream to its end into the queue, and close it."""
        try:
            if not self._is_stream:
                await self._events.put(_encode_response(self._result))
            else:
                async for chunk in self._result:
                    await self._events.put(self._encode_event(chunk))
            await self._events.put(b'')
        except Exception as error:  # noqa: BLE001 -- raised by `read`
            await self._events.put(error)
        finally:
            if self._is_stream:
                await self._result.aclose()

    def _encode_event(self, chunk: Any) -> bytes:
        if type(self._result).__name__ == 'CustomStreamWrapper' and not _has_ended(self._result):
            for choice in chunk.choices:
                choice.finish_reason = None  # invented by LiteLLM for a truncated stream
        return b'data: ' + _dump_json(chunk.model_dump(exclude_none=True, warnings=False)) + b'\n\n'

    def progress(self) -> None:
        self._watchdog.progress()

    def find_keys(self) -> Iterable[str]:
        return self._secrets

    async def aclose(self) -> None:
        """Close the stream in at most `CLOSING_TIMEOUT` seconds."""
        if self._closed:
            return
        self._closed = True
        self._watchdog.close()
        with suppress(Exception):  # the connection is dropped, however closing it fails
            async with asyncio.timeout(CLOSING_TIMEOUT):
                await self._close_stream()
        if self._events.empty():  # a reader may be waiting
            self._events.put_nowait(ConnectionAbortedError('the stream was closed'))

    async def _close_stream(self) -> None:
        if self._reader is None:
            await self._result.aclose()
        elif not self._reader.done():
            self._reader.cancel()
            await asyncio.wait([self._reader])


def _has_ended(stream: Any) -> bool:
    """Return whether the vendor has sent a finish reason."""
    return bool(getattr(stream, 'received_finish_reason', True) or getattr(stream, 'intermittent_finish_reason', None))


# ---------------------------------------------------------------------- LiteLLM's clients


class Clients:
    """LiteLLM's clients of one event loop, as a `Kind` of `LoopClients`, which only reports the end of the loop.

    The client that `LoopClients` keeps for a loop is a placeholder.
    """

    def is_fresh(self, client: object) -> bool:
        """Return True: a placeholder has no connection."""
        return True

    def fork(self, client: object) -> object:
        """Return a placeholder for another event loop."""
        return object()

    async def release(self, client: object) -> None:
        """Close LiteLLM's connections of the running event loop, and drop its clients from LiteLLM's cache."""
        litellm: Any = LITELLM.wait()
        cache: Any = litellm.in_memory_llm_clients_cache
        suffix: str = cache.update_cache_key_with_event_loop('')
        shared: Any = getattr(litellm, '__dict__', {}).get('module_level_aclient')
        for key, holder in (*cache.cache_dict.items(), ('', shared)):
            of_this_loop = bool(suffix) and key.endswith(suffix)
            with suppress(Exception):
                await _close_sessions(holder, of_this_loop=of_this_loop)
            if of_this_loop:
                cache.cache_dict.pop(key, None)

    def abandon(self, client: object) -> None:
        """Do nothing: the connections of a closed event loop cannot be closed in it."""


async def _close_sessions(holder: Any, *, of_this_loop: bool) -> None:
    """Close the connections of a client that belong to the running event loop. The client stays usable."""
    client: Any = holder._client  # the `httpx` client in an SDK's client or in LiteLLM's own
    session: Any = getattr(client._transport, 'client', None)
    if getattr(session, '_loop', None) is asyncio.get_running_loop():
        await session.close()
    elif of_this_loop and session is None:  # the transport is not one of aiohttp
        await HTTP.release(client)


HTTP = HttpClients()
"""Closes connections of `httpx`."""

CLIENTS = LoopClients[object](object(), Clients())
"""One placeholder for each event loop in which LiteLLM was called."""
