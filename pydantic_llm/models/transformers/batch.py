"""A runner with a padded batch of ours: prompts join between two steps, and finished responses leave.

`BatchRunner.step` generates one token per response, then reads some waiting prompts: alone, several in one forward
pass, or one long prompt in pieces. The cache of a new prompt is appended to that of the batch, padded on the left. This
works for every model whose cache holds keys and values only; the responses of any other model each stay in a batch of
one, with a forward pass for each.

Rows with different keys (`BatchRunner._make_key`) share no forward pass: each key has a batch of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..local import Job
from ..local.prefix_cache import PrefixCache
from .caches import Extras
from .choose import choose
from .forward import Forward
from .prefixes import Prefixes
from .rows import Row

__all__ = ('BatchRunner',)

Tensor = Any


class _Key(NamedTuple):
    """What all rows of a forward pass must have in common."""

    adapter: str | None
    is_long: bool
    """True if the rows have the rotary frequencies of long rows (see `rope`)."""
    row: Row | None
    """The only row that can have this key; `None` for a key of many."""


@dataclass(slots=True, eq=False)
class _Batch:
    """Rows that share each forward pass."""

    key: _Key
    rows: list[Row]
    cache: Any
    mask: Tensor
    """Shape [rows, columns]: 1 for a token, 0 for padding."""
    positions: Tensor
    """Shape [rows]: the position of each row's next token."""
    tokens: Tensor
    """Shape [rows]: each row's newest token, which the cache does not hold yet."""
    padded: bool
    extras: Extras | None = None
    """What the next tokens of the only row need besides the cache."""


@dataclass(slots=True)
class _PartialPrompt:
    """A long prompt that is read in pieces."""

    row: Row
    cache: Any
    tokens_read: int = 0


