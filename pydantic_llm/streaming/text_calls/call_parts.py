"""`CallParts`: makes parts of the tool calls that a reader finds, while they are written and at their end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...messages import ToolCallPart
from ..parts import PartsManager
from .reader import PartialCall, ToolCall
from .typed_args import fit_args, fit_piece

__all__ = ('CallParts',)


class CallParts:
    """Adds the tool calls of one response to its parts. `schemas` are those of the tools' arguments, by name."""

    def __init__(self, parts: PartsManager, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        self._parts = parts
        self._schemas = schemas
        self._count = 0
        """The number of whole calls."""
        self._has_begun = False
        """True if a part of the next call was started."""

    @property
    def count(self) -> int:
        """The number of whole calls."""
        return self._count

    @property
    def _key(self) -> tuple[str, int]:
        return 'text call', self._count

    def add_piece(self, partial: PartialCall) -> None:
        """Add a piece of a call to its part, or start the part."""
        schema = self._schemas.get(partial.name, {})
        piece = fit_piece(partial.piece, schema, is_first=not self._has_begun)
        if not self._has_begun:
            self._parts.whole(self._key, ToolCallPart(partial.name, piece))
        elif piece:
            self._parts.tool_call(self._key, args=piece)
        self._has_begun = True

    def add(self, call: ToolCall) -> None:
        """Add a whole call. If its pieces are not the beginning of its arguments, its part starts again."""
        args = fit_args(call, self._schemas.get(call.name, {}))
        known = self._parts.get_part(self._key) if self._has_begun else None
        if not isinstance(known, ToolCallPart):
            self._parts.whole(self._key, ToolCallPart(call.name, args))
        elif known.tool_name == call.name and args.startswith(written := self._parts.get_content(self._key)):
            self._parts.tool_call(self._key, args=args[len(written) :])
        else:
            self._parts.whole(self._key, ToolCallPart(call.name, args, known.tool_call_id))
        self._parts.close(self._key)
        self._count, self._has_begun = self._count + 1, False
