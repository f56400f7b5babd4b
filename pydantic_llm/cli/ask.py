"""`pydantic-llm ask`: one question, one answer."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from pathlib import Path

from ..exceptions import UserError
from ..messages import BinaryContent, ModelRequest, UserContent, UserPromptPart
from .arguments import UsageError
from .choice import choose_model
from .turn import Turn, read_settings

__all__ = ('ask', 'read_file')


def ask(given: Namespace) -> None:
    """Ask, and print the answer."""
    text = _question(' '.join(given.prompt))
    content: list[UserContent] = [*map(read_file, given.file), text] if text else [*map(read_file, given.file)]
    if not content:
        raise UsageError("there is nothing to ask: pydantic-llm ask 'Why is the sky blue?'")
    request = ModelRequest([UserPromptPart(text if content == [text] else content)], instructions=given.system)
    asyncio.run(_ask(given, request))


async def _ask(given: Namespace, request: ModelRequest) -> None:
    async with choose_model(given.model) as model:
        turn = Turn(model, read_settings(given), stream=not given.no_stream, verbose=given.verbose)
        await turn.take([request])


def _question(prompt: str) -> str:
    """What was typed, with what was piped in below it."""
    piped = _piped().strip('\n')
    return f'{prompt}\n\n{piped}' if prompt.strip() and piped.strip() else prompt.strip() or piped


def _piped() -> str:
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ''
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise UserError('What was piped in is no text: give a file with --file') from None


def read_file(path: Path) -> BinaryContent:
    """A file to send along; one without a known ending is text if it reads as text."""
    file = BinaryContent.from_path(path)
    if file.media_type == 'application/octet-stream' and _reads_as_text(file.data):
        file.media_type = 'text/plain'
    return file


def _reads_as_text(data: bytes) -> bool:
    try:
        return '\x00' not in data.decode()
    except UnicodeDecodeError:
        return False
