"""The requests of the test's callers, and the checks of what each of them got."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_llm.exceptions import FallbackExceptionGroup, LLMError, RejectedResponseError, StreamInterruptedError
from pydantic_llm.messages import (
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    StreamRestartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_llm.models import Model, StreamedResponse
from pydantic_llm.usage import RequestUsage
from tests.faults.machine.vendor import PIECES, ShortRepr, Visit

NOT_SENT = re.compile(
    r'No deployment is free|under way, and max_queue|requests to .* wait already|left no room for a request|No slot of'
)
"""The errors of requests that never left a wrapper."""

FAILURES = re.compile(
    r'status \d+|refused \d+|reset \d+|error event \d+|did not answer within'
    r'|ended before it was complete|broke off|is not JSON|holds no event'
)
"""A failure of the vendor in a text; one failure has at least one of these."""


@dataclass(frozen=True, repr=False)
class Order(ShortRepr):
    """What a caller asks for."""

    stream: bool = False
    timeout: float | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None
    retries: int = 0
    leave_after: int | None = None
    """The number of events after which the caller leaves the stream."""
    pace: float = 0.0
    """Seconds that the caller needs for an event."""

    @property
    def settings(self) -> Any:
        named = {name: getattr(self, name) for name in ('timeout', 'first_token_timeout', 'idle_timeout', 'retries')}
        return {name: value for name, value in named.items() if value is not None}


@dataclass
class Call:
    """One request of a caller, and what came of it."""

    number: int
    order: Order
    events: list[ModelResponseStreamEvent] = field(default_factory=list[ModelResponseStreamEvent])
    waited: float = 0.0
    """Seconds that the caller waited for the library."""
    response: ModelResponse | None = None
    stream: StreamedResponse | None = None
    left: bool = False
    """The caller left the stream, or was cancelled."""
    task: asyncio.Task[None] = field(init=False)
    checked: bool = False

    def start(self, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        messages = [ModelRequest.user_text_prompt(f'request-{self.number}')]
        run = self._read(model, messages) if self.order.stream else self._ask(model, messages)
        self.task = loop.create_task(self._measure(run))

    async def _measure(self, run: Any) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await run
        finally:
            self.waited += loop.time() - began

    async def _ask(self, model: Model, messages: Sequence[Any]) -> None:
        self.response = await model.request(messages, self.order.settings)

    async def _read(self, model: Model, messages: Sequence[Any]) -> None:
        async with model.request_stream(messages, self.order.settings) as stream:
            self.stream = stream
            async for event in stream:
                self.events.append(event)
                if len(self.events) == self.order.leave_after:
                    self.left = True
                    return
                await self._use_time(self.order.pace)

    async def _use_time(self, seconds: float) -> None:
        if seconds:
            self.waited -= seconds
            await asyncio.sleep(seconds)

    @property
    def error(self) -> BaseException | None:
        if self.task.cancelled():
            return asyncio.CancelledError()
        return self.task.exception()

    # ------------------------------------------------------------------ checks

    def check(self, visits: Sequence[Visit]) -> None:
        """Check the result of a call that is over against what the vendor sent for it."""
        self.checked = True
        error = self.error
        if isinstance(error, asyncio.CancelledError):
            assert self.left, f'call {self.number} was cancelled by the library'
        elif error is not None:
            assert isinstance(error, LLMError), f'call {self.number} raised a foreign {error!r}'
            self._check_errors(error, visits)
        self._check_time()
        if self.stream is not None:
            self.response = self.stream.get()
            self._check_events(self.response)
        if self.response is not None:
            self._check_text(self.response, visits)
            self._check_usage(self.response, visits)
            if error is None and not self.left:
                self._check_attempts(self.response, visits)

    def check_over_sockets(self, visits: Sequence[Visit]) -> None:
        """Check what holds although bytes can be lost on their way: the errors, the attempts, the text of the events.

        A request that timed out may not have reached the vendor.
        """
        error = self.error
        if isinstance(error, asyncio.CancelledError):
            assert self.left, f'call {self.number} was cancelled by the library'
            return
        assert error is None or isinstance(error, LLMError), f'call {self.number} raised a foreign {error!r}'
        assert self.order.timeout is None or self.waited < self.order.timeout + 10, f'it took {self.waited} s'
        if self.stream is not None:
            self.response = self.stream.get()
            self._check_events(self.response)
        if error is not None:
            sent = [str(each) for each in leaves_of(error) if not NOT_SENT.search(str(each))]
            count, texts = len(sent), sent
        else:
            assert self.response is not None
            texts = self.response.warnings
            count = 1 + sum(count_failures(text) for text in texts if 'failed' in text)
            if self.response.state == 'complete':
                assert (self.response.text or '').endswith(''.join(visits[-1].pieces)), self.response
        timed_out = sum(text.count('did not answer within') for text in texts)
        assert count - timed_out <= len(visits) <= count, f'call {self.number}: {len(visits)} requests, {texts}'

    def _check_time(self) -> None:
        limit = self.order.timeout
        if limit is not None:
            longest = limit * 1.1 + 0.1
            assert self.waited <= longest, f'call {self.number} took {self.waited:.2f} s with timeout={limit}'

    def _check_events(self, response: ModelResponse) -> None:
        heard = replay(self.events)
        assert heard == (response.text or ''), f'events {heard!r}, response {response.text!r}'

    def _check_text(self, response: ModelResponse, visits: Sequence[Visit]) -> None:
        """Check that the text has every piece of its attempts, once and in order."""
        text = response.text or ''
        pieces = re.findall(r'<(\d+)\.\d+>', text)
        own = [visit for visit in visits if str(visit.number) in pieces]
        sent = ''.join(piece for visit in own for piece in visit.pieces)
        if self.left:
            assert sent.startswith(text) or text == sent, f'text {text!r}, sent {sent!r}'
            return
        assert text == sent, f'text {text!r}, sent {sent!r}'
        if response.state == 'complete':
            assert visits, 'a response without a request'
            assert visits[-1].is_complete or len(visits[-1].pieces) == PIECES, f'complete, but {visits[-1]}'
            assert own, 'a complete response without text'
            assert own[-1] is visits[-1], f'text of {own[-1]}, but the last attempt is {visits[-1]}'

    def _check_usage(self, response: ModelResponse, visits: Sequence[Visit]) -> None:
        sent = sum((visit.usage for visit in visits), RequestUsage())
        assert response.usage == sent, f'call {self.number}: usage {response.usage}, sent {sent}'
        if self.stream is not None:
            assert self.stream.usage() == sent, f'usage() {self.stream.usage()}, sent {sent}'

    def _check_attempts(self, response: ModelResponse, visits: Sequence[Visit]) -> None:
        """Check that the warnings list each attempt that failed."""
        listed = [warning for warning in response.warnings if 'failed, and' in warning or 'again' in warning]
        count = sum(count_failures(warning) for warning in listed)
        assert count == len(visits) - 1, f'call {self.number}: {len(visits)} requests, {response.warnings}'

    def _check_errors(self, error: LLMError, visits: Sequence[Visit]) -> None:
        """Check that the errors list each attempt, and have the usage of those that broke off."""
        leaves = list(leaves_of(error))
        sent = [each for each in leaves if not NOT_SENT.search(str(each))]
        assert len(sent) == len(visits), f'call {self.number}: {len(visits)} requests, {sent}'
        if self.stream is None:
            usage = sum((usage_of(each) for each in leaves), RequestUsage())
            expected = sum((visit.usage for visit in visits), RequestUsage())
            assert usage == expected, f'call {self.number}: usage in errors {usage}, sent {expected}'


def count_failures(warning: str) -> int:
    """Return the number of the vendor's failures in a warning."""
    if 'All models failed (' not in warning:
        return 0 if NOT_SENT.search(warning) else 1
    inner = warning.partition('All models failed (')[2]
    return sum(0 if NOT_SENT.search(each) else 1 for each in re.split(r'; (?=\w+:)', inner))


def leaves_of(error: Exception) -> list[Exception]:
    """Return the error of each attempt, those of earlier attempts too."""
    earlier = error.earlier_attempts if isinstance(error, LLMError) else ()
    members = error.exceptions if isinstance(error, FallbackExceptionGroup) else ()
    leaves = [leaf for each in (*earlier, *members) for leaf in leaves_of(each)]
    return leaves if isinstance(error, FallbackExceptionGroup) else [*leaves, error]


def usage_of(error: Exception) -> RequestUsage:
    """Return the usage of the response that an error has."""
    if isinstance(error, (StreamInterruptedError, RejectedResponseError)) and error.response is not None:
        return error.response.usage
    return RequestUsage()


def replay(events: Sequence[ModelResponseStreamEvent]) -> str:
    """Return the text that a reader of the events has."""
    texts: dict[int, str] = {}
    for event in events:
        match event:
            case StreamRestartEvent():
                texts = {}
            case PartStartEvent(index=index, part=TextPart(content=content)):
                texts[index] = content
            case PartDeltaEvent(index=index, delta=TextPartDelta(content_delta=content)):
                texts[index] += content
            case _:
                pass
    return ''.join(texts[index] for index in sorted(texts))
