"""Prints a response in another form than its text: an object, JSON, a block of code, the paths of files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from .session import Session
from .texts import encode_json
from .turn import Turn
from .usage_line import find_cost, sum_usage

__all__ = ('extract_code', 'print_json', 'print_object', 'print_text')

FENCE = re.compile(r'(?P<indent>\s*)(?P<fence>`{3,}(?!.*`)|~{3,})')
"""The first line of a fenced block of code, at any indentation, since blocks in lists are indented:
https://spec.commonmark.org/0.31.2/#fenced-code-blocks"""


def extract_code(text: str, *, last: bool = False) -> str:
    """Return the first fenced block of code, or the last one; the text if it has none."""
    blocks = _iter_code(text.splitlines(keepends=True))
    return ([*blocks] or [text])[-1] if last else next(blocks, text)


def _iter_code(lines: Sequence[str]) -> Iterator[str]:
    """Yield the content of each block. One that is not closed, as in a truncated response, is skipped."""
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        at += 1
        if opening is not None:
            end = next((number for number in range(at, len(lines)) if _closes(opening['fence'], lines[number])), None)
            if end is None:
                return
            yield ''.join(_remove_indent(line, len(opening['indent'])) for line in lines[at:end])
            at = end + 1


def _closes(fence: str, line: str) -> bool:
    """Return whether a line closes the block that this fence opened."""
    mark = line.strip()
    return mark.startswith(fence) and not mark.strip(fence[0])


def _remove_indent(line: str, width: int) -> str:
    """Return a line without the blanks that the fence of its block has too."""
    return line[min(width, len(line) - len(line.lstrip(' \t'))) :]


def print_text(text: str) -> None:
    """Print a text that ends with one line break."""
    print(text.removesuffix('\n'))


def print_object(value: Any) -> None:
    """Print an object as JSON: indented on a terminal, on one line in a pipe."""
    print(encode_json(value, indent=2 if sys.stdout.isatty() else None))


def print_json(turn: Turn, session: Session, files: list[str]) -> None:
    """Print the response with its usage and cost."""
    last, usage, cost = turn.response, sum_usage(turn.responses), find_cost(turn.responses)
    print_object(
        {
            'model': session.name,
            'response_model': last.model_name,
            'output': turn.output,
            'thinking': last.thinking,
            'finish_reason': last.finish_reason,
            'usage': {
                'requests': usage.requests,
                'input_tokens': usage.input_tokens,
                'output_tokens': usage.output_tokens,
                'cache_read_tokens': usage.cache_read_tokens,
            },
            'cost': None if cost is None else float(cost),
            'seconds': round(turn.seconds, 3),
            'files': files,
            'warnings': last.warnings,
            'conversation': session.log_id,
        }
    )
