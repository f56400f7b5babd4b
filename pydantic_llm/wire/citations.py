"""Adds citations to the texts of a response, for APIs that send them outside of the text. Pure.

`READERS` has a function for each key of the response's `provider_details`. A reader gets all text of the response,
since that is what the vendors' offsets are for; `add_response_citations` finds the part for each citation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

from ..json_types import Json
from ..messages import TextPart
from ..messages.citation_readers import make_source, read_annotation
from ..messages.citations import Citation, CitationSource, ContentCitationAnchor, MarkerCitationAnchor
from ..streaming.draft import ResponseDraft
from .counts import get_object

__all__ = ('add_response_citations',)

MARK = re.compile(r'\[(\d{1,3})\]')
"""A mark in the text, with the number of its source."""


def add_response_citations(draft: ResponseDraft) -> None:
    """Add the citations in the details of a whole response to its text parts, once."""
    details = draft.provider_details
    if draft.has_response_citations or READERS.keys().isdisjoint(details):
        return
    draft.has_response_citations = True
    texts = [(index, part.content) for index, part in enumerate(draft.parts.get()) if isinstance(part, TextPart)]
    joined = ''.join(content for _, content in texts)
    placed: dict[int, list[Citation]] = {}
    for read in READERS.values() if texts else ():
        for citation in () if placed and read is _read_urls else read(details, joined):
            index, moved = _find_part(texts, citation)
            placed.setdefault(index, []).append(moved)
    for index, citations in placed.items():
        draft.parts.cite(index, citations)


def _find_part(texts: Sequence[tuple[int, str]], citation: Citation) -> tuple[int, Citation]:
    """Return the index of the cited part, and the citation with the offsets in it. Without any, it is the last text."""
    anchor, offset = citation.anchor, 0
    for index, content in texts if anchor else ():
        if anchor and anchor.start < offset + len(content):
            moved = replace(anchor, start=anchor.start - offset, end=min(anchor.end - offset, len(content)))
            return index, replace(citation, anchor=moved)
        offset += len(content)
    return texts[-1][0], citation


# ---------------------------------------------------------------------- Chat Completions


def _read_annotations(details: Json, text: str) -> Iterator[Citation]:
    for item in _get_objects(details, 'annotations'):
        if citation := read_annotation(item, text):
            yield citation


def _read_urls(details: Json, text: str) -> Iterator[Citation]:
    """Read a list of addresses, which the text refers to by marks: Perplexity, xAI.

    https://docs.perplexity.ai/api-reference/chat-completions-post, https://docs.x.ai/docs/guides/live-search
    """
    results = _get_objects(details, 'search_results')
    urls = [url for url in _get_list(details, 'citations') if isinstance(url, str)]
    urls = urls or [str(result.get('url')) for result in results]
    titles = {str(result.get('url')): result for result in results}
    cited: set[int] = set()
    for mark in MARK.finditer(text):
        number = int(mark[1])
        if 0 < number <= len(urls) and (source := _make_page(urls[number - 1], titles)):
            cited.add(number)
            yield Citation([source], anchor=MarkerCitationAnchor(start=mark.start(), end=mark.end()))
    for number, url in enumerate(urls, 1):
        if number not in cited and (source := _make_page(url, titles)):
            yield Citation([source])


def _make_page(url: object, results: dict[str, Json]) -> CitationSource | None:
    result = results.get(str(url), {})
    return make_source(url=url, title=result.get('title'), excerpts=[result.get('snippet')])


# ---------------------------------------------------------------------- Gemini


def _read_grounding(details: Json, text: str) -> Iterator[Citation]:
    """Read the passages that Google's search supports: https://ai.google.dev/api/generate-content#GroundingMetadata."""
    metadata = get_object(details.get('grounding_metadata'))
    encoded = text.encode(errors='replace')
    sources = [_read_chunk(get_object(chunk)) for chunk in _get_list(metadata, 'groundingChunks')]
    for support in _get_objects(metadata, 'groundingSupports'):
        found = [
            source
            for number in _get_list(support, 'groundingChunkIndices')
            if isinstance(number, int) and 0 <= number < len(sources) and (source := sources[number])
        ]
        if found:
            anchor = _find_segment(get_object(support.get('segment')), text, encoded)
            yield Citation(found, anchor=anchor, provider_details=support)


def _read_recitations(details: Json, text: str) -> Iterator[Citation]:
    """Read the works that the text repeats. Vertex AI names the list differently.

    https://ai.google.dev/api/generate-content#citationmetadata,
    https://docs.cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/CitationMetadata
    """
    metadata, encoded = get_object(details.get('citation_metadata')), text.encode(errors='replace')
    for item in (*_get_objects(metadata, 'citationSources'), *_get_objects(metadata, 'citations')):
        if source := make_source(url=item.get('uri'), title=item.get('title')):
            yield Citation([source], anchor=_find_segment(item, text, encoded), provider_details=item)


def _read_chunk(chunk: Json) -> CitationSource | None:
    page = get_object(chunk, 'web', 'maps')
    document, image = get_object(chunk, 'retrievedContext'), get_object(chunk, 'image')
    return make_source(
        url=page.get('uri') or image.get('sourceUri'),
        title=page.get('title') or document.get('title') or image.get('title'),
        excerpts=[page.get('text'), document.get('text') or get_object(document, 'ragChunk').get('text')],
        document_id=document.get('documentName') or document.get('uri') or document.get('fileSearchStore'),
    )


def _find_segment(segment: Json, text: str, encoded: bytes) -> ContentCitationAnchor | None:
    """Return the place of a segment, whose offsets are in bytes of UTF-8 in all text, or in that of one part.

    If the offsets do not lead to the text of the segment, it is found by its text, unless that is repeated.
    """
    start, end, quoted = segment.get('startIndex') or 0, segment.get('endIndex'), segment.get('text')
    if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(encoded):
        first, last = (len(encoded[:offset].decode(errors='ignore')) for offset in (start, end))
        if not quoted or text[first:last] == quoted:
            return ContentCitationAnchor(start=first, end=last)
    if isinstance(quoted, str) and quoted and text.count(quoted) == 1:
        first = text.index(quoted)
        return ContentCitationAnchor(start=first, end=first + len(quoted))
    return None


def _get_objects(fields: Json, name: str) -> list[Json]:
    return [item for item in map(get_object, _get_list(fields, name)) if item]


def _get_list(fields: Json, name: str) -> list[object]:
    """Return a list, which is empty if the server sent none."""
    items: object = fields.get(name)
    return cast('list[object]', items) if isinstance(items, list) else []


READERS: dict[str, Callable[[Json, str], Iterator[Citation]]] = {
    'grounding_metadata': _read_grounding,
    'citation_metadata': _read_recitations,
    'annotations': _read_annotations,
    'citations': _read_urls,
}
"""The keys of the details → their reader. Addresses are read if there is nothing else, since gateways send both."""
