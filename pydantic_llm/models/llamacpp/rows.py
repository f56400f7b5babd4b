"""One response in a batch: its job, its sequence, and the state from which its next token is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from ...exceptions import ModelAPIError
from ..local import Job, resume_prompt

__all__ = ('Row',)


class Row:
    """One response in a batch."""

    __slots__ = ('job', 'matcher', 'random', 'read', 'sequence', 'tokens')

    def __init__(self, job: Job) -> None:
        self.job: Job = job
        self.tokens: list[int] = [*resume_prompt(job).tokens]
        """The tokens of the prompt and of the response."""
        self.read: int = 0
        """The number of these tokens that are in the memory of the context."""
        self.sequence: int = -1
        """The sequence of the context that has them; negative before the prompt is read."""
        self.matcher: Any = job.matcher
        """The compiled constraint (`local.Matcher`), or `None`."""
        sampling = job.sampling
        self.random: Random | None = Random(sampling.seed) if sampling.temperature else None
        """The generator that draws its tokens; `None` to take the likeliest token."""
        if job.tokens:
            self._repeat_draws(job.tokens)

    @property
    def is_plain(self) -> bool:
        """True if the next token is the one with the highest logit, unchanged."""
        sampling = self.job.sampling
        changes_logits = sampling.has_repetition_penalty or sampling.has_offsets
        return self.random is None and self.matcher is None and not changes_logits

    def add_token(self, token: int) -> None:
        """Add the token that was chosen; it is the next one to read, unless the response has ended."""
        self.tokens.append(token)
        if not self.job.add_token(token) or self.matcher is None:
            return
        try:
            continues = self.matcher.consume(token)
        except RuntimeError as error:
            self.fail(error)
            return
        if not continues:
            self.job.finish('eos')

    def fail(self, error: Exception | str) -> None:
        """Fail this job only."""
        message = f'The response cannot continue: {error}'
        self.job.fail(ModelAPIError('llamacpp-local', message, provider_name='llamacpp-local'))

    def _repeat_draws(self, tokens: Sequence[int]) -> None:
        """Bring the generator and the constraint to the state after the tokens of an earlier runner."""
        if self.matcher is not None:
            self.matcher.restart(tokens)
        if self.random is not None:
            for _ in tokens:
                self.random.random()
