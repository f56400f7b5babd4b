"""Controls of a run for code outside of its loop: cancel the run, and add messages to its next request.

`RunControls` is shared by the run, its `RunContext` and the objects that the caller has. `CancellationToken` cancels
any number of runs.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args
from uuid import uuid4

from ..exceptions import UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

__all__ = ('CancellationToken', 'EnqueueContent', 'EnqueuePriority', 'QueuedMessages', 'RunControls')

EnqueueContent = UserContent | ModelRequestPart | ModelMessage
"""Content that can be added to a run: text or a file of the user, a part of a request, or a whole message."""

EnqueuePriority = Literal['asap', 'when_idle']
"""The time at which queued content is sent.

`asap`: with the next request, or in one more request if the run would end. `when_idle`: only if the run would end."""


class CancellationToken:
    """Cancels the runs that it was passed to. It can be used in any thread.

    A token stays cancelled: a run that gets it later does not start.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: set[RunControls] = set()
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """True after `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Cancel all runs of the token. They raise `RunCancelled`."""
        with self._lock:
            self._cancelled = True
            runs = list(self._runs)
        for run in runs:
            run.cancel()

    def add(self, run: RunControls) -> None:
        with self._lock:
            self._runs.add(run)
        if self._cancelled:
            run.cancel()

    def remove(self, run: RunControls) -> None:
        with self._lock:
            self._runs.discard(run)


@dataclass(frozen=True, slots=True)
class QueuedMessages:
    """The content of one call of `enqueue`, as messages. The last one is a request."""

    id: str
    messages: Sequence[ModelMessage]
    priority: EnqueuePriority


@dataclass(eq=False)
class RunControls:
    """Cancels a run, and holds the messages that wait for its next request."""

    queue: deque[QueuedMessages] = field(default_factory=deque[QueuedMessages])
    is_cancelled: bool = False
    """True after `cancel` was called while the run was not complete."""
    is_closed: bool = False
    """True if the run has ended."""
    _task: asyncio.Task[Any] | None = None
    _has_cancelled_task: bool = False

    # ----------------------------------------------------------------------------------------------------- cancelling

    def bind(self, task: asyncio.Task[Any]) -> None:
        """Set the task that `cancel` cancels: the current one."""
        self._task = task
        if self.is_cancelled:
            self._cancel_task()

    def cancel(self) -> None:
        """Cancel the run from any thread. This has no effect on a run that has ended."""
        if self.is_closed or self.is_cancelled:
            return
        self.is_cancelled = True
        if self._task is None:
            return
        loop = self._task.get_loop()
        if asyncio._get_running_loop() is loop:
            self._cancel_task()
        else:
            loop.call_soon_threadsafe(self._cancel_task)

    def _cancel_task(self) -> None:
        if self._task is not None and not self.is_closed and not self._has_cancelled_task:
            self._has_cancelled_task = True
            self._task.cancel()

    async def checkpoint(self) -> None:
        """Raise the `CancelledError` of a run that was cancelled, before its task starts anything else."""
        if self.is_cancelled:
            await asyncio.sleep(0)

    def close(self) -> bool:
        """End the run. Returns whether its task was cancelled by `cancel`; that is withdrawn from the task then."""
        task, self._task, self.is_closed = self._task, None, True
        if task is None or not self._has_cancelled_task:
            return False
        task.uncancel()
        return True

    # ---------------------------------------------------------------------------------------------------------- queue

    def enqueue(self, *content: EnqueueContent, priority: EnqueuePriority = 'asap') -> str | None:
        """Add content to the queue, from any thread. Returns its id, or `None` if there is no content.

        Raises `UserError` if the content does not end with a request, and if the run has ended.
        """
        from .._type_checks import check_choice  # it imports this package

        check_choice(priority, get_args(EnqueuePriority), parameter='priority')
        if self.is_closed:
            raise UserError('The run has ended; give the content to another run, as its user_prompt')
        messages = _build_messages(content)
        if not messages:
            return None
        if not isinstance(messages[-1], ModelRequest):
            raise UserError('The last item of enqueue() is a response; add a request for the model to respond to')
        queued = QueuedMessages(uuid4().hex, messages, priority)
        self.queue.append(queued)
        return queued.id

    def take(self, *priorities: EnqueuePriority) -> Iterator[QueuedMessages]:
        """Yield the queued messages of these priorities, and remove them from the queue."""
        for priority in priorities:
            for queued in [queued for queued in list(self.queue) if queued.priority == priority]:
                self.queue.remove(queued)
                yield queued


def _build_messages(content: Sequence[EnqueueContent]) -> list[ModelMessage]:
    """Return the content as messages: neighbouring parts make one request, neighbouring user content one part."""
    messages: list[ModelMessage] = []
    user: list[UserContent] = []
    for item in content:
        if isinstance(item, (ModelRequest, ModelResponse)):
            _flush_user_content(messages, user)
            messages.append(item)
        elif isinstance(item, (SystemPromptPart, UserPromptPart, ToolReturnPart, RetryPromptPart)):
            _flush_user_content(messages, user)
            _append_part(messages, item)
        else:
            user.append(item)
    _flush_user_content(messages, user)
    return messages


def _flush_user_content(messages: list[ModelMessage], user: list[UserContent]) -> None:
    """Append the collected user content as one part, and empty the list."""
    from .._type_checks import check_prompt

    if user:
        content = user[0] if len(user) == 1 and isinstance(user[0], str) else list(user)
        check_prompt(content, parameter='enqueue')
        _append_part(messages, UserPromptPart(content))
        user.clear()


def _append_part(messages: list[ModelMessage], part: ModelRequestPart) -> None:
    last = messages[-1] if messages else None
    if isinstance(last, ModelRequest):
        messages[-1] = replace(last, parts=[*last.parts, part])
    else:
        messages.append(ModelRequest([part]))
