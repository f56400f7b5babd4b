"""One answer as the engine's thread sees it: a job, and what its settings do to the logits of its next token."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from ...exceptions import ModelAPIError
from ..local import Job
from .library import import_mlx

__all__ = ('Row',)

Array = Any


class Row:
    """One answer in a batch.

    mlx-lm computes one token ahead: it asks for the logits of the token after the newest one, and only then tells the
    newest. So a row that is not plain learns of each token by `adjust`, before it is told.
    """

    __slots__ = ('_begun', '_matcher', '_offsets', '_seen', '_written', 'job', 'over')

    def __init__(self, job: Job) -> None:
        self.job = job
        """The job."""
        self.over = False
        """Whether the constraint lets nothing follow what was written."""
        self._matcher: Any = job.matcher
        self._begun = False
        self._written: set[int] = set()
        self._seen: Array = None  # which tokens stand in prompt or answer
        self._offsets: Array = None  # what is added to the logits

    @property
    def is_plain(self) -> bool:
        """Whether the model's logits stay as they are."""
        return self._matcher is None and not (self._repels or self._adds)

    def take(self, token: int) -> None:
        """The next token is told. Whether the answer goes on is the job's to say."""
        if self.job.add_token(token) and self.over:
            self.job.finish('eos')

    def adjust(self, tokens: Array, logits: Array) -> Array:
        """The logits of the next token with penalties, bias and constraint; `tokens` is what stands before it."""
        if self.job.done or self.over:
            return logits
        try:
            goes_on = self._look_at(tokens, logits.shape[-1])
            return self._constrained(self._penalized(logits)) if goes_on else logits
        except RuntimeError as error:
            said = f'The answer cannot go on: {error}'
            self.job.fail(ModelAPIError('mlx', said, provider_name='mlx'))
            return logits

    # what was written

    @property
    def _repels(self) -> bool:
        return (self.job.sampling.repetition_penalty or 1.0) != 1.0

    @property
    def _adds(self) -> bool:
        sampling = self.job.sampling
        return bool(sampling.logit_bias or sampling.presence_penalty or sampling.frequency_penalty)

    def _look_at(self, tokens: Array, size: int) -> bool:
        """Take note of the newest token; at first, of the prompt. Whether anything may follow."""
        sampling = self.job.sampling
        if not self._begun:
            self._begun = True
            if self._repels:
                self._seen = _marked(size, self.job.prompt.tokens)
            if self._adds:
                self._offsets = _offsets(size, sampling.logit_bias or {})
            return True
        counts = sampling.presence_penalty or sampling.frequency_penalty
        if not (counts or self._repels or self._matcher):
            return True  # a bias alone needs no look at what is still being computed
        token = int(tokens[-1].item())
        if self._repels:
            self._seen[token] = True
        if counts:
            new = 0.0 if token in self._written else sampling.presence_penalty or 0.0
            self._offsets[token] -= new + (sampling.frequency_penalty or 0.0)
            self._written.add(token)
        self.over = self._matcher is not None and not self._matcher.consume(token)
        return not self.over

    # what follows from it

    def _penalized(self, logits: Array) -> Array:
        mx = import_mlx()
        if self._seen is not None:
            penalty = self.job.sampling.repetition_penalty
            repelled = mx.where(logits < 0, logits * penalty, logits / penalty)
            logits = mx.where(self._seen, repelled, logits)
        return logits if self._offsets is None else logits + self._offsets.astype(logits.dtype)

    def _constrained(self, logits: Array) -> Array:
        if self._matcher is None:
            return logits
        mx = import_mlx()
        allowed = mx.array(self._matcher.compute_mask())
        size = logits.shape[-1]
        if allowed.size < size:  # the model may have lines that no token has
            allowed = mx.pad(allowed, (0, size - allowed.size))
        return mx.where(allowed[:size], logits, -math.inf)


def _marked(size: int, tokens: Collection[int]) -> Array:
    mx = import_mlx()
    marks = mx.zeros(size, dtype=mx.bool_)
    marks[mx.array(sorted({*tokens}))] = True
    return marks


def _offsets(size: int, bias: Any) -> Array:
    mx = import_mlx()
    offsets = mx.zeros(size)
    if bias:
        offsets[mx.array([*bias])] = mx.array([*bias.values()])
    return offsets
