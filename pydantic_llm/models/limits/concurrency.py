"""A limit of concurrent requests: further requests wait in a queue, and are rejected if it is full.

```python
model = ConcurrencyLimitedModel('openai:gpt-5.4-mini', limit=8)
```
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..._checks import check_number
from ...exceptions import ModelTimeoutError, OverloadedError
from ...messages import ModelMessage, ModelResponse
from ...settings import ModelSettings
from .. import Model, ModelRequestParameters, StreamedResponse
from ..wrapper import WrapperModel
from .deadlines import WaitDeadlines
from .wait_queue import NotYet, QueueFullError, QueueTimeoutError, WaitQueue

if TYPE_CHECKING:
    from ..known_names import KnownModelName

__all__ = ('ConcurrencyLimitedModel',)


class ConcurrencyLimitedModel(WrapperModel):
    """Passes at most `limit` requests at a time on to a model. A stream counts until its block is left.

    At most `max_queue` requests wait; any further one raises an `OverloadedError`. A request waits as long as its
    `timeout`, and for a stream its `first_token_timeout`, allow, and then raises a `ModelTimeoutError`. Event loops and
    threads share the limit.
    """

    def __init__(self, wrapped: Model | KnownModelName | str, *, limit: int, max_queue: int | None = None) -> None:
        super().__init__(wrapped)
        check_number('limit', limit, least=1, required=True)
        self.limit = limit
        self._under_way = 0
        self._lock = threading.Lock()
        self._queue: WaitQueue[None] = WaitQueue(max_queue)

    @property
    def under_way(self) -> int:
        """The number of requests that the wrapped model is working on."""
        return self._under_way

    @property
    def waiting(self) -> int:
        """The number of requests in the queue."""
        return len(self._queue)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        deadlines = WaitDeadlines(self.merged_settings(model_settings), ('timeout',))
        async with self._hold_slot(deadlines):
            passed = deadlines.settings_with_time_left(model_settings)
            return await super().request(messages, passed, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        deadlines = WaitDeadlines(self.merged_settings(model_settings), ('timeout', 'first_token_timeout'))
        async with self._hold_slot(deadlines):
            passed = deadlines.settings_with_time_left(model_settings)
            async with super().request_stream(messages, passed, model_request_parameters) as stream:
                yield stream

    @asynccontextmanager
    async def _hold_slot(self, deadlines: WaitDeadlines) -> AsyncGenerator[None]:
        """Hold a slot for the duration of the block.

        Raises `OverloadedError` if the queue is full, and `ModelTimeoutError` if the wait takes too long.
        """
        try:
            with deadlines.track_time():
                await self._queue.acquire(self._take_slot, seconds=deadlines.seconds)
        except QueueTimeoutError:
            raise self._make_timeout_error(deadlines) from None
        except QueueFullError:
            message = (
                f'{self.limit} requests to {self.model_name} are under way, and max_queue={self._queue.max_size} wait'
            )
            raise OverloadedError(503, self.model_name, message=message, provider_name=self.system) from None
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
            self._queue.notify()

    def _make_timeout_error(self, deadlines: WaitDeadlines) -> ModelTimeoutError:
        error = ModelTimeoutError(
            self.model_name, deadline=deadlines.name, seconds=deadlines.seconds, provider_name=self.system
        )
        error.message = (
            f'No slot of {self.model_name} became free within {deadlines.name} of {deadlines.seconds:g} s: '
            f'{self.limit} requests are under way'
        )
        error.args = (error.message,)
        return error

    async def _take_slot(self) -> NotYet | None:
        with self._lock:
            if self._under_way >= self.limit:
                return NotYet()
            self._under_way += 1
            return None
