"""Reads the citations of each API, which are in the `provider_details` of text parts, as `Citation`. Pure.

`read_citations` dispatches on the shape of each object, since gateways send the objects of several vendors. Objects of
an unknown shape are skipped. Citations that a vendor keeps outside of the text are in `wire.citations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..json_types import Json
from .citations import (
    Citation,
    CitationAnchor,
    CitationSource,
    ContentCitationAnchor,
    DocumentCitationSource,
    MarkerCitationAnchor,
    WebCitationSource,
)

__all__ = ('make_source', 'read_annotation', 'read_citations')

LISTS = ('citations', 'annotations')
"""The keys of the lists of citations: Anthropic, Bedrock, Cohere; Responses."""

REFERENCES = 'reference_ids'
"""The key of Mistral's references, which are ids: https://docs.mistral.ai/capabilities/citations."""

CITED = frozenset({*LISTS, REFERENCES})
"""All keys that `read_citations` reads."""

ANNOTATIONS: dict[str, type[ContentCitationAnchor | MarkerCitationAnchor]] = {
    'url_citation': MarkerCitationAnchor,
    'file_citation': MarkerCitationAnchor,
    'container_file_citation': MarkerCitationAnchor,
    'file_path': MarkerCitationAnchor,
    'document_citation': ContentCitationAnchor,
    'function_citation': ContentCitationAnchor,
}
"""The types of annotations that are citations, and what their offsets select: OpenAI's a link, Groq's a text."""


def read_citations(details: Mapping[str, Any], content: str) -> list[Citation]:
    """Return the citations in the details of a text part with this content."""
    found = [citation for name in LISTS for item in _as_list(details.get(name)) if (citation := _read(item, content))]
    if ids := [str(id) for id in _as_list(details.get(REFERENCES))]:
        sources: list[CitationSource] = [DocumentCitationSource(document_id=id) for id in ids]
        found.append(Citation(sources, anchor=_anchor_all(content), provider_details={REFERENCES: ids}))
    return found


def _read(item: object, content: str) -> Citation | None:
    match item:
        case {'type': 'char_location' | 'page_location' | 'content_block_location' | 'web_search_result_location'}:
            return _read_anthropic(cast('Json', item), content)
        case {'type': 'search_result_location', 'source': str()}:
            return _read_anthropic(cast('Json', item), content)
        case {'sources': list()}:
            return _read_cohere(cast('Json', item), content)
        case {'sourceContent': list()} | {'location': dict()}:
            return _read_bedrock(cast('Json', item), content)
        case {'type': str()}:
            return read_annotation(cast('Json', item), content)
        case _:
            return None


# ---------------------------------------------------------------------- blocks of text that are cited as a whole


def _read_anthropic(item: Json, content: str) -> Citation | None:
    """Read a citation of Anthropic: https://docs.claude.com/en/docs/build-with-claude/citations.

    A page number at the end is exclusive (`CitationPageLocation` of its SDK).
    """
    excerpts, start, end = item.get('cited_text'), item.get('start_page_number'), item.get('end_page_number')
    source = make_source(
        url=item.get('url') or item.get('source'),
        title=item.get('title') or item.get('document_title'),
        excerpts=[excerpts],
        document_id=item.get('file_id') or item.get('source'),
        document_index=item.get('document_index'),
        pages=(start, max(start, end - 1)) if isinstance(start, int) and isinstance(end, int) else None,
    )
    return Citation([source], anchor=_anchor_all(content), provider_details=item) if source else None


