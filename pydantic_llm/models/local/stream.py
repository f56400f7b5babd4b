"""`LocalStream`: the response of a running job, as a stream of events. `decode` makes message parts of its text."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from ...exceptions import LLMError, ModelAPIError, ModelTimeoutError, StreamInterruptedError
from ...messages import FinishReason
from ...streaming.draft import ResponseDraft
from ...streaming.parts import LAST
from ...transport.deadlines import DeadlineExceeded, Watchdog
from ...usage import RequestUsage
from ...wire.prepare import PreparedRequest
from .. import BufferedStream
from .decode import ResponseDecoder
from .engine import Job

__all__ = ('FINISH_REASONS', 'LocalStream', 'make_timeout_error')

FINISH_REASONS: dict[str, FinishReason] = {'eos': 'stop', 'stop_sequence': 'stop', 'length': 'length'}
"""The finish reasons of engines, and ours. A response with tool calls has `tool_call` in place of `stop`."""


class LocalStream(BufferedStream):
    """The response of a job that an engine in this process runs."""

    def __init__(
        self,
        request: PreparedRequest,
        job: Job,
        decoder: ResponseDecoder,
        draft: ResponseDraft,
        *,
        watchdog: Watchdog,
        cancel_job: Callable[[Job], None],
    ) -> None:
        super().__init__(draft, request.parameters)
        self._job = job
        self._decoder = decoder
        self._watchdog = watchdog
        self._cancel_job = cancel_job
        self._is_over = False
        self._seen_tokens = 0

    async def close(self) -> None:
        self._watchdog.close()
        self._leave_job()

    def _leave_job(self) -> None:
        """Detach from the job, and cancel it if it is not done."""
        self._job.detach()
        if not self._job.done:
            self._cancel_job(self._job)

    async def read_all(self) -> None:
        """Read to the end without emitting events."""
        while not self._is_over:
            await self._read_output()

    async def _read_more(self) -> None:
        if self._is_over:
            raise StopAsyncIteration
        while not self.draft.parts.events and not self._is_over:
            await self._read_output()
        self._ready.extend(self.draft.parts.take_events())

    async def _read_output(self) -> None:
        job = self._job
        try:
            with self._watchdog:
                await job.wait_for_output()
        except DeadlineExceeded as exceeded:
            error = make_timeout_error(self.draft.model_name, self.draft.provider_name, exceeded)
            raise self._interrupt(error) from None
        if job.is_detached:
            self._is_over = True
            return
        if job.output_tokens > self._seen_tokens:
            self._seen_tokens = job.output_tokens
            self._watchdog.progress()
        done = job.done  # read before the text, as the thread may add text and end the job between the two
        if text := job.take_text():
            self._decoder.feed(text)
        self.draft.usage = RequestUsage(
            input_tokens=len(job.prompt.tokens), output_tokens=job.output_tokens, cache_read_tokens=job.cached_tokens
        )
        if done:
            self._end_response()

    def _end_response(self) -> None:
        """Complete the draft of a job that is done. Raises the error of a job that failed."""
        job, draft = self._job, self.draft
        if job.error is not None:
            raise self._interrupt(job.error)
        self._is_over = True
        self._decoder.close(truncated=job.finish_reason != 'eos')
        draft.finish(job.finish_reason, FINISH_REASONS)
        if self._decoder.has_tool_calls and draft.finish_reason == 'stop':
            draft.finish_reason = 'tool_call'
        if (sequence := job.decoder.stop_sequence) is not None:
            draft.provider_details['stop_sequence'] = sequence
        draft.provider_details.update(job.details)
        draft.parts.logprobs(LAST, [*job.details.get('logprobs', ())])
        draft.state = 'complete'
        draft.parts.end()
        self._watchdog.close()

    def _interrupt(self, error: Exception) -> Exception:
        """End the response with an error; return the error to raise.

        If a streamed job has generated tokens, that is a `StreamInterruptedError` with the partial response, which is
        retryable if the error is.
        """
        self._is_over = True
        self.draft.state = 'interrupted'
        self._leave_job()
        own_error = copy(error) if isinstance(error, LLMError) else error  # all jobs of an engine share one error
        if self._job.streamed and self._job.output_tokens and not isinstance(error, ModelTimeoutError):
            interrupted = StreamInterruptedError(
                self.draft.model_name, str(error), provider_name=self.draft.provider_name, response=self.draft.get()
            )
            interrupted.retryable = not isinstance(error, ModelAPIError) or error.retryable
            return interrupted
        return own_error


def make_timeout_error(model_name: str, provider_name: str | None, exceeded: DeadlineExceeded) -> ModelTimeoutError:
    """Return the error to raise for an exceeded deadline."""
    return ModelTimeoutError(
        model_name, deadline=exceeded.deadline, seconds=exceeded.seconds, provider_name=provider_name
    )
