"""Content that is a list of chunks, as servers of Mistral's models send it → parts, in the same order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from ....json_types import Json
from ....messages import TextPart
from ....streaming.draft import ResponseDraft
from ....streaming.parts import LAST


def decode_chunks(chunks: Iterable[Json], draft: ResponseDraft, say: Callable[[str], None]) -> None:
    """Texts, for which `say` is called, thoughts, and references to sources. Chunks of other kinds are passed over."""
    for chunk in chunks:
        match chunk:
            case {'type': 'thinking', 'thinking': thoughts}:
                _think(thoughts, chunk.get('signature'), draft)
            case {'type': 'reference', 'reference_ids': list()}:
                _refer(cast('list[object]', chunk['reference_ids']), draft)
            case {'text': text}:
                say('' if text is None else text)
            case _:
                pass


def _think(thoughts: object, signature: str | None, draft: ResponseDraft) -> None:
    """Thoughts are chunks themselves; what is no text among them is kept as it came."""
    items: list[Json] = cast('list[Json]', thoughts) if isinstance(thoughts, list) else [{'text': thoughts}]
    content = ''.join(item['text'] for item in items if item.get('text'))
    begins = draft.parts.kind_of(LAST) != 'thinking'
    more: Json = {'provider_name': draft.provider_name} if begins else {}
    if others := [item for item in items if 'text' not in item]:
        known: list[Json] = [] if begins else draft.scratch.get('references', [])
        draft.scratch['references'] = [*known, *others]
        more['provider_details'] = {'references': draft.scratch['references']}
    if content or signature or others:
        draft.parts.thinking(LAST, content, signature=signature or None, **more)


def _refer(ids: list[object], draft: ResponseDraft) -> None:
    """A reference ends the text that it stands behind."""
    own: Json = {'provider_name': draft.provider_name, 'provider_details': {'reference_ids': ids}}
    if draft.parts.kind_of(LAST) == 'text':
        draft.parts.details(LAST, **own)
    else:
        draft.parts.whole(LAST, TextPart('', **own))
    draft.parts.close(LAST)
