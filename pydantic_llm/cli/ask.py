"""`pydantic-llm ask`: send one request and print the response."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from pathlib import Path

from ..exceptions import UserError
from ..messages import BinaryContent, ModelRequest, UserContent, UserPromptPart
from .choice import choose_model
from .errors import UsageError
from .turn import Turn, read_settings

__all__ = ('ask', 'read_file')


def ask(arguments: Namespace) -> None:
    """Send the prompt and the files to the model, and print the response. Raises `UsageError` if both are missing."""
    text = _add_piped_text(' '.join(arguments.prompt))
    content: list[UserContent] = [*map(read_file, arguments.file), text] if text else [*map(read_file, arguments.file)]
    if not content:
        raise UsageError("the question is missing: pydantic-llm ask 'Why is the sky blue?'")
    request = ModelRequest([UserPromptPart(text if content == [text] else content)], instructions=arguments.system)
    asyncio.run(_send(arguments, request))


async def _send(arguments: Namespace, request: ModelRequest) -> None:
    async with choose_model(arguments.model) as model:
        turn = Turn(model, read_settings(arguments), stream=not arguments.no_stream, verbose=arguments.verbose)
        await turn.run([request])


def _add_piped_text(prompt: str) -> str:
    """Return the prompt with the text of the standard input below it."""
    piped = _read_piped_text().strip('\n')
    return f'{prompt}\n\n{piped}' if prompt.strip() and piped.strip() else prompt.strip() or piped


def _read_piped_text() -> str:
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ''
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise UserError('The standard input is not text (UTF-8): send the file with --file') from None


def read_file(path: Path) -> BinaryContent:
    """Read a file to send. If its media type is unknown, it is text if it can be decoded as text."""
    file = BinaryContent.from_path(path)
    if file.media_type == 'application/octet-stream' and _is_text(file.data):
        file.media_type = 'text/plain'
    return file


def _is_text(data: bytes) -> bool:
    try:
        return '\x00' not in data.decode()
    except UnicodeDecodeError:
        return False
