"""Tools that the vendor runs itself. Ask for one in `ModelRequestParameters.native_tools` or `Agent(native_tools=...)`.

A model that has no such tool refuses the request before anything is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

__all__ = (
    'CodeExecutionTool',
    'FileSearchTool',
    'ImageGenerationTool',
    'MCPServerTool',
    'MemoryTool',
    'NativeTool',
    'WebFetchTool',
    'WebSearchTool',
    'WebSearchUserLocation',
)


@dataclass(frozen=True, slots=True)
class WebSearchUserLocation:
    """Where the user is, so that searches find what is near."""

    _: KW_ONLY

    city: str | None = None
    """The city."""

    region: str | None = None
    """The region or state."""

    country: str | None = None
    """The country, as two letters (ISO 3166)."""

    timezone: str | None = None
    """The time zone, e.g. `'Europe/Paris'`."""


@dataclass(frozen=True, slots=True)
class WebSearchTool:
    """Search the web. OpenAI Responses, Anthropic, Gemini, Groq."""

    _: KW_ONLY

    search_context_size: Literal['low', 'medium', 'high'] = 'medium'
    """How much of what is found the model reads. OpenAI."""

    user_location: WebSearchUserLocation | None = None
    """Where the user is. OpenAI, Anthropic; Groq, the country."""

    blocked_domains: Sequence[str] | None = None
    """Domains that are never searched. Anthropic, Groq, Vertex AI."""

    allowed_domains: Sequence[str] | None = None
    """The only domains that are searched. OpenAI, Anthropic, Groq."""

    max_uses: int | None = None
    """How often the model may search in one answer. Anthropic."""

    kind: Literal['web_search'] = 'web_search'
    """The kind of tool, for telling tools apart."""


@dataclass(frozen=True, slots=True)
class WebFetchTool:
    """Read a page by its address. Anthropic, Groq; Gemini calls it URL context."""

    _: KW_ONLY

    max_uses: int | None = None
    """How often the model may fetch in one answer. Anthropic."""

    allowed_domains: Sequence[str] | None = None
    """The only domains that are fetched from. Anthropic."""

    blocked_domains: Sequence[str] | None = None
    """Domains that are never fetched from. Anthropic."""

    enable_citations: bool = False
    """Whether the answer cites the pages. Anthropic."""

    max_content_tokens: int | None = None
    """How much of a page the model reads at most. Anthropic."""

    kind: Literal['web_fetch'] = 'web_fetch'
    """The kind of tool, for telling tools apart."""


@dataclass(frozen=True, slots=True)
class CodeExecutionTool:
    """Run code that the model writes, at the vendor's. OpenAI Responses, Anthropic, Gemini, Groq, Bedrock."""

    kind: Literal['code_execution'] = 'code_execution'
    """The kind of tool, for telling tools apart."""


@dataclass(frozen=True, slots=True)
class ImageGenerationTool:
    """Make an image. OpenAI Responses; Gemini's models that draw."""

    _: KW_ONLY

    quality: Literal['low', 'medium', 'high', 'auto'] = 'auto'
    """How carefully it is drawn."""

    size: Literal['1024x1024', '1024x1536', '1536x1024', 'auto'] = 'auto'
    """Width and height in pixels."""

    output_format: Literal['png', 'webp', 'jpeg'] | None = None
    """The file's format."""

    background: Literal['transparent', 'opaque', 'auto'] = 'auto'
    """What is behind the picture."""

    kind: Literal['image_generation'] = 'image_generation'
    """The kind of tool, for telling tools apart."""


@dataclass(frozen=True, slots=True)
class FileSearchTool:
    """Search files that the vendor holds. OpenAI Responses, Gemini."""

    file_store_ids: Sequence[str]
    """The vendor's ids of the stores to search."""

    kind: Literal['file_search'] = 'file_search'
    """The kind of tool, for telling tools apart."""


@dataclass(frozen=True, slots=True)
class MemoryTool:
    """Keep notes between conversations; a tool of ours named `memory` must do the keeping. Anthropic."""

    kind: Literal['memory'] = 'memory'
    """The kind of tool, for telling tools apart."""


@dataclass(frozen=True, slots=True)
class MCPServerTool:
    """Call the tools of an MCP server, from the vendor's side. OpenAI Responses, Anthropic, Gemini."""

    id: str
    """The server's name in this conversation."""

    url: str
    """Where the server is."""

    _: KW_ONLY

    authorization_token: str | None = None
    """What the server wants as authorization. It is sent to the vendor."""

    description: str | None = None
    """What the server is for. OpenAI."""

    allowed_tools: Sequence[str] | None = None
    """The only tools of the server that may be called."""

    headers: dict[str, Any] | None = None
    """Headers for the server. OpenAI, Gemini."""

    kind: Literal['mcp_server'] = 'mcp_server'
    """The kind of tool, for telling tools apart."""

    def __repr__(self) -> str:
        return f'MCPServerTool(id={self.id!r}, url={self.url!r})'


NativeTool = (
    WebSearchTool | WebFetchTool | CodeExecutionTool | ImageGenerationTool | FileSearchTool | MemoryTool | MCPServerTool
)
"""A tool that the vendor runs itself."""
