"""At most so many requests at once: the others wait in a line, or are refused where it is full.

```python
model = ConcurrencyLimitedModel('openai:gpt-4o', limit=8)
```
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ...exceptions import OverloadedError, UserError
from ...messages import ModelMessage, ModelResponse
from ...settings import ModelSettings
from .. import Model, ModelRequestParameters, StreamedResponse
from ..wrapper import WrapperModel
from .wait_queue import Line, LineIsFull, NotYet

if TYPE_CHECKING:
    from ..known_names import KnownModelName

__all__ = ('ConcurrencyLimitedModel',)


class ConcurrencyLimitedModel(WrapperModel):
    """Lets at most `limit` requests at a time through to a model; a stream counts until it is left.

    `max_queue` is how many may wait; one more gets an `OverloadedError`. Several event loops and threads share a limit.
    """

    def __init__(self, wrapped: Model | KnownModelName | str, *, limit: int, max_queue: int | None = None) -> None:
        super().__init__(wrapped)
        for name, value, least in (('limit', limit, 1), ('max_queue', max_queue, 0)):
            if value is not None and value < least:
                raise UserError(f'{name} is {value!r}: give a number from {least} on')
        self.limit = limit
        """How many requests may be under way."""
        self._under_way = 0
        self._lock = threading.Lock()
        self._line: Line[None] = Line(max_queue)

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return self._under_way

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._line)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Ask the model, when it is this request's turn."""
        async with self._slot():
            return await super().request(messages, model_settings, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Ask the model for a stream, when it is this request's turn."""
        async with (
            self._slot(),
            super().request_stream(messages, model_settings, model_request_parameters) as stream,
        ):
            yield stream

    @asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None]:
        try:
            await self._line.get(self._take)
        except LineIsFull:
            said = f'{self.limit} requests to {self.model_name} are under way, and max_queue={self._line.longest} wait'
            raise OverloadedError(503, self.model_name, message=said, provider_name=self.system) from None
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
            self._line.tell()

    async def _take(self) -> NotYet | None:
        with self._lock:
            if self._under_way >= self.limit:
                return NotYet()
            self._under_way += 1
            return None
