"""Decodes a content that is a list of chunks, as servers of Mistral's models send it, into parts in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from ....json_types import Json
from ....messages import TextPart, ThinkingPart
from ....streaming.draft import ResponseDraft
from ....streaming.parts import LAST


@dataclass(slots=True)
class ChunkDecoder:
    """Decodes text, thinking and references to sources. Chunks of other kinds are skipped."""

    draft: ResponseDraft
    add_text: Callable[[object], None]

    def decode(self, chunks: Iterable[Json]) -> None:
        """Decode a list of chunks."""
        for chunk in chunks:
            match chunk:
                case {'type': 'thinking', 'thinking': thinking}:
                    self._decode_thinking(thinking, chunk.get('signature'))
                case {'type': 'reference', 'reference_ids': list()}:
                    self._add_reference(cast('list[object]', chunk['reference_ids']))
                case {'text': text}:
                    self.add_text('' if text is None else text)
                case _:
                    pass

    def _decode_thinking(self, thinking: object, signature: str | None) -> None:
        """Decode thinking, which is a list of chunks itself; items that are not text are kept in `references`."""
        items: list[Json] = cast('list[Json]', thinking) if isinstance(thinking, list) else [{'text': thinking}]
        content = ''.join(item['text'] for item in items if item.get('text'))
        is_new = self.draft.parts.kind_of(LAST) != 'thinking'
        fields: Json = {'provider_name': self.draft.provider_name} if is_new else {}
        if content or signature:
            self.draft.parts.thinking(LAST, content, signature=signature or None, **fields)
        if others := [item for item in items if 'text' not in item]:
            name = self.draft.provider_name
            self.draft.parts.add_to_details(LAST, 'references', others, kind=ThinkingPart, provider_name=name)

    def _add_reference(self, ids: list[object]) -> None:
        """Attach a reference to the text before it, and end that text."""
        parts = self.draft.parts
        fields: Json = {'provider_name': self.draft.provider_name, 'provider_details': {'reference_ids': ids}}
        if parts.kind_of(LAST) == 'text':
            parts.details(LAST, **fields)
        else:
            parts.whole(LAST, TextPart('', **fields))
        parts.close(LAST)