def _read_bedrock(item: Json, content: str) -> Citation | None:
    """Read a citation of Converse: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html."""
    location = _as_object(item.get('location'))
    web, page = _as_object(location.get('web')), _as_object(location.get('documentPage'))
    document = next(
        (_as_object(each) for name, each in location.items() if name.startswith('document')), _as_object(None)
    )
    start, end = page.get('start'), page.get('end')
    source = make_source(
        url=web.get('url') or item.get('source'),
        title=item.get('title'),
        excerpts=[_as_object(each).get('text') for each in _as_list(item.get('sourceContent'))],
        document_id=item.get('source'),
        document_index=document.get('documentIndex'),
        pages=(start, end) if isinstance(start, int) and isinstance(end, int) else None,
    )
    return Citation([source], anchor=_anchor_all(content), provider_details=item) if source else None


# ---------------------------------------------------------------------- passages inside a text


def _read_cohere(item: Json, content: str) -> Citation | None:
    """Read a citation of Cohere: https://docs.cohere.com/docs/documents-and-citations."""
    found: list[CitationSource] = []
    for each in map(_as_object, _as_list(item['sources'])):
        facts = _as_object(each.get('document')) or _as_object(each.get('tool_output'))
        texts = [facts.get(name) for name in ('snippet', 'text', 'content', 'data')]
        source = make_source(url=facts.get('url'), title=facts.get('title'), excerpts=texts, document_id=each.get('id'))
        found += [source] if source else []
    anchor = _make_anchor(ContentCitationAnchor, item.get('start'), item.get('end'), content)
    return Citation(found, anchor=anchor, provider_details=item) if found else None


def read_annotation(item: Json, content: str) -> Citation | None:
    """Read an annotation of OpenAI's APIs, or of Groq's; offsets are in characters of `content`.

    https://platform.openai.com/docs/api-reference/chat/object,
    https://platform.openai.com/docs/api-reference/responses/object, groq/types/chat/chat_completion_message.py
    """
    kind = str(item.get('type'))
    if kind not in ANNOTATIONS:
        return None  # OpenRouter's `file` is the content of a file of the request
    facts = _as_object(item.get(kind)) or item  # Chat Completions and Groq nest them
    document = facts.get('file_id') or facts.get('document_id') or facts.get('tool_call_id')
    source = make_source(
        url=facts.get('url'),
        title=facts.get('title') or facts.get('filename'),
        excerpts=[facts.get('content')],
        document_id=document,
    )
    anchor = _make_anchor(ANNOTATIONS[kind], facts.get('start_index'), facts.get('end_index'), content)
    return Citation([source], anchor=anchor, provider_details=item) if source else None


# ---------------------------------------------------------------------- values


def make_source(
    *,
    url: object = None,
    title: object = None,
    excerpts: list[Any] | None = None,
    document_id: object = None,
    document_index: object = None,
    pages: tuple[int, int] | None = None,
) -> WebCitationSource | DocumentCitationSource | None:
    """Return a page if there is an address of one, else a document, or `None` if nothing identifies the source.

    Values of other types than text and numbers are skipped.
    """
    name = title if isinstance(title, str) and title else None
    texts = [text for text in excerpts or () if isinstance(text, str) and text]
    if isinstance(url, str) and url.startswith(('http://', 'https://')):
        return WebCitationSource(url, title=name, excerpts=texts)
    id = document_id if isinstance(document_id, str) and document_id else None
    index = document_index if isinstance(document_index, int) else None
    if id is None and name is None and index is None and not texts:
        return None
    return DocumentCitationSource(document_id=id, title=name, excerpts=texts, document_index=index, pages=pages)


def _make_anchor(
    kind: type[ContentCitationAnchor | MarkerCitationAnchor], start: object, end: object, content: str
) -> CitationAnchor | None:
    """Return the anchor, or `None` if it is not in the content: OpenRouter sends 0 for both ends."""
    if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(content):
        return kind(start=start, end=end)
    return None


def _anchor_all(content: str) -> ContentCitationAnchor | None:
    return ContentCitationAnchor(start=0, end=len(content)) if content else None


def _as_object(value: object) -> Json:
    return cast('Json', value) if isinstance(value, dict) else {}


def _as_list(value: object) -> list[object]:
    return cast('list[object]', value) if isinstance(value, list) else []
