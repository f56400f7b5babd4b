"""One response in a batch: its job, and how its settings change the logits of its next token."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping
from typing import Any, ClassVar

from ..local import Job, resume_prompt
from ..local.engine import Prompt
from ..local.rows import JobRow
from .library import import_mlx

__all__ = ('Row',)

Array = Any


class Row(JobRow):
    """One response in a batch.

    mlx-lm computes one token ahead: a step asks for the logits of the token after the newest one, and only then returns
    the newest (`GenerationBatch._step` in mlx_lm/generate.py, 0.32). So a row that is not plain sees each token in
    `adjust_logits` first, and in `add_token` after that.
    """

    __slots__ = (
        '_has_begun',
        '_offsets',
        '_seen',
        '_written',
        'awaited',
        'constraint_ended',
        'prompt',
    )

    system: ClassVar[str] = 'mlx'

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.constraint_ended: bool = False
        """True if the constraint allows no token after the newest one."""
        self.awaited: Hashable = None
        """The block for which the prompt has waited, as another one was about to read it."""
        self.prompt: Prompt = resume_prompt(job)
        """The prompt to read: that of the job, and the tokens that an earlier runner generated."""
        self._has_begun = False
        self._written: set[int] = set()
        self._seen: Array = None  # booleans [vocabulary]: the tokens of prompt and response
        self._offsets: Array = None  # numbers [vocabulary] to add to the logits

    @property
    def is_plain(self) -> bool:
        """True if the model's logits stay unchanged."""
        sampling = self.job.sampling
        return self.matcher is None and not (sampling.has_repetition_penalty or sampling.has_offsets)

    def add_token(self, token: int) -> bool:
        """Add the next token to the job, and finish the job if its constraint has ended."""
        if self.job.add_token(token) and self.constraint_ended:
            self.job.finish('eos')
        return not self.job.done

    def adjust_logits(self, tokens: Array, logits: Array) -> Array:
        """Apply penalties, bias and constraint to the logits [1, vocabulary] of the token after `tokens`.

        If the constraint breaks, the job fails and the logits stay unchanged.
        """
        if self.job.done or self.constraint_ended:
            return logits
        try:
            continues = self._record_newest(tokens, logits.shape[-1])
            return self._apply_constraint(self._apply_penalties(logits)) if continues else logits
        except RuntimeError as error:
            self.fail(error)
            return logits

    # recording tokens

    def _record_newest(self, tokens: Array, size: int) -> bool:
        """Record the newest token, or the prompt in the first call. Return False if no token may follow."""
        sampling = self.job.sampling
        if not self._has_begun:
            self._has_begun = True
            if sampling.has_repetition_penalty:
                self._seen = _mark_tokens(size, self.prompt.tokens)
            if sampling.has_offsets:
                self._offsets = _make_offsets(size, sampling.logit_bias or {})
            for written in self.job.tokens:
                self._record_written(written)
            return True
        has_counts = sampling.presence_penalty or sampling.frequency_penalty
        if not (has_counts or sampling.has_repetition_penalty or self.matcher):
            return True  # a bias alone does not need the token, which may not be computed yet
        token = int(tokens[-1].item())
        if sampling.has_repetition_penalty:
            self._seen[token] = True
        self._record_written(token)
        self.constraint_ended = self.matcher is not None and not self.matcher.consume(token)
        return not self.constraint_ended

    def _record_written(self, token: int) -> None:
        """Subtract the penalties of one more token of the response from its logit."""
        sampling = self.job.sampling
        if sampling.presence_penalty or sampling.frequency_penalty:
            presence = 0.0 if token in self._written else sampling.presence_penalty or 0.0
            self._offsets[token] -= presence + (sampling.frequency_penalty or 0.0)
            self._written.add(token)

    # changing logits

    def _apply_penalties(self, logits: Array) -> Array:
        mx = import_mlx()
        if self._seen is not None:
            penalty = self.job.sampling.repetition_penalty
            penalized = mx.where(logits < 0, logits * penalty, logits / penalty)
            logits = mx.where(self._seen, penalized, logits)
        return logits if self._offsets is None else logits + self._offsets.astype(logits.dtype)

    def _apply_constraint(self, logits: Array) -> Array:
        if self.matcher is None:
            return logits
        mx = import_mlx()
        allowed = mx.array(self.matcher.compute_mask())
        size = logits.shape[-1]
        # Models may have more logits than the tokenizer has tokens (padded embeddings): those stay forbidden.
        if allowed.size < size:
            allowed = mx.pad(allowed, (0, size - allowed.size))
        return mx.where(allowed[:size], logits, -math.inf)


def _mark_tokens(size: int, tokens: Collection[int]) -> Array:
    mx = import_mlx()
    marks = mx.zeros(size, dtype=mx.bool_)
    marks[mx.array(sorted({*tokens}))] = True
    return marks


def _make_offsets(size: int, bias: Mapping[int, float]) -> Array:
    mx = import_mlx()
    offsets = mx.zeros(size)
    if bias:
        offsets[mx.array([*bias])] = mx.array([*bias.values()])
    return offsets
