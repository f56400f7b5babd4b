"""What an engine is: one loaded model that writes answers for many callers at the same time.

An engine speaks in tokens and knows nothing of messages, stop sequences or tool calls. A `Job` is one answer in the
making: the caller makes it and reads it in its event loop, the engine fills it in its own thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ...constraints import Constraint
from .output import TokenWriter

if TYPE_CHECKING:
    from .grammars import Grammars
    from .tokenizer import Tokenizer

__all__ = ('Counts', 'Engine', 'Job', 'Loaded', 'Prompt', 'Sampling', 'wake')


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen. A temperature of 0 takes the likeliest."""

    temperature: float = 0.0
    """What the logits are divided by."""
    top_k: int | None = None
    """Choose among so many of the likeliest tokens."""
    top_p: float | None = None
    """Choose among the likeliest tokens that make up this share."""
    min_p: float | None = None
    """Choose among the tokens that are at least this share as likely as the likeliest."""
    repetition_penalty: float | None = None
    """What the logits of tokens that are there already, in prompt or answer, are divided by."""
    presence_penalty: float | None = None
    """What is taken off the logits of tokens that the answer holds already."""
    frequency_penalty: float | None = None
    """What is taken off them for each time that it does."""
    logit_bias: Mapping[int, float] | None = None
    """What is added to the logits of tokens, by token id."""
    seed: int | None = None
    """Makes the choice repeatable, whatever else is in the batch."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an answer goes on from."""

    tokens: Sequence[int]
    """The prompt in tokens."""
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What a processor made of images, as the model takes it; empty for text alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What is known of a model once it is loaded."""

    tokenizer: Tokenizer
    """Between text and tokens, with the chat template."""
    encode: Callable[[str, Sequence[bytes]], Prompt]
    """A prompt's text, and the images that it speaks of, as the engine takes them."""
    takes_images: bool = False
    """Whether the model sees."""
    vocabulary_size: int | None = None
    """How many tokens there are."""
    context_length: int | None = None
    """How many tokens prompt and answer may have together."""
    sampling: Sampling = Sampling()
    """How the model's makers want its tokens chosen."""
    eos: frozenset[int] = frozenset()
    """The tokens that end an answer."""
    constraints: Collection[str] = ()
    """The `kind` of each constraint that the engine can hold an answer to."""
    grammars: Grammars | None = None
    """What compiles them; `None` for an engine that does so itself."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What an engine has to do at this moment."""

    active: int
    """Answers that are being written."""
    waiting: int
    """Answers that wait for a slot."""


class Engine(Protocol):
    """One loaded model. May be used from any thread and any event loop, one after the other or at the same time."""

    @property
    def counts(self) -> Counts:
        """What there is to do at this moment."""
        ...

    async def load(self) -> Loaded:
        """Load the model, once, off the event loop; whoever comes meanwhile waits for the same loading.

        Raises `UserError` for what cannot be loaded as it was asked for. The next call tries again.
        """
        ...

    async def submit(self, job: Job) -> None:
        """Take a job, or wait for a place in the queue, or raise `OverloadedError` where it is full.

        Raises `UserError` for a job that the engine cannot do.
        """
        ...

    def cancel(self, job: Job) -> None:
        """Nobody wants the answer any more: free its slot. Nothing happens where it is over."""
        ...

    async def aclose(self) -> None:
        """Stop: jobs that are not done fail, the thread ends, the memory is free. The next `load` begins anew."""
        ...

    def abandon(self) -> None:
        """The same without waiting for it, for a finalizer."""
        ...


