"""Logits → the next token of each row, by the row's own settings. Start at `choose`.

Each row draws one number per token from its own generator, so that a seed gives the same response whatever else is in
the batch. Penalties and constraints are applied row by row, the rest for all rows at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import Any

from .library import import_torch
from .rows import Row

__all__ = ('choose', 'fail_unusable')

Tensor = Any


def choose(logits: Tensor, rows: Sequence[Row]) -> list[int]:
    """Return the next token of each row. `logits` has shape [rows, vocabulary], and may be changed in place."""
    if all(row.is_plain for row in rows):
        return _pick_likeliest(logits, rows)
    logits = logits.float()
    for number, row in enumerate(rows):
        if not row.is_plain:
            logits[number] = _adjust_logits(logits[number], row)
    tokens = _pick_likeliest(logits, rows)
    drawing = [number for number, row in enumerate(rows) if row.random is not None and not row.job.done]
    # Another order of the tokens gives a number another token: a row must get the same one in any company.
    for is_filtered in (False, True):
        numbers = [number for number in drawing if _has_filters(rows[number]) == is_filtered]
        if numbers:
            drawn = _draw_tokens(logits[numbers], [rows[number] for number in numbers], is_filtered=is_filtered)
            for number, token in zip(numbers, drawn, strict=True):
                tokens[number] = token
    return tokens


def _has_filters(row: Row) -> bool:
    """Return whether the settings of a row exclude tokens from being drawn."""
    sampling = row.job.sampling
    has_processors = row.processors is not None
    return bool(sampling.top_k or sampling.min_p or (sampling.top_p or 1.0) < 1.0 or has_processors)


def _pick_likeliest(logits: Tensor, rows: Sequence[Row]) -> list[int]:
    """Return the likeliest token of each row. Fail the rows whose highest logit is no number."""
    highest, indices = logits.max(dim=-1)  # a NaN counts as the highest
    tokens: list[int] = indices.tolist()
    fail_unusable(highest, rows)
    return tokens


def fail_unusable(highest: Tensor, rows: Sequence[Row | None]) -> None:
    """Fail the rows with no token to choose. `highest` is the highest logit of each row, NaN if any of them is NaN."""
    for row, logit in zip(rows, highest.tolist(), strict=True):
        if row is not None and not isfinite(logit):
            row.fail(f'its highest logit is {logit}: the weights are broken, or a number overflows (try torch_dtype)')


def _adjust_logits(logits: Tensor, row: Row) -> Tensor:
    """Apply a row's penalties, bias, processors and constraint. `logits` has shape [vocabulary]."""
    adjusted = _apply_penalties(logits, row) if row.changes_logits else logits
    if row.processors is not None:
        adjusted = row.processors.adjust(adjusted, row.tokens)
    if row.matcher is None:
        return adjusted
    constrained = _apply_constraint(adjusted, row)
    if row.processors is not None and not constrained.isfinite().any():
        return _apply_constraint(logits, row)  # the processors exclude every token that the constraint allows
    return constrained


def _apply_penalties(logits: Tensor, row: Row) -> Tensor:
    torch = import_torch()
    sampling = row.job.sampling
    logits = logits.clone()
    if (penalty := sampling.repetition_penalty or 1.0) != 1.0:
        seen = torch.tensor(sorted({*row.job.prompt.tokens, *row.tokens}), device=logits.device)
        seen = seen[seen < logits.shape[-1]]
        values = logits[seen]
        logits[seen] = torch.where(values < 0, values * penalty, values / penalty)
    if row.tokens and (sampling.presence_penalty or sampling.frequency_penalty):
        counts = Counter(row.tokens)
        ids = torch.tensor([*counts], device=logits.device)
        frequencies = torch.tensor([*counts.values()], device=logits.device, dtype=logits.dtype)
        logits[ids] -= (sampling.presence_penalty or 0.0) + (sampling.frequency_penalty or 0.0) * frequencies
    if sampling.logit_bias:
        ids = torch.tensor([*sampling.logit_bias], device=logits.device)
        logits[ids] += torch.tensor([*sampling.logit_bias.values()], device=logits.device, dtype=logits.dtype)
    return logits


def _apply_constraint(logits: Tensor, row: Row) -> Tensor:
    """Set the logits of all tokens that the constraint forbids to minus infinity. If it breaks, fail the row's job."""
    torch = import_torch()
    try:
        allowed = torch.from_numpy(row.matcher.compute_mask())
    except RuntimeError as error:
        row.fail(error)
        return logits
    # Models may have more logits than the tokenizer has tokens (padded embeddings): those stay forbidden.
    forbidden = torch.ones(logits.shape[-1], dtype=torch.bool)
    length = min(allowed.shape[0], forbidden.shape[0])
    forbidden[:length] = ~allowed[:length]
    return logits.masked_fill(forbidden.to(logits.device), float('-inf'))


def _draw_tokens(logits: Tensor, rows: Sequence[Row], *, is_filtered: bool) -> list[int]:
    """Draw one token per row by its probability, with one random number per row."""
    torch = import_torch()
    sampling = [row.job.sampling for row in rows]
    temperatures = torch.tensor([one.temperature for one in sampling], device=logits.device)
    logits = logits / temperatures.clamp(min=1e-5).unsqueeze(-1)
    uniform = torch.tensor(
        [row.random.random() if row.random else 0.0 for row in rows], device=logits.device, dtype=torch.float32
    ).unsqueeze(-1)
    if not is_filtered:
        tokens: list[int] = _find_indices(logits.softmax(dim=-1), uniform).squeeze(-1).tolist()
        return tokens
    ordered, ids = logits.sort(dim=-1, descending=True)
    probabilities = _filter_probabilities(ordered, sampling)
    for number, row in enumerate(rows):
        if row.processors is not None:
            probabilities[number] = row.processors.filter(probabilities[number], row.tokens)
    tokens = ids.gather(-1, _find_indices(probabilities, uniform)).squeeze(-1).tolist()
    return list(tokens)


def _filter_probabilities(ordered: Tensor, sampling: Sequence[Any]) -> Tensor:
    """Return the probabilities, highest first, with 0 for what `top_k`, `top_p` or `min_p` of the row excludes.

    `ordered` are logits, highest first. The order of the filters is that of transformers: top_k, top_p, min_p
    (`GenerationMixin._get_logits_processor` in generation/utils.py, 5.24).
    """
    torch = import_torch()
    size = ordered.shape[-1]
    rank = torch.arange(size, device=ordered.device)

    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=ordered.device, dtype=torch.float32).unsqueeze(-1)

    ordered = ordered.masked_fill(rank >= column([one.top_k or size for one in sampling]), float('-inf'))
    probabilities = ordered.softmax(dim=-1)
    before = probabilities.cumsum(dim=-1) - probabilities
    is_excluded = (before >= column([one.top_p or 1.0 for one in sampling])) & (rank > 0)
    probabilities = probabilities.masked_fill(is_excluded, 0.0)
    threshold = column([one.min_p or 0.0 for one in sampling]) * probabilities[:, :1]
    return probabilities.masked_fill(probabilities < threshold, 0.0)


def _find_indices(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Map each row's number from 0 to 1 to an index of its distribution, which need not add up to 1."""
    torch = import_torch()
    sums = probabilities.cumsum(dim=-1)
    found = torch.searchsorted(sums, uniform * sums[:, -1:], right=True)
    last = (probabilities > 0).long().cumsum(dim=-1).argmax(dim=-1, keepdim=True)
    return torch.minimum(found, last)
