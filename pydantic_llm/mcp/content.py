"""The result of an MCP tool as the content of a tool result: text, values, files."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from ..messages import BinaryContent

__all__ = ('read_resource', 'read_result', 'read_text')


def read_result(result: Any) -> Any:
    """Return a `CallToolResult` of the `mcp` package as the content of a tool result.

    That is the structured result if there is one and all other content is its text; otherwise the only item, or a list
    of the items: texts, `BinaryContent` and links.
    """
    items = list(_iterate_items(result.content))
    structured = result.structured_content
    if structured is not None and all(isinstance(item, str) for item in items):
        match structured:
            case {'result': value, **others} if not others:  # the package's servers wrap what is not an object so
                return value
            case _:
                return structured
    return items[0] if len(items) == 1 else items


def read_text(result: Any) -> str:
    """Return the text of a result, for an error."""
    return '\n'.join(item for item in _iterate_items(result.content) if isinstance(item, str))


def _iterate_items(content: list[Any]) -> Iterator[Any]:
    for block in content:
        match block.type:
            case 'text':
                yield block.text
            case 'image' | 'audio':
                yield BinaryContent(b64decode(block.data), media_type=block.mime_type)
            case 'resource':
                yield read_resource(block.resource)
            case 'resource_link':
                yield block.model_dump(mode='json', by_alias=True, exclude_none=True)
            case kind:
                yield f'[{kind}]'


def read_resource(resource: Any) -> Any:
    """Return the content of a resource: its text, or `BinaryContent`."""
    text: str | None = getattr(resource, 'text', None)
    if text is not None:
        return text
    media_type = resource.mime_type or 'application/octet-stream'
    return BinaryContent(b64decode(resource.blob), media_type=media_type, identifier=str(resource.uri))
