"""The formats in which models write tool calls, as a table, and the detection of a model's format."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

from . import harmony
from .harmony import HarmonyReader
from .json_objects import JsonObjectReader
from .marked import DEEPSEEK, HERMES, KIMI, MISTRAL, MarkedReader
from .pythonic import PythonicReader
from .reader import CallKeys, CallReader

__all__ = ('CALL_FORMATS', 'CallFormat', 'CallFormatName', 'find_format')

CallFormatName = Literal['hermes', 'mistral', 'llama', 'pythonic', 'harmony', 'deepseek', 'kimi', 'json']
"""The names of the formats."""


@dataclass(frozen=True, slots=True)
class CallFormat:
    """A format of tool calls."""

    name: CallFormatName
    make: Callable[[Collection[str], CallKeys], CallReader]
    """Makes a reader for one response, from the names of the tools and the keys."""
    signs: tuple[str, ...] = ()
    """Texts in a chat template or a vocabulary by which the format is detected."""
    marks: tuple[str, ...] = ()
    """The special tokens that must stay in the text for the reader."""
    opening: str = ''
    """The text before the JSON object of a call."""
    keys: CallKeys = field(default=('name', 'arguments'))
    """The keys, unless the model object names others."""
    reads_thinking: bool = False
    """True if the reader also splits thinking and text, so that responses without tools need it too."""


DEEPSEEK_MARKS = ('<｜tool▁call▁begin｜>', '<｜tool▁sep｜>', '<｜tool▁call▁end｜>')
KIMI_MARKS = ('<|tool_call_begin|>', '<|tool_call_argument_begin|>', '<|tool_call_end|>')

CALL_FORMATS: dict[CallFormatName, CallFormat] = {
    'harmony': CallFormat(
        'harmony', lambda tools, keys: HarmonyReader(), ('<|channel|>',), harmony.MARKS, reads_thinking=True
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
    'hermes': CallFormat(
        'hermes',
        lambda tools, keys: MarkedReader(HERMES),
        ('<tool_call>',),
        ('<tool_call>', '</tool_call>'),
        '<tool_call>\n',
    ),
    'pythonic': CallFormat(
        'pythonic',
        lambda tools, keys: PythonicReader(tools),
        ('[func_name1(', '<|python_start|>'),
        ('<|python_start|>', '<|python_end|>'),
    ),
    # https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/
    'llama': CallFormat(
        'llama',
        lambda tools, keys: JsonObjectReader(tools, keys, only_at_start=True, prefix='<|python_tag|>'),
        ('<|python_tag|>', 'Environment: ipython'),
        ('<|python_tag|>',),
        keys=('name', 'parameters'),
    ),
    'json': CallFormat('json', JsonObjectReader),
}
"""The formats by name, in the order of detection; `json`, the last one, is for models without a format."""


def find_format(template: str, vocabulary: Collection[str]) -> CallFormat:
    """Return the first format with a sign in the chat template, else in the vocabulary; otherwise `json`."""
    for source in (template, vocabulary):
        for call_format in CALL_FORMATS.values():
            if any(sign in source for sign in call_format.signs):
                return call_format
    return CALL_FORMATS['json']