class BatchRunner:
    """Generates the responses of a batch, one token each per forward pass."""

    def __init__(
        self, forward: Forward, *, slots: int, prefill_tokens: int, prefix_cache: PrefixCache | None = None
    ) -> None:
        self.slots = slots
        self._forward = forward
        self._prefixes = Prefixes(forward, prefix_cache)
        self._prefill_tokens = prefill_tokens
        self._waiting: list[Row] = []
        self._partial: _PartialPrompt | None = None
        self._batches: list[_Batch] = []

    def add(self, job: Job) -> None:
        self._waiting.append(Row(job))

    def remove(self, job: Job) -> None:
        self._waiting = [row for row in self._waiting if row.job is not job]
        with self._forward.without_gradients():
            if self._partial is not None and self._partial.row.job is job:
                row = self._partial.row
                self._prefixes.save([row], self._partial.cache, [self._partial.tokens_read], self._make_key(row))
                self._partial = None
            self._keep_rows(lambda row: row.job is not job)

    def step(self) -> Collection[Job]:
        with self._forward.without_gradients():
            self._move_rows()
            batches = [*self._batches]
            changed = [job for batch in batches for job in self._generate_tokens(batch)]
            changed += self._read_prompts()
            self._keep_rows(lambda row: not row.job.done)
        return changed

    def _make_key(self, row: Row) -> _Key:
        """Return the key of the batch that a row belongs to, which changes when the row gets too long for the batch."""
        rope = self._forward.rope
        is_long = rope.is_long(row.length)
        return _Key(row.job.adapter, is_long, row if is_long and not rope.long_rows_share else None)

    # reading prompts

    def _read_prompts(self) -> list[Job]:
        if self._partial is None and self._waiting:
            group = self._pop_group()
            self._forward.use_adapter(group[0].job.adapter)
            past, width = self._prefixes.restore(group)
            if len(group) > 1 or not self._needs_pieces(group[0], width):
                return self._begin_responses(group, *self._forward.read_prompts([row.prompt for row in group], past))
            self._partial = _PartialPrompt(group[0], self._forward.fill_cache(past), width)
        return self._read_piece(self._partial) if self._partial is not None else []

    def _pop_group(self) -> list[Row]:
        """Return the prompts to read next: as many of one key as fit into one pass with padding, and at least one.

        A prompt that shares an unknown block with one of them waits until that one is read.
        """
        group: list[Row] = []
        longest = 0
        for row in self._waiting:
            if group and not self._can_share_pass(group[0], row):
                continue
            self._prefixes.find(row, self._make_key(row))
            width = max(longest, row.unread_tokens)
            if width * (len(group) + 1) > self._prefill_tokens and group:
                break
            if not self._prefixes.should_wait(row, group):
                group.append(row)
                longest = width
        self._waiting = [row for row in self._waiting if row not in group]
        return group

    def _can_share_pass(self, row: Row, other: Row) -> bool:
        is_text = not row.prompt.inputs and not other.prompt.inputs
        return self._forward.can_merge and is_text and self._make_key(row) == self._make_key(other)

    def _needs_pieces(self, row: Row, known_tokens: int) -> bool:
        length = len(row.prompt.tokens)
        is_long = length - known_tokens > self._prefill_tokens
        # The first pieces of a long prompt would get the frequencies of a short one.
        return is_long and not row.prompt.inputs and not self._forward.rope.is_long(length)

    def _read_piece(self, partial: _PartialPrompt) -> list[Job]:
        """Read the next piece of a long prompt. After the last piece, begin the response."""
        self._forward.use_adapter(partial.row.job.adapter)
        tokens = partial.row.prompt.tokens
        piece = tokens[partial.tokens_read : partial.tokens_read + self._prefill_tokens]
        logits = self._forward.read_piece(piece, partial.cache, partial.tokens_read)
        partial.tokens_read += len(piece)
        if partial.tokens_read < len(tokens):
            return []
        self._partial = None
        return self._begin_responses([partial.row], logits, partial.cache, None)

    def _begin_responses(self, rows: list[Row], logits: Tensor, cache: Any, extras: Extras | None) -> list[Job]:
        """Choose the first token of each row, then add the rows that are not done to a batch."""
        lengths = [len(row.prompt.tokens) for row in rows]
        batch = _Batch(
            key=self._make_key(rows[0]),
            rows=rows,
            cache=cache,
            mask=self._forward.make_mask(lengths),
            positions=self._forward.tensor(lengths),
            tokens=self._forward.tensor([0] * len(rows)),
            padded=len(set(lengths)) > 1,
            extras=extras,
        )
        changed = self._choose_tokens(batch, logits)
        self._prefixes.save(rows, cache, lengths, batch.key)
        self._filter_rows(batch, lambda row: not row.job.done)
        if not batch.rows:
            return changed
        self._add_batch(batch)
        return changed

    def _add_batch(self, batch: _Batch) -> None:
        """Append the rows to the batch with their key, if there is one that can take them."""
        for other in self._batches:
            if other.key == batch.key and self._forward.can_merge and batch.extras is None and other.extras is None:
                self._merge_batches(other, batch)
                return
        self._batches.append(batch)

    # generating tokens

    def _generate_tokens(self, batch: _Batch) -> list[Job]:
        forward = self._forward
        forward.use_adapter(batch.key.adapter)
        batch.mask = forward.extend_mask(batch.mask)
        logits = forward.next_logits(
            batch.tokens, batch.positions, batch.cache, batch.mask if batch.padded else None, batch.extras
        )
        batch.positions += 1
        return self._choose_tokens(batch, logits)

    def _choose_tokens(self, batch: _Batch, logits: Tensor) -> list[Job]:
        tokens = choose(logits, batch.rows)
        for row, token in zip(batch.rows, tokens, strict=True):
            if not row.job.done:
                row.add_token(token)
        batch.tokens = self._forward.tensor(tokens)
        return [row.job for row in batch.rows]

    # rows that join, move and leave

    def _move_rows(self) -> None:
        """Move the rows that got too long for their batch to another one, or to the prompts that are read next."""
        if self._forward.rope.limit is None:
            return
        for batch in [*self._batches]:
            for row in [row for row in batch.rows if self._make_key(row) != batch.key]:
                taken = self._take_row(batch, row)
                if self._forward.rope.reads_again:
                    row.read_again()
                    self._waiting.insert(0, row)
                else:
                    self._add_batch(taken)

    def _take_row(self, batch: _Batch, row: Row) -> _Batch:
        """Take a row out of a batch. Return it as a batch of its own, with what was read of it."""
        taken = replace(batch, key=self._make_key(row), rows=[row])
        if len(batch.rows) == 1:
            self._batches.remove(batch)
            return taken
        taken.rows, taken.cache = [*batch.rows], self._forward.copy_cache(batch.cache)
        self._filter_rows(taken, lambda other: other is row)
        self._filter_rows(batch, lambda other: other is not row)
        return taken

    def _keep_rows(self, should_stay: Callable[[Row], bool]) -> None:
        for batch in self._batches:
            leaving = [None if should_stay(row) else row for row in batch.rows]
            if any(leaving):
                self._prefixes.save(leaving, batch.cache, batch.positions.tolist(), batch.key)
            self._filter_rows(batch, should_stay)
        self._batches = [batch for batch in self._batches if batch.rows]

    def _filter_rows(self, batch: _Batch, should_stay: Callable[[Row], bool]) -> None:
        """Drop rows from a batch, and the columns that are padding in all rows that stay."""
        kept = [number for number, row in enumerate(batch.rows) if should_stay(row)]
        if len(kept) == len(batch.rows):
            return
        batch.rows = [batch.rows[number] for number in kept]
        if not kept:
            return
        index = self._forward.tensor(kept)
        batch.mask, batch.positions, batch.tokens = batch.mask[index], batch.positions[index], batch.tokens[index]
        width = batch.mask.shape[1]
        longest = int(batch.mask.sum(dim=1).max())
        batch.mask = batch.mask[:, width - longest :]
        batch.padded = bool((batch.mask == 0).any())
        self._forward.keep_cache_rows(batch.cache, index, longest)

    def _merge_batches(self, batch: _Batch, other: _Batch) -> None:
        """Append the rows of `other` to `batch`."""
        forward = self._forward
        width = max(batch.mask.shape[1], other.mask.shape[1])
        forward.append_cache_rows(batch.cache, other.cache)
        batch.mask = forward.concatenate([forward.pad_mask(batch.mask, width), forward.pad_mask(other.mask, width)])
        batch.positions = forward.concatenate([batch.positions, other.positions])
        batch.tokens = forward.concatenate([batch.tokens, other.tokens])
        batch.rows = [*batch.rows, *other.rows]
        batch.padded = bool((batch.mask == 0).any())
