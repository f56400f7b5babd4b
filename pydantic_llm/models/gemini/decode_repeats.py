"""Decodes the chunks that only add text or thinking, although their token counts grow: `ChunkRepeats`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...json_types import Json
from ...streaming.parts import LAST, PartsManager
from ...wire.repeats import Repeats
from ...wire.templates import Path

USAGE = 'usageMetadata'

GROWING = ('candidatesTokenCount', 'thoughtsTokenCount', 'totalTokenCount')
"""The counts of a chunk that differ from those of the chunk before it."""

FIELDS_WITH_EFFECT = (
    'index',
    'finishReason',
    'citationMetadata',
    'logprobsResult',
    'groundingMetadata',
    'urlContextMetadata',
)
"""Fields of a candidate that have an effect each time, or mean that it is not read."""


class ChunkRepeats(Repeats):
    """The last chunk that only added text. `record_counts` gets the token counts of the chunks that repeat it."""

    __slots__ = ('_growing', '_parts', '_record_counts', '_usage')

    def __init__(self, parts: PartsManager, record_counts: Callable[[Json], None]) -> None:
        super().__init__()
        self._parts = parts
        self._record_counts = record_counts
        self._usage: Json = {}  # a copy of the last counts, in which `add` replaces those that grow
        self._growing: list[str] = []

    def remember_chunk(self, event: Json, usage: Json) -> None:
        """Remember a chunk, if it only added text. `usage` are the counts so far, with those of earlier chunks."""
        match event:
            case {'candidates': [{'content': {'parts': [{'text': str(text)} as part]}} as candidate]} if text:
                if not (part.get('thoughtSignature') or any(map(candidate.get, FIELDS_WITH_EFFECT))):
                    self._remember(event, self._parts.find_adder(LAST), usage)
            case _:
                pass

    def _remember(self, event: Json, add: Callable[[str], None] | None, usage: Json) -> None:
        counts: Json = event.get(USAGE) or {}
        self._growing = [name for name in GROWING if name in counts] if counts == usage else []
        self._usage = {**counts}
        unread = (USAGE,) if self._growing else ()
        self.remember(event, ('candidates', 0, 'content', 'parts', 0, 'text'), add, unread=unread)

    def add(self, event: Any) -> bool:
        if not self._growing:
            return super().add(event)
        if self._event is None or (usage := self._read_usage(event)) is None or not super().add(event):
            return False
        self._record_counts(usage)
        return True

    def _list_paths(self) -> list[Path]:
        text, *_ = super()._list_paths()
        return [text, *((USAGE, name) for name in self._growing)]

    def _accept(self, values: Sequence[Any]) -> bool:
        if not self._growing:
            return True
        usage = self._usage.copy()
        for name, count in zip(self._growing, values[1:], strict=True):
            if type(count) is not int or count <= 0:
                return False
            usage[name] = count
        self._record_counts(usage)
        return True

    def _read_usage(self, event: Any) -> Json | None:
        """Return the counts of a chunk, if no other count than those that grow differs from the chunk before."""
        try:
            usage: Json = event[USAGE]
            for name in self._growing:
                self._usage[name] = count = usage[name]
                if type(count) is not int or count <= 0:
                    return None
        except (LookupError, TypeError):
            return None
        return usage if usage == self._usage else None
