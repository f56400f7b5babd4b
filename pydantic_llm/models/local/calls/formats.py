"""The ways in which models write calls, as a table, and which of them a template means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from . import harmony
from .blobs import BlobReader
from .harmony import HarmonyReader
from .marked import DEEPSEEK, HERMES, KIMI, MISTRAL, MarkedReader, Marks
from .pythonic import PythonicReader
from .reader import CallReader

__all__ = ('CALL_FORMATS', 'CallFormat', 'CallFormatName', 'format_of')

CallFormatName = Literal['hermes', 'mistral', 'llama', 'pythonic', 'harmony', 'deepseek', 'kimi', 'json']
"""The names of the ways in which models write calls."""

Keys = tuple[str, str]
"""What a call's object calls the tool and its arguments."""


@dataclass(frozen=True, slots=True)
class CallFormat:
    """One way of writing calls."""

    name: CallFormatName
    """Its name."""
    make: Callable[[Collection[str], Keys], CallReader]
    """Makes a reader for an answer; it is told the names of the tools, and of the fields."""
    signs: tuple[str, ...] = ()
    """What a template or a vocabulary has that means this way."""
    marks: tuple[str, ...] = ()
    """The special tokens that the reader must see."""
    opening: str = ''
    """What the model writes before the object of a call."""
    keys: Keys = field(default=('name', 'arguments'))
    """What the model calls the tool and its arguments, where nobody says."""
    reads_text: bool = False
    """The reader is needed for answers without calls too: it knows thoughts from text."""


def _marked(name: CallFormatName, marks: Marks, signs: Sequence[str], opening: str) -> CallFormat:
    shown = (marks.start, *([marks.end] if marks.end else ()))
    return CallFormat(name, lambda tools, keys: MarkedReader(marks), tuple(signs), shown, opening)


def _llama(tools: Collection[str], keys: Keys) -> CallReader:
    return BlobReader(tools, name_key=keys[0], arguments_key=keys[1], only_at_start=True, prefix='<|python_tag|>')


def _json(tools: Collection[str], keys: Keys) -> CallReader:
    return BlobReader(tools, name_key=keys[0], arguments_key=keys[1])


DEEPSEEK_MARKS = ('<｜tool▁call▁begin｜>', '<｜tool▁sep｜>', '<｜tool▁call▁end｜>')
KIMI_MARKS = ('<|tool_call_begin|>', '<|tool_call_argument_begin|>', '<|tool_call_end|>')

CALL_FORMATS: dict[CallFormatName, CallFormat] = {
    'harmony': CallFormat(
        'harmony', lambda tools, keys: HarmonyReader(), ('<|channel|>',), harmony.MARKS, reads_text=True
    ),
    'mistral': CallFormat(
        'mistral',
        lambda tools, keys: MarkedReader(MISTRAL),
        ('[TOOL_CALLS]',),
        ('[TOOL_CALLS]', '[ARGS]', '[CALL_ID]'),
        '[TOOL_CALLS]',
    ),
    'deepseek': CallFormat(
        'deepseek',
        lambda tools, keys: MarkedReader(DEEPSEEK),
        (DEEPSEEK.start,),
        (DEEPSEEK.start, f'{DEEPSEEK.end}', *DEEPSEEK_MARKS),
    ),
    'kimi': CallFormat(
        'kimi', lambda tools, keys: MarkedReader(KIMI), (KIMI.start,), (KIMI.start, f'{KIMI.end}', *KIMI_MARKS)
    ),
    'hermes': _marked('hermes', HERMES, ('<tool_call>',), '<tool_call>\n'),
    'pythonic': CallFormat(
        'pythonic',
        lambda tools, keys: PythonicReader(tools),
        ('[func_name1(', '<|python_start|>'),
        ('<|python_start|>', '<|python_end|>'),
    ),
    'llama': CallFormat(
        'llama', _llama, ('<|python_tag|>', 'Environment: ipython'), ('<|python_tag|>',), keys=('name', 'parameters')
    ),
    'json': CallFormat('json', _json),
}
"""The ways, by name. The first whose sign is found is the one; the last one needs none."""


def format_of(template: str, vocabulary: Collection[str]) -> CallFormat:
    """The way in which a model writes calls: by what its template shows and, where that shows none, its vocabulary."""
    for found in CALL_FORMATS.values():
        if any(sign in template for sign in found.signs):
            return found
    for found in CALL_FORMATS.values():
        if any(sign in vocabulary for sign in found.signs):
            return found
    return CALL_FORMATS['json']
