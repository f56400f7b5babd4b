"""The contract between a request and an engine: `Job`, `Runner`, and what is known of a loaded model.

An engine reads and writes tokens; it knows no messages, stop sequences or tool calls. The caller makes a `Job` and
reads it in its event loop; the engine fills it in its own thread.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...constraints import Constraint
from .generation import GenerationDefaults
from .grammars import Grammars
from .token_decoder import TokenDecoder
from .tokenizer import Tokenizer

__all__ = ('Counts', 'Job', 'Loaded', 'Prompt', 'Runner', 'Sampling', 'resume_prompt', 'wake')


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The parameters for choosing the next token; `None` switches one off."""

    temperature: float = 0.0
    """The divisor of the logits; 0 always chooses the most likely token."""
    top_k: int | None = None
    top_p: float | None = None
    """Choose among the most likely tokens whose probabilities add up to this share."""
    min_p: float | None = None
    """Choose among the tokens at least this share as likely as the most likely one."""
    repetition_penalty: float | None = None
    """The divisor for the logits of tokens that the prompt or the response already contains."""
    presence_penalty: float | None = None
    """The amount subtracted from the logits of tokens that the response already contains."""
    frequency_penalty: float | None = None
    """The amount subtracted for each occurrence of a token in the response."""
    logit_bias: Mapping[int, float] | None = None
    """The amounts added to logits, by token id."""
    seed: int | None = None
    """The seed of the random choice; the result does not depend on the other rows of the batch."""

    @property
    def has_repetition_penalty(self) -> bool:
        return (self.repetition_penalty or 1.0) != 1.0

    @property
    def has_offsets(self) -> bool:
        """True if amounts are added to logits: a bias, or a penalty for tokens of the response."""
        return bool(self.logit_bias or self.presence_penalty or self.frequency_penalty)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The input of a model."""

    tokens: Sequence[int]
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Encoded images, as the engine's library takes them; empty for a prompt without images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The facts about a model once it is loaded."""

    tokenizer: Tokenizer
    encode: Callable[[str, Sequence[bytes]], Prompt]
    """Encodes the text of a prompt and its images, in the order in which the text refers to them."""
    takes_images: bool = False
    vocabulary_size: int | None = None
    context_length: int | None = None
    """The maximum length of prompt and response together, in tokens."""
    sampling: Sampling = Sampling()
    """The defaults that come with the model."""
    generation: GenerationDefaults = field(default_factory=GenerationDefaults)
    """The other defaults that come with the model, and those that do not hold."""
    eos: frozenset[int] = frozenset()
    """The ids of the tokens that end a response."""
    constraints: Collection[str] = ()
    """The `kind` of each constraint that the engine supports."""
    grammars: Grammars | None = None
    """The compiler of constraints; `None` if the engine compiles them itself."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The current number of jobs of an engine: `active` ones have a slot, `waiting` ones are in the queue."""

    active: int
    waiting: int


