"""What the serving rooms share about citations: the pages that another vendor's citations refer to. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..messages import Citation, ModelResponse, TextPart, WebCitationSource

__all__ = ('find_cited_pages', 'find_cited_pages_of_response')


def find_cited_pages(part: TextPart) -> Iterator[tuple[Citation, WebCitationSource]]:
    """Yield each page that the citations of a text refer to. Every API has citations of pages."""
    for citation in part.citations:
        for source in citation.sources:
            if isinstance(source, WebCitationSource):
                yield citation, source


def find_cited_pages_of_response(response: ModelResponse) -> Iterator[tuple[int, int, WebCitationSource]]:
    """Yield the pages that a response cites, with their places in all of its text; 0, 0 for one without a place."""
    offset = 0
    for part in response.parts:
        if isinstance(part, TextPart):
            for citation, page in find_cited_pages(part):
                start, end = (citation.start, citation.end) if citation.anchor else (None, None)
                yield (0, 0, page) if start is None or end is None else (offset + start, offset + end, page)
            offset += len(part.content)
