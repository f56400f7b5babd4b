"""Messages, parts and files as Markdown, HTML and text of `rich`: what notebooks and terminals show.

`list_blocks` reads a value; `to_markdown`, `to_html` and `to_rich` write its blocks. The module is imported on demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from ._value import Block
from .content import BinaryContent
from .request import ModelRequest, RetryPromptPart, SystemPromptPart, ToolReturnPart, UserPromptPart
from .response import (
    CompactionPart,
    FilePart,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ('list_blocks', 'list_output_blocks', 'to_html', 'to_markdown', 'to_rich')

MAX_TEXT = 10_000
"""The maximum length of a tool's arguments or result that is shown."""

PRE = 'white-space: pre-wrap; font-family: inherit; margin: 0'
SMALL = 'opacity: 0.6; font-size: smaller'


# ---------------------------------------------------------------------- from values to blocks


def list_blocks(value: object) -> list[Block]:
    """Return the pieces of a message, a part or a file."""
    match value:
        case BinaryContent():
            return [('file', value)]
        case FilePart():
            return [('file', value.content)]
        case ModelResponse():
            return [*_list_parts(value.parts), ('note', _describe_message(value))]
        case ModelRequest():
            return _list_parts(value.parts)
        case _:
            return [('text', repr(value))]


def _list_parts(parts: Sequence[object]) -> list[Block]:
    return [block for part in parts for block in _list_part(part)]


def _list_part(part: object) -> Iterator[Block]:
    match part:
        case TextPart():
            yield 'text', part.content
        case ThinkingPart():
            if part.content:
                yield 'thinking', part.content
        case ToolCallPart() | NativeToolCallPart():
            yield 'tool', f'{part.tool_name}({part.args_as_json_str()[:MAX_TEXT]})'
        case ToolReturnPart():
            yield 'tool', f'{part.tool_name} → {part.model_response_str()[:MAX_TEXT]}'
        case NativeToolReturnPart():
            yield 'tool', f'{part.tool_name} → {_format_object(part.content)[:MAX_TEXT]}'
        case RetryPromptPart():
            yield 'tool', f'{part.tool_name or "output"} → {part.model_response()[:MAX_TEXT]}'
        case FilePart():
            yield 'file', part.content
        case UserPromptPart():
            yield from _list_prompt(part)
        case SystemPromptPart():
            yield 'note', part.content
        case CompactionPart():
            yield 'note', part.content or 'a summary that only its vendor can read'
        case _:
            yield 'text', repr(part)


def _list_prompt(part: UserPromptPart) -> Iterator[Block]:
    for item in (part.content,) if isinstance(part.content, str) else part.content:
        if isinstance(item, BinaryContent):
            yield 'file', item
        else:
            yield 'user', item if isinstance(item, str) else getattr(item, 'url', repr(item))


def list_output_blocks(output: object, response: ModelResponse) -> list[Block]:
    """Return the pieces of the output of a run, with what is known of its last response."""
    note: Block = ('note', _describe_message(response))
    if isinstance(output, BinaryContent):
        return [('file', output), note]
    return [('text', output) if isinstance(output, str) else ('object', _format_object(output)), note]


def _describe_message(response: ModelResponse) -> str:
    """Return the model, the tokens and the warnings of a response."""
    usage = response.usage
    facts = [response.model_name or 'a model', f'{usage.input_tokens} + {usage.output_tokens} tokens']
    if response.state != 'complete':
        facts.append(response.state)
    return ' · '.join([*facts, *response.warnings])


def _format_object(value: object) -> str:
    from pydantic_core import to_json

    return to_json(value, indent=2, serialize_unknown=True).decode()


# ---------------------------------------------------------------------- from blocks to texts


def to_markdown(blocks: Iterable[Block]) -> str:
    """Return blocks as Markdown. Images are in it as `data:` URIs."""
    return '\n\n'.join(_block_to_markdown(kind, content) for kind, content in blocks)


def _block_to_markdown(kind: str, content: str | BinaryContent) -> str:
    if isinstance(content, BinaryContent):
        name = escape(content.identifier or 'file')
        return f'![{name}]({content.data_uri})' if content.is_image else f'[{name}]({content.data_uri})'
    match kind:
        case 'thinking':
            return '\n'.join(f'> {line}' for line in content.splitlines())
        case 'tool':
            return f'`{content.replace("`", "ˋ")}`'
        case 'object':
            return f'```json\n{content}\n```'
        case 'note':
            return f'*{content}*'
        case 'user':
            return f'**{content}**'
        case _:
            return content


def to_html(blocks: Iterable[Block]) -> str:
    """Return blocks as HTML. All texts are escaped; images are shown."""
    return '\n'.join(_block_to_html(kind, content) for kind, content in blocks)


def _block_to_html(kind: str, content: str | BinaryContent) -> str:
    if isinstance(content, BinaryContent):
        return _file_to_html(content)
    text = escape(content)
    match kind:
        case 'thinking':
            return f'<details><summary>Thinking</summary><pre style="{PRE}">{text}</pre></details>'
        case 'tool' | 'object':
            return f'<pre><code>{text}</code></pre>'
        case 'note':
            return f'<div style="{SMALL}">{text}</div>'
        case 'user':
            return f'<pre style="{PRE}"><b>{text}</b></pre>'
        case _:
            return f'<pre style="{PRE}">{text}</pre>'


def _file_to_html(file: BinaryContent) -> str:
    uri, name = escape(file.data_uri), escape(file.identifier or '')
    if file.is_image:
        return f'<img src="{uri}" alt="{name}" style="max-width: 100%">'
    if file.is_audio or file.is_video:
        tag = 'audio' if file.is_audio else 'video'
        return f'<{tag} controls src="{uri}"></{tag}>'
    return f'<div>{name} ({escape(file.media_type)}, {len(file.data)} bytes)</div>'


def to_rich(blocks: Iterable[Block]) -> RenderableType:
    """Return blocks for the console of `rich`."""
    from rich.console import Group
    from rich.markdown import Markdown
    from rich.text import Text

    def render(kind: str, content: str | BinaryContent) -> RenderableType:
        if isinstance(content, BinaryContent):
            return Text(f'[{content.identifier}: {content.media_type}, {len(content.data)} bytes]', style='magenta')
        if kind == 'text':
            return Markdown(content)
        styles = {'thinking': 'dim italic', 'tool': 'cyan', 'note': 'dim', 'user': 'bold green'}
        return Text(content, style=styles.get(kind, ''))

    return Group(*(render(kind, content) for kind, content in blocks))
