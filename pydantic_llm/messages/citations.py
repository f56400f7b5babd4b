"""`Citation`: the sources of a text, in one form for every vendor."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, Any, Literal

from .._deferred_schemas import Discriminator
from ._value import ShortRepr

__all__ = (
    'Citation',
    'CitationAnchor',
    'CitationSource',
    'ContentCitationAnchor',
    'DocumentCitationSource',
    'MarkerCitationAnchor',
    'WebCitationSource',
)


@dataclass(frozen=True, repr=False, slots=True)
class WebCitationSource(ShortRepr):
    """A page that a citation refers to."""

    url: str
    """The address of the page."""

    _: KW_ONLY

    title: str | None = None
    """The title of the page."""

    excerpts: list[str] = field(default_factory=list[str])
    """The passages of the page that the text is based on."""

    kind: Literal['web'] = 'web'


@dataclass(frozen=True, repr=False, slots=True)
class DocumentCitationSource(ShortRepr):
    """Any other source of a citation: a document of the request, a stored file, the result of a tool."""

    _: KW_ONLY

    document_id: str | None = None
    """The id of the file, the document or the tool call."""

    title: str | None = None
    """The title or the name of the document."""

    excerpts: list[str] = field(default_factory=list[str])
    """The passages of the document that the text is based on."""

    document_index: int | None = None
    """The number of the document in the request, from 0, if the vendor counts them."""

    pages: tuple[int, int] | None = None
    """The first and the last page of the passage, from 1."""

    kind: Literal['document'] = 'document'


CitationSource = Annotated[WebCitationSource | DocumentCitationSource, Discriminator('kind')]
"""A source of a citation."""


@dataclass(frozen=True, kw_only=True, repr=False, slots=True)
class ContentCitationAnchor(ShortRepr):
    """The text that is based on the sources: `content[start:end]` of the part."""

    start: int
    """The number of characters before it."""

    end: int
    """The number of characters up to its end."""

    kind: Literal['content'] = 'content'


@dataclass(frozen=True, kw_only=True, repr=False, slots=True)
class MarkerCitationAnchor(ShortRepr):
    """A link or a mark such as `[1]` that the model wrote: `content[start:end]` of the part."""

    start: int
    """The number of characters before it."""

    end: int
    """The number of characters up to its end."""

    kind: Literal['marker'] = 'marker'


CitationAnchor = Annotated[ContentCitationAnchor | MarkerCitationAnchor, Discriminator('kind')]
"""The place of a citation in the text."""


@dataclass(frozen=True, repr=False, slots=True)
class Citation(ShortRepr):
    """Connects a text of the model with its sources. The shortcuts are those of the first source."""

    sources: list[CitationSource]
    """The sources; at least one."""

    _: KW_ONLY

    anchor: CitationAnchor | None = None
    """The place in the `content` of the part, in characters; `None` if the vendor does not say it."""

    provider_details: dict[str, Any] | None = field(default=None, compare=False, repr=False, metadata={'exclude': True})
    """The vendor's own object. It is not stored with the message: what a vendor needs back is in the part's details."""

    @property
    def url(self) -> str | None:
        """The address of the page, if the source is one."""
        source = self._first
        return source.url if isinstance(source, WebCitationSource) else None

    @property
    def document_id(self) -> str | None:
        """The id of the document, if the source is one."""
        source = self._first
        return source.document_id if isinstance(source, DocumentCitationSource) else None

    @property
    def title(self) -> str | None:
        """The title of the source."""
        return self._first.title if self._first else None

    @property
    def cited_text(self) -> str | None:
        """The passages of the source, a line each; `None` if the vendor sends none."""
        return '\n'.join(self._first.excerpts) or None if self._first else None

    @property
    def start(self) -> int | None:
        """The number of characters of the part before the cited text or the mark."""
        return self.anchor.start if self.anchor else None

    @property
    def end(self) -> int | None:
        """The number of characters of the part up to the end of the cited text or the mark."""
        return self.anchor.end if self.anchor else None

    @property
    def _first(self) -> WebCitationSource | DocumentCitationSource | None:
        return self.sources[0] if self.sources else None
