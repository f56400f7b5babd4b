"""A runner with llama.cpp's sequences: prompts join between two steps, and finished responses leave.

A step is one call of `llama_decode` for each adapter, with the newest token of each response and up to `prefill_tokens`
of the prompts, one after another. If the memory is full, the sequences of ended responses are dropped, then the newest
response is: it resumes from its tokens once another one has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..local import Job
from .arrays import BatchArrays
from .choose import choose
from .handles import Context
from .library import import_llama_cpp, take_errors
from .rows import Row
from .sequences import Sequences, count_common

__all__ = ('BatchRunner',)

MIN_SHARED = 32
"""The number of tokens of another prompt that is worth waiting for, until they are read."""

FULL = 1
"""The result of `llama_decode` if the memory has no room for the tokens. It has read none of them then."""


class Piece(NamedTuple):
    """The tokens of one row that a step reads."""

    row: Row
    end: int
    """The number of the row's tokens that are read after the step."""

    @property
    def tokens(self) -> list[int]:
        return self.row.tokens[self.row.read : self.end]

    @property
    def is_last(self) -> bool:
        """True if the row's next token is chosen after the step."""
        return self.end == len(self.row.tokens)


class BatchRunner:
    """Generates the responses of a context, one token each per step. It begins with an empty memory."""

    def __init__(self, context: Context, *, slots: int, prefill_tokens: int) -> None:
        self.slots: int = max(1, min(slots, context.sequences, context.batch_tokens // 2))
        self._context = context
        self._prefill_tokens = min(prefill_tokens, context.batch_tokens - self.slots)
        self._sequences = Sequences(context)
        self._arrays = BatchArrays(self.slots + self._prefill_tokens)
        self._rows: list[Row] = []
        self._waiting: deque[Row] = deque()
        self._is_full = False
        """True from the moment when a row was dropped for lack of memory until another one leaves."""

    def add(self, job: Job) -> None:
        self._waiting.append(Row(job))

    def remove(self, job: Job) -> None:
        self._waiting = deque(row for row in self._waiting if row.job is not job)
        for row in [row for row in self._rows if row.job is job]:
            self._leave(row)

    def step(self) -> Collection[Job]:
        ready = [row for pieces in self._plan().values() for row in self._generate_tokens(pieces)]
        for row in ready:
            if row.job.done:
                self._leave(row)
        return [row.job for row in ready]

    # choosing what to read

    def _plan(self) -> dict[str | None, list[Piece]]:
        """Return what to read next, for each adapter: the newest tokens of all responses, then the oldest prompts."""
        rest = self._prefill_tokens
        pieces = [Piece(row, len(row.tokens)) for row in self._rows if len(row.tokens) - row.read == 1]
        for row in [row for row in self._rows if len(row.tokens) - row.read > 1]:
            pieces += self._cut(row, rest)
            rest = max(0, rest - len(row.tokens) + row.read)
        for row in [] if self._is_full else [*self._waiting]:
            if rest and not self._should_wait(row, pieces):
                self._begin(row)
                pieces += self._cut(row, rest)
                rest = max(0, rest - len(row.tokens) + row.read)
        by_adapter: dict[str | None, list[Piece]] = {}
        for piece in pieces:
            by_adapter.setdefault(piece.row.job.adapter, []).append(piece)
        return by_adapter

    def _cut(self, row: Row, size: int) -> list[Piece]:
        """Return the next piece of a prompt, if there is room for any of it."""
        return [Piece(row, min(len(row.tokens), row.read + size))] if size else []

    def _should_wait(self, row: Row, pieces: Sequence[Piece]) -> bool:
        """Return whether the step reads tokens of another prompt that this one can share after it."""
        if not self._context.can_share_parts:
            return False
        adapter = row.job.adapter
        others = [piece.row.tokens[: piece.end] for piece in pieces if piece.row.job.adapter == adapter]
        most = max((count_common(row.tokens, tokens) for tokens in others), default=0)
        return most >= MIN_SHARED and most - self._sequences.count_shared(row.tokens, adapter) >= MIN_SHARED

    def _begin(self, row: Row) -> None:
        """Give a row a sequence, with the tokens that it shares with others."""
        self._waiting.remove(row)
        row.sequence, row.read = self._sequences.take(row.tokens, row.job.adapter)
        self._rows.append(row)
        if not row.job.tokens:
            row.job.cached_tokens = row.read

    # reading

    def _generate_tokens(self, planned: Sequence[Piece]) -> list[Row]:
        """Read pieces of one adapter, and choose the next token of each row that is read to its end. Return these."""
        pieces = [piece for piece in planned if piece.row.sequence >= 0]
        while pieces and not self._read_pieces(pieces):
            self._make_room()
            pieces = [piece for piece in pieces if piece.row.sequence >= 0]
        return self._choose_tokens(pieces) if pieces else []

    def _read_pieces(self, pieces: Sequence[Piece]) -> bool:
        """Read the pieces; return False if the memory has no room for them. Raises `RuntimeError` for other reasons."""
        take_errors()
        self._arrays.fill([(piece.row.sequence, piece.row.read, piece.tokens, piece.is_last) for piece in pieces])
        self._context.use_adapter(pieces[0].row.job.adapter)
        result: int = import_llama_cpp().llama_decode(self._context.pointer, self._arrays.batch)
        if result == FULL:
            return False
        if result:
            raise RuntimeError(f'llama_decode returned {result}: {take_errors()}')
        for piece in pieces:
            self._sequences.extend(piece.row.sequence, piece.tokens)
            piece.row.read = piece.end
        return True

    def _make_room(self) -> None:
        """Drop a sequence: a kept one, or that of the newest row. Raises `MemoryError` if there is only one row."""
        if self._sequences.drop_kept():
            return
        newest = self._rows[-1]
        if len(self._rows) == 1:
            size = self._context.tokens
            raise MemoryError(f'{len(newest.tokens)} tokens do not fit into the context of {size} (n_ctx)')
        self._rows.pop()
        self._sequences.drop(newest.sequence)
        newest.sequence = -1
        self._waiting.appendleft(Row(newest.job))
        self._is_full = True

    def _choose_tokens(self, pieces: Sequence[Piece]) -> list[Row]:
        """Choose the next token of each row that is read to its end; return these rows."""
        ready = [(piece.row, place) for piece, place in zip(pieces, self._arrays.last_places, strict=True)]
        ready = [(row, place) for row, place in ready if row.read == len(row.tokens)]
        for row, place in ready:
            token = choose(self._context.get_logits(place), row)
            if token is not None:
                row.add_token(token)
        return [row for row, _ in ready]

    def _leave(self, row: Row) -> None:
        """End a row, and keep its tokens for later prompts."""
        self._rows.remove(row)
        self._sequences.keep(row.sequence)
        self._is_full = False
