"""A job's text → message parts: thoughts, calls and text, for whole and for streamed answers alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from copy import copy

from ...exceptions import LLMError, ModelTimeoutError, StreamInterruptedError
from ...messages import FinishReason, ModelResponseStreamEvent, ToolCallPart
from ...streaming.draft import ResponseDraft
from ...streaming.parts import LAST
from ...streaming.thinking import ThinkTags
from ...transport.deadlines import DeadlineExceeded, Watchdog
from ...usage import RequestUsage
from ...wire.prepare import PreparedRequest
from .. import StreamedResponse
from .calls import Call, CallReader, Item
from .engine import Job

__all__ = ('FINISH_REASONS', 'AnswerReader', 'LocalStream')

FINISH_REASONS: dict[str, FinishReason] = {
    'eos': 'stop',
    'stop_sequence': 'stop',
    'length': 'length',
}
"""The engines' words for the end, and ours. An answer that calls tools ends with `tool_call`."""


class AnswerReader:
    """Reads the text of one answer into a draft."""

    def __init__(self, draft: ResponseDraft, *, calls: CallReader | None, tags: ThinkTags | None) -> None:
        self._draft = draft
        self._calls = calls
        self._tags = tags
        self._after_thoughts = False
        self._said = False
        self.called = False
        """Whether the answer calls a tool."""

    def feed(self, text: str) -> None:
        """Read more of it."""
        if self._tags is None:
            self._read(text)
        else:
            self._split(self._tags.feed(text))

    def close(self, *, cut: bool) -> None:
        """The answer is over. It was `cut` where the model had not finished."""
        if self._tags is not None:
            self._split(self._tags.close())
        if self._calls is not None:
            self._add_all(self._calls.close(cut=cut))

    def _split(self, pieces: Iterable[tuple[str, str]]) -> None:
        for kind, text in pieces:
            if kind == 'thinking':
                self._think(text)
            else:
                self._read(text)

    def _read(self, text: str) -> None:
        if self._calls is None:
            self._add_all([('text', text)])
        else:
            self._add_all(self._calls.feed(text))

    def _add_all(self, items: Iterable[Item]) -> None:
        for item in items:
            match item:
                case Call(name=name, args=args):
                    self.called = True
                    self._draft.parts.whole(LAST, ToolCallPart(name, args))
                case ('thinking', text):
                    self._think(text)
                case (_, text):
                    self._say(text)

    def _think(self, text: str) -> None:
        """Thoughts, without the empty lines that they begin with."""
        text = text if self._after_thoughts else text.lstrip()
        if text:
            self._after_thoughts = True
            self._said = False
            self._draft.parts.thinking(LAST, text, provider_name=self._draft.provider_name)

    def _say(self, text: str) -> None:
        """Text, without the empty lines between it and the thoughts before it."""
        if self._after_thoughts and not self._said:
            text = text.lstrip()
        if text:
            self._said = True
            self._draft.parts.text(LAST, text)


class LocalStream(StreamedResponse):
    """An answer that an engine of this process is writing."""

    def __init__(
        self,
        request: PreparedRequest,
        job: Job,
        reader: AnswerReader,
        draft: ResponseDraft,
        *,
        watchdog: Watchdog,
        leave: Callable[[Job], None],
    ) -> None:
        super().__init__(draft, request.parameters)
        self._job = job
        self._reader = reader
        self._watchdog = watchdog
        self._leave = leave
        self._over = False
        self._seen = 0

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Yield what happens."""
        async for event in self:
            yield event

    async def close(self) -> None:
        """Free the engine's slot."""
        self._watchdog.close()
        self._let_go()

    def _let_go(self) -> None:
        self._job.leave()
        if not self._job.done:
            self._leave(self._job)

    async def read_all(self) -> None:
        """Read to the end, without telling anybody."""
        while not self._over:
            await self._read()

    async def _fill(self) -> None:
        """Read until something has happened."""
        if self._over:
            raise StopAsyncIteration
        while not self.draft.parts.events and not self._over:
            await self._read()
        self._ready.extend(self.draft.parts.take_events())

    async def _read(self) -> None:
        job = self._job
        try:
            with self._watchdog:
                await job.arrival()
        except DeadlineExceeded as passed:
            raise self._failed(timed_out(self.draft.model_name, self.draft.provider_name, passed)) from None
        if job.left:
            self._over = True
            return
        if job.output_tokens > self._seen:
            self._seen = job.output_tokens
            self._watchdog.progress()
        done = job.done  # read before the text is taken: what comes after is taken with the next round
        if text := job.take_text():
            self._reader.feed(text)
        self._count()
        if done:
            self._end()

    def _count(self) -> None:
        job = self._job
        self.draft.usage = RequestUsage(
            input_tokens=len(job.prompt.tokens),
            output_tokens=job.output_tokens,
            cache_read_tokens=job.cached_tokens,
        )

    def _end(self) -> None:
        """The engine is done, well or not."""
        job, draft = self._job, self.draft
        if job.error is not None:
            raise self._failed(job.error)
        self._over = True
        self._reader.close(cut=job.finish_reason != 'eos')
        draft.finish(job.finish_reason, FINISH_REASONS)
        if self._reader.called and draft.finish_reason == 'stop':
            draft.finish_reason = 'tool_call'
        if (sequence := job.writer.stop_sequence) is not None:
            draft.provider_details['stop_sequence'] = sequence
        draft.provider_details.update(job.details)
        draft.state = 'complete'
        draft.parts.end()
        self._watchdog.close()

    def _failed(self, error: Exception) -> Exception:
        """The error to raise: of an answer that had begun, what had arrived is attached to it."""
        self._over = True
        self.draft.state = 'interrupted'
        self._let_go()
        failed = copy(error) if isinstance(error, LLMError) else error  # one engine's error is many jobs' error
        if self._job.streamed and self._job.output_tokens and not isinstance(error, ModelTimeoutError):
            return StreamInterruptedError(
                self.draft.model_name, str(error), provider_name=self.draft.provider_name, response=self.draft.get()
            )
        return failed


def timed_out(model_name: str, provider_name: str | None, passed: DeadlineExceeded) -> ModelTimeoutError:
    """The error for a deadline that passed."""
    return ModelTimeoutError(model_name, deadline=passed.deadline, seconds=passed.seconds, provider_name=provider_name)
