"""One answer as the engine's thread sees it: a job, and what choosing its next token needs to know."""

from __future__ import annotations

from random import Random
from typing import Any

from ...exceptions import ModelAPIError
from ..local import Job

__all__ = ('Row',)


class Row:
    """One answer in a batch."""

    __slots__ = ('is_plain', 'job', 'matcher', 'random', 'tokens')

    def __init__(self, job: Job) -> None:
        self.job = job
        """The job."""
        self.matcher: Any = job.matcher
        """What holds the answer to its constraint."""
        self.tokens: list[int] = []
        """What was written."""
        sampling = job.sampling
        self.random: Random | None = Random(sampling.seed) if sampling.temperature else None
        """Where the choice comes from; `None` where the likeliest token is taken."""
        self.is_plain = self.random is None and self.matcher is None and not changes_logits(job)
        """Whether the next token is the likeliest by the model's own word."""

    def take(self, token: int) -> bool:
        """The next token was chosen. Whether the answer goes on."""
        self.tokens.append(token)
        job = self.job
        if not job.add_token(token):
            return False
        if self.matcher is not None and not self._goes_on(token):
            return False
        return not job.done

    def fail(self, error: RuntimeError) -> None:
        """Something broke in this answer alone."""
        self.job.fail(ModelAPIError('transformers', f'The answer cannot go on: {error}', provider_name='transformers'))

    def _goes_on(self, token: int) -> bool:
        try:
            goes_on: bool = self.matcher.consume(token)
        except RuntimeError as error:
            self.fail(error)
            return False
        if not goes_on:
            self.job.finish('eos')
        return goes_on


def changes_logits(job: Job) -> bool:
    """Whether the sampling settings change how likely tokens are before one is chosen."""
    sampling = job.sampling
    return bool(
        sampling.logit_bias
        or sampling.presence_penalty
        or sampling.frequency_penalty
        or (sampling.repetition_penalty or 1.0) != 1.0
    )
