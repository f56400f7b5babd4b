"""A batch of our own: prompts join it while others decode, and answers leave it when they are done.

Each prompt is read by itself or with others that wait, and its cache is then put beside those of the batch, padded on
the left. This works for every model that keeps keys and values; a model that keeps anything else has its answers
written in turns, one forward pass for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ..local import Job
from .choose import choose
from .forward import Forward
from .rows import Row

__all__ = ('BatchRunner',)

Tensor = Any


@dataclass(slots=True)
class _Batch:
    """Rows that decode together."""

    rows: list[Row]
    cache: Any
    mask: Tensor
    """1 where a row has a token, 0 where it is padded."""
    positions: Tensor
    """The place of each row's next token."""
    tokens: Tensor
    """Each row's newest token, which the cache does not hold yet."""
    padded: bool
    deltas: Any = None
    """What the model adds to positions after images."""


@dataclass(slots=True)
class _Reading:
    """A long prompt that is read piece by piece."""

    row: Row
    cache: Any
    done: int = 0


class BatchRunner:
    """Writes the answers of a batch, a token for each with one forward pass."""

    def __init__(self, forward: Forward, *, slots: int, prefill_tokens: int) -> None:
        self.slots = slots
        """How many answers it can write at once."""
        self._forward = forward
        self._limit = prefill_tokens
        self._waiting: list[Row] = []
        self._reading: _Reading | None = None
        self._batches: list[_Batch] = []

    def add(self, job: Job) -> None:
        """Give a job a slot."""
        self._waiting.append(Row(job))

    def remove(self, job: Job) -> None:
        """Free the slot of a job that is not done."""
        self._waiting = [row for row in self._waiting if row.job is not job]
        if self._reading is not None and self._reading.row.job is job:
            self._reading = None
        with self._forward.without_gradients():
            self._keep(lambda row: row.job is not job)

    def step(self) -> Collection[Job]:
        """Read some prompts, and write a token of every answer that has begun."""
        writing = [*self._batches]
        with self._forward.without_gradients():
            touched = [job for batch in writing for job in self._write(batch)]
            touched += self._read()
            self._keep(lambda row: not row.job.done)
        return touched

    # reading prompts

    def _read(self) -> list[Job]:
        if self._reading is None and self._waiting:
            group = self._next_group()
            if len(group) > 1 or not self._is_long(group[0]):
                return self._begin(group, *self._forward.read([row.job.prompt for row in group]))
            self._reading = _Reading(group[0], self._forward.new_cache())
        return self._read_on(self._reading) if self._reading is not None else []

    def _next_group(self) -> list[Row]:
        """The prompts to read next: as many as fit into one pass, or one that does not."""
        first = self._waiting.pop(0)
        group, longest = [first], len(first.job.prompt.tokens)
        while self._waiting and self._forward.can_merge and not first.job.prompt.inputs:
            prompt = self._waiting[0].job.prompt
            longest = max(longest, len(prompt.tokens))
            if prompt.inputs or longest * (len(group) + 1) > self._limit:
                break
            group.append(self._waiting.pop(0))
        return group

    def _is_long(self, row: Row) -> bool:
        return len(row.job.prompt.tokens) > self._limit and not row.job.prompt.inputs

    def _read_on(self, reading: _Reading) -> list[Job]:
        """Read the next piece of a long prompt; with the last one the answer begins."""
        tokens = reading.row.job.prompt.tokens
        piece = tokens[reading.done : reading.done + self._limit]
        logits = self._forward.read_piece(piece, reading.cache, reading.done)
        reading.done += len(piece)
        if reading.done < len(tokens):
            return []
        self._reading = None
        return self._begin([reading.row], logits, reading.cache, None)

    def _begin(self, rows: list[Row], logits: Tensor, cache: Any, deltas: Any) -> list[Job]:
        """The prompts are read: choose the first tokens, and put the rows into the batch."""
        lengths = [len(row.job.prompt.tokens) for row in rows]
        batch = _Batch(
            rows=rows,
            cache=cache,
            mask=self._forward.mask(lengths),
            positions=self._forward.tensor(lengths),
            tokens=self._forward.tensor([0] * len(rows)),
            padded=len(set(lengths)) > 1,
            deltas=deltas,
        )
        touched = self._choose(batch, logits)
        self._drop(batch, lambda row: not row.job.done)
        if not batch.rows:
            return touched
        if self._batches and self._forward.can_merge and deltas is None and self._batches[0].deltas is None:
            self._merge(self._batches[0], batch)
        else:
            self._batches.append(batch)
        return touched

    # writing answers

    def _write(self, batch: _Batch) -> list[Job]:
        forward = self._forward
        batch.mask = forward.longer(batch.mask)
        logits = forward.write(
            batch.tokens, batch.positions, batch.cache, batch.mask if batch.padded else None, batch.deltas
        )
        batch.positions += 1
        return self._choose(batch, logits)

    def _choose(self, batch: _Batch, logits: Tensor) -> list[Job]:
        tokens = choose(logits, batch.rows)
        for row, token in zip(batch.rows, tokens, strict=True):
            if not row.job.done:
                row.take(token)
        batch.tokens = self._forward.tensor(tokens)
        return [row.job for row in batch.rows]

    # coming and going

    def _keep(self, stays: Callable[[Row], bool]) -> None:
        for batch in self._batches:
            self._drop(batch, stays)
        self._batches = [batch for batch in self._batches if batch.rows]

    def _drop(self, batch: _Batch, stays: Callable[[Row], bool]) -> None:
        """Take the rows out of a batch that do not stay, and the columns that only they needed."""
        lines = [line for line, row in enumerate(batch.rows) if stays(row)]
        if len(lines) == len(batch.rows):
            return
        batch.rows = [batch.rows[line] for line in lines]
        if not lines:
            return
        index = self._forward.tensor(lines)
        batch.mask, batch.positions, batch.tokens = batch.mask[index], batch.positions[index], batch.tokens[index]
        width = batch.mask.shape[1]
        longest = int(batch.mask.sum(dim=1).max())
        batch.mask = batch.mask[:, width - longest :]
        batch.padded = bool((batch.mask == 0).any())
        self._forward.select(batch.cache, index, longest)

    def _merge(self, batch: _Batch, other: _Batch) -> None:
        """Put rows beside those of the batch."""
        forward = self._forward
        width = max(batch.mask.shape[1], other.mask.shape[1])
        forward.join(batch.cache, other.cache)
        batch.mask = forward.stacked([forward.widened(batch.mask, width), forward.widened(other.mask, width)])
        batch.positions = forward.stacked([batch.positions, other.positions])
        batch.tokens = forward.stacked([batch.tokens, other.tokens])
        batch.rows = [*batch.rows, *other.rows]
        batch.padded = bool((batch.mask == 0).any())
