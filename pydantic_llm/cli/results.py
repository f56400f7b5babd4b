"""Prints a response in another form than its text: an object, JSON, a block of code, the paths of files."""

from __future__ import annotations

import re
import sys
from typing import Any

from .session import Session
from .texts import encode_json
from .turn import Turn
from .usage_line import find_cost, sum_usage

__all__ = ('extract_code', 'print_json', 'print_object', 'print_text')

FENCE = re.compile(r'^(?P<fence>`{3,}|~{3,})[^\n]*\n(?P<code>.*?)^(?P=fence)[ \t]*$', re.MULTILINE | re.DOTALL)
"""A fenced block of code: https://spec.commonmark.org/0.31.2/#fenced-code-blocks"""


def extract_code(text: str) -> str:
    """Return the first fenced block of code, or the text if it has none."""
    match = FENCE.search(text)
    return text if match is None else match['code']


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
