"""Native tools: tools that the vendor executes itself.

Pass them as `ModelRequestParameters.native_tools` or `Agent(native_tools=...)`. If a model does not support a tool, the
request raises `UserError` before anything is sent. The docstrings name the vendors that support a tool or an option.
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

MCP = 'mcp_server'
"""The beginning of the tool name in calls of an MCP server's tools; a colon and the server's own name follow."""

LOCATION_FIELDS = ('city', 'region', 'country', 'timezone')
"""The fields of a `WebSearchUserLocation`, which all vendors name alike."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSearchUserLocation:
    """The location of the user, for results that are near."""

    city: str | None = None
    """The name of the city."""

    region: str | None = None
    """The name of the region or state."""

    country: str | None = None
    """The country code of two letters (ISO 3166)."""

    timezone: str | None = None
    """The time zone, e.g. `'Europe/Paris'`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSearchTool:
    """Search the web. OpenAI Responses, Anthropic, Gemini, Groq."""

    search_context_size: Literal['low', 'medium', 'high'] = 'medium'
    """The amount of context from the results. OpenAI."""

    user_location: WebSearchUserLocation | None = None
    """The location of the user. OpenAI, Anthropic; only the country at Groq."""

    blocked_domains: Sequence[str] | None = None
    """Domains that are never searched. Anthropic, Groq, Vertex AI."""

    allowed_domains: Sequence[str] | None = None
    """The only domains that are searched. OpenAI, Anthropic, Groq."""

    max_uses: int | None = None
    """The maximum number of searches in one response. Anthropic."""

    kind: Literal['web_search'] = 'web_search'


@dataclass(frozen=True, kw_only=True, slots=True)
class WebFetchTool:
    """Read a page by its URL. Anthropic, Groq; Gemini calls it URL context."""

    max_uses: int | None = None
    """The maximum number of fetches in one response. Anthropic."""

    allowed_domains: Sequence[str] | None = None
    """The only domains that are fetched from. Anthropic."""

    blocked_domains: Sequence[str] | None = None
    """Domains that are never fetched from. Anthropic."""

    enable_citations: bool = False
    """True to cite the pages in the response. Anthropic."""

    max_content_tokens: int | None = None
    """The maximum number of tokens to read from a page. Anthropic."""

    kind: Literal['web_fetch'] = 'web_fetch'


@dataclass(frozen=True, slots=True)
class CodeExecutionTool:
    """Execute code of the model in the vendor's sandbox. OpenAI Responses, Anthropic, Gemini, Groq, Bedrock."""

    kind: Literal['code_execution'] = 'code_execution'


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageGenerationTool:
    """Generate an image. OpenAI Responses, image models of Gemini."""

    quality: Literal['low', 'medium', 'high', 'auto'] = 'auto'
    """The quality of the image."""

    size: Literal['1024x1024', '1024x1536', '1536x1024', 'auto'] = 'auto'
    """The width and height in pixels."""

    output_format: Literal['png', 'webp', 'jpeg'] | None = None
    """The format of the file."""

    background: Literal['transparent', 'opaque', 'auto'] = 'auto'
    """The background of the image."""

    kind: Literal['image_generation'] = 'image_generation'


@dataclass(frozen=True, slots=True)
class FileSearchTool:
    """Search files that are stored at the vendor. OpenAI Responses, Gemini."""

    file_store_ids: Sequence[str]
    """The vendor's ids of the stores to search."""

    kind: Literal['file_search'] = 'file_search'


@dataclass(frozen=True, slots=True)
class MemoryTool:
    """Keep notes between conversations. A function tool named `memory` must store them. Anthropic."""

    kind: Literal['memory'] = 'memory'


@dataclass(frozen=True, slots=True)
class MCPServerTool:
    """Call the tools of an MCP server; the vendor connects to it. OpenAI Responses, Anthropic, Gemini."""

    id: str
    """The name of the server in this conversation."""

    url: str
    """The URL of the server."""

    _: KW_ONLY

    authorization_token: str | None = None
    """The token for the server. It is sent to the vendor."""

    description: str | None = None
    """The purpose of the server. OpenAI."""

    allowed_tools: Sequence[str] | None = None
    """The only tools of the server that may be called."""

    headers: dict[str, Any] | None = None
    """Headers to send to the server. OpenAI, Gemini."""

    kind: Literal['mcp_server'] = 'mcp_server'

    def __repr__(self) -> str:
        return f'MCPServerTool(id={self.id!r}, url={self.url!r})'


NativeTool = (
    WebSearchTool | WebFetchTool | CodeExecutionTool | ImageGenerationTool | FileSearchTool | MemoryTool | MCPServerTool
)
"""A tool that the vendor executes itself."""
