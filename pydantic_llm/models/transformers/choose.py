"""Logits → the next token of each row, each with its own settings; what is common to the rows is done at once.

A row draws from a generator of its own, one number for each token, so that its seed gives the same answer whatever else
is in the batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .library import import_torch
from .rows import Row, changes_logits

__all__ = ('choose',)

Tensor = Any


def choose(logits: Tensor, rows: Sequence[Row]) -> list[int]:
    """The next token of each row. `logits` has a line for each, and may be changed."""
    if all(row.is_plain for row in rows):
        return _likeliest(logits)
    logits = logits.float()
    for line, row in enumerate(rows):
        if not row.is_plain:
            logits[line] = _adjusted(logits[line], row)
    tokens = _likeliest(logits)
    drawing = [line for line, row in enumerate(rows) if row.random is not None]
    if drawing:
        drawn = _draw(logits[drawing], [rows[line] for line in drawing])
        for line, token in zip(drawing, drawn, strict=True):
            tokens[line] = token
    return tokens


def _likeliest(logits: Tensor) -> list[int]:
    tokens: list[int] = logits.argmax(dim=-1).tolist()
    return tokens


# ---------------------------------------------------------------------- one row


def _adjusted(line: Tensor, row: Row) -> Tensor:
    """One row's logits with its penalties, its bias and its constraint."""
    if changes_logits(row.job):
        line = _penalized(line, row)
    if row.matcher is not None:
        line = _constrained(line, row)
    return line


def _penalized(line: Tensor, row: Row) -> Tensor:
    torch = import_torch()
    sampling = row.job.sampling
    line = line.clone()
    if (penalty := sampling.repetition_penalty or 1.0) != 1.0:
        seen = torch.tensor(sorted({*row.job.prompt.tokens, *row.tokens}), device=line.device)
        seen = seen[seen < line.shape[-1]]
        values = line[seen]
        line[seen] = torch.where(values < 0, values * penalty, values / penalty)
    if row.tokens and (sampling.presence_penalty or sampling.frequency_penalty):
        counts = Counter(row.tokens)
        ids = torch.tensor([*counts], device=line.device)
        often = torch.tensor([*counts.values()], device=line.device, dtype=line.dtype)
        line[ids] -= (sampling.presence_penalty or 0.0) + (sampling.frequency_penalty or 0.0) * often
    if sampling.logit_bias:
        ids = torch.tensor([*sampling.logit_bias], device=line.device)
        line[ids] += torch.tensor([*sampling.logit_bias.values()], device=line.device, dtype=line.dtype)
    return line


def _constrained(line: Tensor, row: Row) -> Tensor:
    torch = import_torch()
    try:
        allowed = torch.from_numpy(row.matcher.compute_mask())
    except RuntimeError as error:
        row.fail(error)
        return line
    forbidden = torch.ones(line.shape[-1], dtype=torch.bool)
    length = min(allowed.shape[0], forbidden.shape[0])
    forbidden[:length] = ~allowed[:length]
    return line.masked_fill(forbidden.to(line.device), float('-inf'))


# ---------------------------------------------------------------------- all rows that draw


def _draw(logits: Tensor, rows: Sequence[Row]) -> list[int]:
    """A token for each row, drawn by its likelihood."""
    torch = import_torch()
    sampling = [row.job.sampling for row in rows]
    temperatures = torch.tensor([one.temperature for one in sampling], device=logits.device)
    logits = logits / temperatures.clamp(min=1e-5).unsqueeze(-1)
    uniform = torch.tensor(
        [row.random.random() if row.random else 0.0 for row in rows], device=logits.device, dtype=torch.float32
    ).unsqueeze(-1)
    if not any(one.top_k or one.min_p or (one.top_p or 1.0) < 1.0 for one in sampling):
        tokens: list[int] = _at(logits.softmax(dim=-1), uniform).squeeze(-1).tolist()
        return tokens
    ordered, ids = logits.sort(dim=-1, descending=True)
    likely = _cut(ordered, sampling)
    tokens = ids.gather(-1, _at(likely, uniform)).squeeze(-1).tolist()
    return list(tokens)


def _cut(ordered: Tensor, sampling: Sequence[Any]) -> Tensor:
    """The likelihoods, the greatest first, with those cut off that a row does not choose among."""
    torch = import_torch()
    size = ordered.shape[-1]
    place = torch.arange(size, device=ordered.device)

    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=ordered.device, dtype=torch.float32).unsqueeze(-1)

    ordered = ordered.masked_fill(place >= column([one.top_k or size for one in sampling]), float('-inf'))
    likely = ordered.softmax(dim=-1)
    before = likely.cumsum(dim=-1) - likely
    likely = likely.masked_fill((before >= column([one.top_p or 1.0 for one in sampling])) & (place > 0), 0.0)
    return likely.masked_fill(likely < column([one.min_p or 0.0 for one in sampling]) * likely[:, :1], 0.0)


def _at(likely: Tensor, uniform: Tensor) -> Tensor:
    """Where each row's number falls among the likelihoods, which need not add up to 1."""
    torch = import_torch()
    sums = likely.cumsum(dim=-1)
    found = torch.searchsorted(sums, uniform * sums[:, -1:], right=True)
    last = (likely > 0).long().cumsum(dim=-1).argmax(dim=-1, keepdim=True)
    return torch.minimum(found, last)