class Job:
    """One answer in the making.

    The engine calls `add_token` for every token until that says that the answer is over, or `finish` or `fail` where it
    knows so itself, and after each round `wake` for all jobs that got something. The caller awaits `arrival` and then
    takes the `texts`. One thread writes and one loop reads, so nothing here needs a lock.
    """

    __slots__ = (
        '_arrived',
        'cached_tokens',
        'constraint',
        'details',
        'error',
        'finish_reason',
        'left',
        'loop',
        'matcher',
        'max_tokens',
        'output_tokens',
        'prompt',
        'sampling',
        'streamed',
        'texts',
        'writer',
    )

    def __init__(
        self,
        prompt: Prompt,
        *,
        sampling: Sampling,
        max_tokens: int,
        writer: TokenWriter,
        constraint: Constraint | None = None,
        matcher: Any = None,
        streamed: bool = True,
    ) -> None:
        self.prompt = prompt
        """What the answer goes on from."""
        self.sampling = sampling
        """How tokens are chosen."""
        self.max_tokens = max_tokens
        """The answer is over after so many tokens."""
        self.writer = writer
        """What makes text of the tokens."""
        self.constraint = constraint
        """What the answer must look like, for an engine that compiles constraints itself."""
        self.matcher = matcher
        """The compiled constraint at its start (`llguidance.LLMatcher`), for an engine that does not."""
        self.streamed = streamed
        """Whether somebody waits for every token, and not only for the end."""
        self.texts: deque[str] = deque()
        """The text that has come and that nobody has taken."""
        self.output_tokens = 0
        """How many tokens the model has written."""
        self.cached_tokens = 0
        """How many tokens of the prompt the engine had in its cache."""
        self.finish_reason: str | None = None
        """Why the answer is over, in our engines' words: `eos`, `stop_sequence`, `length`."""
        self.error: Exception | None = None
        """Why there is no answer."""
        self.details: dict[str, Any] = {}
        """What else the engine tells of the answer, for `provider_details`."""
        self.left = False
        """Whether the caller has gone."""
        self._arrived = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        """Where the caller waits."""

    @property
    def done(self) -> bool:
        """Whether the answer is over, well or not."""
        return self.finish_reason is not None or self.error is not None

    # for the engine

    def add_token(self, token: int) -> bool:
        """Add a token that the model wrote. Whether the answer goes on."""
        self.output_tokens += 1
        text = self.writer.feed(token)
        if text:
            self.texts.append(text)
        if self.writer.ended_by is not None:
            self.finish(self.writer.ended_by)
        elif self.output_tokens >= self.max_tokens:
            self.finish('length')
        return self.finish_reason is None

    def finish(self, reason: str) -> None:
        """The answer is over."""
        if self.done:
            return
        if text := self.writer.close():
            self.texts.append(text)
        self.finish_reason = reason if self.writer.ended_by is None else self.writer.ended_by

    def fail(self, error: Exception) -> None:
        """There will be no answer, or not all of it."""
        if not self.done:
            self.error = error

    # for the caller

    async def arrival(self) -> None:
        """Wait until there is text, or the answer is over; for a job that is not streamed, only that."""
        while not self._has_arrived():
            self._arrived.clear()
            if not self._has_arrived():  # nothing came before the event was cleared
                await self._arrived.wait()

    def _has_arrived(self) -> bool:
        return self.done or self.left or (self.streamed and bool(self.texts))

    def tell(self) -> None:
        """Something has come; in the caller's event loop."""
        self._arrived.set()

    def leave(self) -> None:
        """The caller goes: who still waits for the job waits no longer."""
        self.left = True
        self._arrived.set()

    def take_text(self) -> str:
        """The text that has come since the last call."""
        texts = self.texts
        return ''.join(texts.popleft() for _ in range(len(texts)))


def wake(jobs: Iterable[Job]) -> list[Job]:
    """Tell those who wait for these jobs that something has come: one call for each event loop, from any thread.

    Gives the jobs that nobody waits for any more, since their loop is closed.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if job.streamed or job.done:
            by_loop.setdefault(job.loop, []).append(job)
    orphans: list[Job] = []
    for loop, its_jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_set_all, its_jobs)
        except RuntimeError:  # the loop is closed
            orphans.extend(its_jobs)
    return orphans


def _set_all(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.tell()