class Job:
    """One response to generate.

    The engine calls `add_token` for each token until it returns False, or ends the job with `finish` or `fail`; after
    each step it calls `wake` for the jobs that changed. The caller awaits `wait_for_output` and calls `take_text`. One
    thread writes and one event loop reads, so no lock is needed.
    """

    __slots__ = (
        '_output_ready',
        '_texts',
        'adapter',
        'cached_tokens',
        'constraint',
        'decoder',
        'details',
        'error',
        'finish_reason',
        'is_detached',
        'loop',
        'matcher',
        'max_tokens',
        'output_tokens',
        'prompt',
        'sampling',
        'streamed',
        'tokens',
    )

    def __init__(
        self,
        prompt: Prompt,
        *,
        sampling: Sampling,
        max_tokens: int,
        decoder: TokenDecoder,
        constraint: Constraint | None = None,
        matcher: Any = None,
        streamed: bool = True,
        adapter: str | None = None,
    ) -> None:
        self.prompt: Prompt = prompt
        self.sampling: Sampling = sampling
        self.max_tokens: int = max_tokens
        self.decoder: TokenDecoder = decoder
        """Decodes the tokens to text, and ends the response at an end token or a stop sequence."""
        self.constraint: Constraint | None = constraint
        """The constraint, for an engine that compiles it itself."""
        self.matcher: Any = matcher
        """The compiled constraint (a `Matcher`), for every other engine."""
        self.streamed: bool = streamed
        """True if the caller is woken for each piece of text, and not only at the end."""
        self.adapter: str | None = adapter
        """The name of the adapter that generates the response; `None` for the model as it was loaded."""
        self.output_tokens: int = 0
        self.tokens: list[int] = []
        """The generated tokens, from which a new runner resumes; empty if the engine decodes them itself."""
        self.cached_tokens: int = 0
        """The number of prompt tokens that the engine read from its cache."""
        self.finish_reason: str | None = None
        """The reason for the end: a key of `stream.FINISH_REASONS`, or the engine's own; `None` while it runs."""
        self.error: Exception | None = None
        self.details: dict[str, Any] = {} if adapter is None else {'adapter': adapter}
        """Additions of the engine to `provider_details`."""
        self.is_detached: bool = False
        self._texts: deque[str] = deque()
        self._output_ready = asyncio.Event()
        self.loop: AbstractEventLoop | None = _find_loop()
        """The caller's event loop; `None` for a job that the engine itself reads."""

    @property
    def done(self) -> bool:
        return self.finish_reason is not None or self.error is not None

    # for the engine

    def add_token(self, token: int) -> bool:
        """Add a generated token; return False if it ended the response."""
        self.output_tokens += 1
        self.tokens.append(token)
        text = self.decoder.feed(token)
        if text:
            self._texts.append(text)
        if self.decoder.end_reason is not None:
            self.finish(self.decoder.end_reason)
        elif self.output_tokens >= self.max_tokens:
            self.finish('length')
        return self.finish_reason is None

    def finish(self, reason: str) -> None:
        """End the response. Does nothing if it has ended."""
        if self.done:
            return
        if text := self.decoder.close():
            self._texts.append(text)
        self.finish_reason = reason if self.decoder.end_reason is None else self.decoder.end_reason

    def fail(self, error: Exception) -> None:
        """End the job with an error, which its stream raises. Does nothing if it has ended."""
        if not self.done:
            self.error = error

    # for the caller

    async def wait_for_output(self) -> None:
        """Wait for text if the job is streamed, and for its end in any case."""
        while not self._has_output():
            self._output_ready.clear()
            if not self._has_output():  # the thread may have added output before the event was cleared
                await self._output_ready.wait()

    def _has_output(self) -> bool:
        return self.done or self.is_detached or (self.streamed and bool(self._texts))

    def notify(self) -> None:
        """Wake the caller. Call this in the caller's event loop."""
        self._output_ready.set()

    def detach(self) -> None:
        """Stop reading the job, and end a `wait_for_output` that is in progress."""
        self.is_detached = True
        self._output_ready.set()

    def take_text(self) -> str:
        """Return the text added since the last call."""
        texts = self._texts
        return ''.join(texts.popleft() for _ in range(len(texts)))


class Runner(Protocol):
    """Generates many responses at once. All methods are called in the engine's thread."""

    slots: int
    """The maximum number of jobs at the same time."""

    def add(self, job: Job) -> None:
        """Give a job a slot. An exception fails this job only. A job that has tokens already is resumed."""
        ...

    def remove(self, job: Job) -> None:
        """Free the slot of a job that is not done."""
        ...

    def step(self) -> Collection[Job]:
        """Generate the next token of each job, or read more of its prompt; return the jobs that changed.

        Free the slots of jobs that are done. After an exception the runner is discarded; `IsolatingRunner` makes a new
        one, and finds the jobs at fault.
        """
        ...


def resume_prompt(job: Job) -> Prompt:
    """Return the prompt with the tokens that the job has already. The prompt has no images."""
    return Prompt([*job.prompt.tokens, *job.tokens]) if job.tokens else job.prompt


def wake(jobs: Iterable[Job]) -> list[Job]:
    """Notify the callers of these jobs, with one call per event loop, from any thread.

    Returns the jobs whose event loop is closed, so that no caller can read them any more.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if job.loop is not None and (job.streamed or job.done):
            by_loop.setdefault(job.loop, []).append(job)
    orphans: list[Job] = []
    for loop, its_jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_notify_all, its_jobs)
        except RuntimeError:  # the loop is closed
            orphans.extend(its_jobs)
    return orphans


def _find_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _notify_all(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.notify()
