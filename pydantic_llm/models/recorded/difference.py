"""Explains why a request is not in a recording: a diff to the recorded request that is most similar to it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from difflib import unified_diff
from itertools import islice

from ...json_types import Json
from .exchange import Exchange, Kind

__all__ = ('explain',)

MAX_DIFF_LINES = 60
MAX_LINE = 200
"""Characters of a line of the diff."""


def explain(kind: Kind, model_id: str, request: Json, recorded: Sequence[Exchange]) -> str:
    """Return a sentence and a diff, of bounded size, for a request that is not in a recording."""
    if not recorded:
        return 'The recording is empty.'
    wanted = _write_lines(kind, model_id, request)
    number, nearest = max(enumerate(recorded, 1), key=lambda item: _measure_similarity(wanted, _list_lines(item[1])))
    diff = unified_diff(_list_lines(nearest), wanted, f'recorded request {number}', 'this request', lineterm='', n=2)
    lines = [line if len(line) <= MAX_LINE else f'{line[:MAX_LINE]}…' for line in islice(diff, MAX_DIFF_LINES + 1)]
    if len(lines) > MAX_DIFF_LINES:
        lines[-1] = '... (more differences follow)'
    return '\n'.join([f'The most similar of {len(recorded)} recorded requests is number {number}:', *lines])


def _list_lines(exchange: Exchange) -> list[str]:
    return _write_lines(exchange.kind, exchange.model_id, exchange.request)


def _write_lines(kind: Kind, model_id: str, request: Json) -> list[str]:
    content = {'kind': kind, 'model': model_id, **request}
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True).split('\n')


def _measure_similarity(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the share of equal lines, from 0 to 1, whatever their order."""
    shared = (Counter(one) & Counter(other)).total()
    return 2 * shared / (len(one) + len(other))
