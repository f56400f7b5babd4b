"""The formats in which models write tool calls, as a table, and the detection of a model's format."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

from . import harmony
from .chain import ChainedReader
from .harmony import HarmonyReader
from .json_objects import JsonObjectReader
from .marked import DEEPSEEK, DEEPSEEK_ONE, FUNCTION, HERMES, KIMI, MISTRAL, MarkedReader, Marks
from .pythonic import PythonicReader
from .reader import CallKeys, CallReader
from .tagged import (
    APERTUS,
    COMMAND,
    DSML,
    GEMMA,
    KIMI_CALL,
    LFM,
    LLAMA_BUILT_IN,
    MINIMAX,
    NEMOTRON,
    OLDER_DSML,
    OPEN_FUNCTION,
    PHI,
    SEED,
)
from .wrapped import (
    DOTS,
    FUNCTION_GEMMA,
    GIGACHAT,
    GRANITE,
    HUNYUAN,
    INTERN,
    LONGCAT,
    MINICPM,
    OLMO,
    STEP,
    TOOL_CALLS,
)

__all__ = ('CALL_FORMATS', 'CallFormat', 'CallFormatName', 'find_format')

CallFormatName = Literal[
    'hermes',
    'mistral',
    'llama',
    'pythonic',
    'harmony',
    'deepseek',
    'dsml',
    'kimi',
    'gemma',
    'seed',
    'minimax',
    'lfm',
    'command',
    'apertus',
    'nemotron',
    'phi',
    'functiongemma',
    'step',
    'dots',
    'longcat',
    'minicpm',
    'hunyuan',
    'olmo',
    'internlm',
    'gigachat',
    'granite',
    'json',
]
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
HUNYUAN_MARKS = tuple(
    f'<{slash}{name}:opensource>' for name in ('tool_call', 'arg_key', 'arg_value') for slash in ('', '/')
)
KIMI_MARKS = ('<|tool_call_begin|>', '<|tool_call_argument_begin|>', '<|tool_call_end|>')


def read_marked(*marks: Marks) -> Callable[[Collection[str], CallKeys], CallReader]:
    """Return a function that makes a reader of calls between marks.

    The calls between the first marks are read whatever their names are. Those in other ways, and JSON objects without
    marks, are only read if they name a tool.
    """

    def make(tools: Collection[str], keys: CallKeys) -> CallReader:
        others = [MarkedReader(each, tools) for each in marks[1:]]
        return ChainedReader([MarkedReader(marks[0]), *others, JsonObjectReader(tools, keys, needs_arguments=True)])

    return make


def _read_pythonic(tools: Collection[str], keys: CallKeys) -> CallReader:
    # models told to write Python write JSON too: vllm#46863
    return ChainedReader([PythonicReader(tools), JsonObjectReader(tools, keys, needs_arguments=True)])


def _read_llama(tools: Collection[str], keys: CallKeys) -> CallReader:
    json = JsonObjectReader(tools, keys, only_at_start=True, prefix='<|python_tag|>')
    # Llama 3.2 writes Python too: its model card
    marked = [MarkedReader(marks, tools) for marks in (LLAMA_BUILT_IN, FUNCTION)]
    return ChainedReader([*marked, PythonicReader(tools), json])


def _format(
    name: CallFormatName,
    *marks: Marks,
    signs: tuple[str, ...] = (),
    opening: str = '',
    others: tuple[str, ...] = (),
) -> CallFormat:
    """Return a format that is detected by its first mark, or by other signs. `others` are more special tokens."""
    texts = tuple(text for each in marks[:1] for text in (each.start, each.end) if text)
    return CallFormat(name, read_marked(*marks), signs or (marks[0].start,), (*texts, *others), opening)


CALL_FORMATS: dict[CallFormatName, CallFormat] = {
    'harmony': CallFormat(
        'harmony',
        lambda tools, keys: HarmonyReader(),
        ('<|channel|>',),
        harmony.MARKS,
        '<|channel|>final<|message|>',
        reads_thinking=True,
    ),
    'mistral': CallFormat(
        'mistral',
        read_marked(MISTRAL),
        ('[TOOL_CALLS]',),
        ('[TOOL_CALLS]', '[ARGS]', '[CALL_ID]'),
        '[TOOL_CALLS]',
    ),
    'dsml': _format(
        'dsml', DSML, OLDER_DSML, signs=('｜DSML｜',), others=('｜DSML｜', OLDER_DSML.start, f'{OLDER_DSML.end}')
    ),
    'deepseek': CallFormat(
        'deepseek',
        read_marked(DEEPSEEK, DEEPSEEK_ONE),
        (DEEPSEEK.start,),
        (DEEPSEEK.start, f'{DEEPSEEK.end}', *DEEPSEEK_MARKS),
    ),
    'kimi': CallFormat('kimi', read_marked(KIMI, KIMI_CALL), (KIMI.start,), (KIMI.start, f'{KIMI.end}', *KIMI_MARKS)),
    'gemma': CallFormat('gemma', read_marked(GEMMA), (GEMMA.start,), (GEMMA.start, f'{GEMMA.end}', '<|"|>')),
    'seed': _format('seed', SEED),
    'minimax': _format('minimax', MINIMAX),
    'lfm': _format('lfm', LFM, signs=(LFM.start, '<|tool_list_start|>')),
    'command': _format('command', COMMAND),
    'apertus': _format('apertus', APERTUS),
    'nemotron': CallFormat(
        'nemotron',
        read_marked(NEMOTRON, TOOL_CALLS),
        (NEMOTRON.start, TOOL_CALLS.start),
        (NEMOTRON.start, f'{NEMOTRON.end}', TOOL_CALLS.start, f'{TOOL_CALLS.end}'),
    ),
    'phi': _format('phi', PHI),
    'functiongemma': _format('functiongemma', FUNCTION_GEMMA, others=('<escape>',)),
    'step': _format('step', STEP, others=('<｜tool_call_begin｜>', '<｜tool_call_end｜>', '<｜tool_sep｜>')),
    'dots': _format('dots', DOTS),
    'longcat': _format('longcat', LONGCAT),
    'minicpm': _format('minicpm', MINICPM),
    'hunyuan': _format('hunyuan', HUNYUAN, others=HUNYUAN_MARKS),
    'olmo': _format('olmo', OLMO),
    'internlm': _format('internlm', INTERN, signs=('<|plugin|>',), others=('<|plugin|>',)),
    'gigachat': _format('gigachat', GIGACHAT),
    'hermes': _format('hermes', HERMES, OPEN_FUNCTION, FUNCTION, opening='<tool_call>\n'),
    'granite': _format('granite', GRANITE),
    'pythonic': CallFormat(
        'pythonic',
        _read_pythonic,
        ('[func_name1(', '<|python_start|>'),
        ('<|python_start|>', '<|python_end|>'),
    ),
    # https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/
    'llama': CallFormat(
        'llama',
        _read_llama,
        ('<|python_tag|>', 'Environment: ipython', '<function='),
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
