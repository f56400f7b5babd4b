"""The commands of `chat`, as a table: `/help`, `/file`, `/retry`, ..."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from .chat_input import edit_text
from .chat_state import Chat, save_history
from .functions import make_toolsets
from .log import describe_prompt
from .notes import print_note

__all__ = ('COMMANDS', 'ChatCommand')


@dataclass(frozen=True)
class ChatCommand:
    """A command of `chat`."""

    run: Callable[[Chat, str], None]
    """Called with the chat and the text after the command."""
    usage: str
    help: str


def _help(chat: Chat, _: str) -> None:
    lines = [f'{command.usage:18} {command.help}' for command in dict.fromkeys(COMMANDS.values())]
    print_note('\n'.join([*lines, 'A line that ends with \\ continues in the next line; """ starts and ends several.']))


def _file(chat: Chat, text: str) -> None:
    """Attach a file, or list those that are attached."""
    if text:
        chat.attach([text])
    names = [str(getattr(file, 'identifier', None) or getattr(file, 'url', '')) for file in chat.files]
    print_note(f'With your next message: {", ".join(names)}.' if names else 'No file is attached: /file PATH or URL')


def _system(chat: Chat, text: str) -> None:
    if text:
        chat.session.system = None if text == '-' else text
    print_note(f'System prompt: {chat.session.system or "none (/system TEXT sets one)"}')


def _tools(chat: Chat, text: str) -> None:
    """Add a tool, or list the tools."""
    session = chat.session
    if text:
        is_function = ':' in text and '/' not in text.partition(':')[2] and ' ' not in text
        added = make_toolsets([text] if is_function else [], [] if is_function else [text], approve=chat.approve)
        session.toolsets += added
        chat.open_toolsets()
    names = [name for toolset in session.toolsets for name in _describe_toolset(toolset)]
    print_note('\n'.join(names) or 'No tools: /tools module:function, or /tools COMMAND for an MCP server')


def _describe_toolset(toolset: Any) -> list[str]:
    """Return a line for each function, or one for a toolset whose tools are known when it is connected."""
    while (inner := getattr(toolset, 'wrapped', None)) is not None:
        toolset = inner
    tools: dict[str, Any] | None = getattr(toolset, 'tools', None)
    if tools is None:
        return [toolset.label]
    return [
        f'{name:18} {(inspect.getdoc(tool.function) or "").partition(chr(10))[0]}'.rstrip()
        for name, tool in tools.items()
    ]


def _save(chat: Chat, text: str) -> None:
    """Save the conversation: as Markdown, or as the JSON that `--history` reads."""
    if not text:
        raise UserError('/save needs a path: session.md for Markdown, session.json for --history')
    path = Path(os.path.expanduser(text))  # noqa: PTH111 -- which leaves the `~name` of an unknown user as it is
    if path.suffix == '.md':
        path.write_text(_format_markdown(chat.session.messages), encoding='utf-8')
    else:
        save_history(path, chat.session.messages)
    print_note(f'Saved as {path}')


def _format_markdown(messages: list[ModelMessage]) -> str:
    sections = [
        f'## Model\n\n{message.text}'
        if isinstance(message, ModelResponse)
        else f'## User\n\n{describe_prompt([message])}'
        for message in messages
        if (message.text if isinstance(message, ModelResponse) else describe_prompt([message]))
    ]
    return '\n\n'.join(sections) + '\n'


def _retry(chat: Chat, _: str) -> None:
    chat.send(chat.take_back())


def _edit(chat: Chat, text: str) -> None:
    """Write the next prompt in the editor. It starts with the last one."""
    old = [item for item in chat.last_prompt if isinstance(item, str)]
    if new := edit_text(text or '\n'.join(old)):
        print_note(f'> {new}')
        chat.send([*chat.files, new])


def _model(chat: Chat, text: str) -> None:
    chat.change_model(text)


def _usage(chat: Chat, _: str) -> None:
    usage = chat.usage
    plural = '' if usage.requests == 1 else 's'
    print_note(f'{usage.requests} request{plural}, {usage.input_tokens} tokens in, {usage.output_tokens} out')


def _clear(chat: Chat, _: str) -> None:
    chat.session.messages.clear()
    chat.session.log_id = chat.last_start = None
    chat.files = []
    chat.save()
    print_note('The conversation is deleted; the log keeps it.' if chat.session.log else 'The conversation is deleted.')


def _exit(chat: Chat, _: str) -> None:
    chat.is_over = True


_EXIT = ChatCommand(_exit, '/exit', 'leave (or Ctrl-D)')

COMMANDS: dict[str, ChatCommand] = {
    '/help': ChatCommand(_help, '/help', 'list the commands'),
    '/file': ChatCommand(_file, '/file PATH', 'send a file or a URL with the next message'),
    '/system': ChatCommand(_system, '/system TEXT', 'show or set the system prompt; - removes it'),
    '/tools': ChatCommand(_tools, '/tools TOOL', 'list the tools, or add one: module:function, or an MCP server'),
    '/model': ChatCommand(_model, '/model NAME', 'continue with another model'),
    '/retry': ChatCommand(_retry, '/retry', 'send the last message again'),
    '/edit': ChatCommand(_edit, '/edit', 'write a message in your editor'),
    '/save': ChatCommand(_save, '/save PATH', 'save the conversation as .md or .json'),
    '/usage': ChatCommand(_usage, '/usage', 'show the tokens used so far'),
    '/clear': ChatCommand(_clear, '/clear', 'start a new conversation'),
    '/exit': _EXIT,
    '/quit': _EXIT,
}
"""The commands by name."""
