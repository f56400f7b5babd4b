"""The formats in which models write tool calls, as a table, and the detection of a model's format."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ...profiles import TextToolCalls
from . import harmony
from .chain import ChainedReader
from .elements import ELEMENT_MARK, MINIMAX_3
from .harmony import HarmonyReader
from .json_objects import JsonObjectReader
from .marked import DEEPSEEK, DEEPSEEK_ONE, FUNCTION, HERMES, KIMI, MISTRAL, MarkedReader, Marks
from .pythonic import PythonicReader
from .reader import CallKeys, CallReader
from .sections import GLIMMER_SECTIONS, INKLING_SECTIONS, KIMI_SECTIONS, SectionReader, Sections
from .tagged import (
    APERTUS,
    ATEM,
    COMMAND,
    DSML,
    GCML,
    GEMMA,
    KIMI_CALL,
    KIMI_SINGULAR,
    LFM,
    LLAMA_BUILT_IN,
    MINIMAX,
    NEMOTRON,
    OLDER_DSML,
    OPEN_FUNCTION,
    PHI,
    SEED,
    SPACED_DSML,
)
from .wrapped import (
    DOTS,
    FUNCTION_GEMMA,
    GIGACHAT,
    GRANITE,
    HUNYUAN,
    HUNYUAN_4,
    HYPERCLOVA,
    IFM,
    INKLING,
    INTERN,
    IQUEST,
    LONGCAT,
    MINICPM,
    OLMO,
    OTHER_IQUEST,
    PANGU,
    PLAMO,
    SOLAR,
    SOLAR_ARGUMENT,
    STEP,
    TOOL_CALLS,
)
from .xtml import XTML

__all__ = ('CALL_FORMATS', 'CallFormat', 'CallFormatName', 'find_format')

CallFormatName = Literal[TextToolCalls, 'harmony']
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
    calls: tuple[Marks, ...] = ()
    """The marks around calls, if the format has some."""
    reads_thinking: bool = False
    """True if the reader also splits thinking and text, so that responses without tools need it too."""
    sections: Sections | None = None
    """The sections of a response, the first of which the prompt may begin."""
    thinking: tuple[str, str] = ('', '')
    """The marks around a section of thinking, if the prompt may begin it."""

    def begin(self, tools: Collection[str], keys: CallKeys, prompt: str) -> CallReader:
        """Return a reader of the response to a prompt, which may begin its first section."""
        reader = self.make(tools, keys)
        if self.sections is not None:
            list(reader.feed(self.sections.find_opened(prompt)))
        return reader

    def open_text(self, prompt: str) -> str:
        """Return a prompt that ends where text begins: after thinking that the prompt began, and the mark of text."""
        start, end = self.thinking
        if start and prompt.endswith(start):
            prompt += end
        return prompt if prompt.endswith(self.opening) else prompt + self.opening


GLM_TAGS = ('tool_call', 'tool_sep', 'arg_key', 'arg_value')


def make_tags(names: Sequence[str], *, prefix: str = '', suffix: str = '') -> tuple[str, ...]:
    """Return the tags with these names, at both ends of an element."""
    return tuple(f'<{slash}{prefix}{name}{suffix}>' for name in names for slash in ('', '/'))


def _read_marked(
    marks: Sequence[Marks], sections: Sections | None
) -> Callable[[Collection[str], CallKeys], CallReader]:
    """Return a function that makes a reader of calls between marks, and of the sections of a response.

    The calls between the first marks are read whatever their names are. Those in other ways, and JSON objects without
    marks, are only read if they name a tool.
    """

    def make(tools: Collection[str], keys: CallKeys) -> CallReader:
        others = [MarkedReader(each, tools) for each in marks[1:]]
        readers: list[CallReader] = [MarkedReader(marks[0]), *others]
        if sections is not None:
            readers = [SectionReader(ChainedReader(readers), sections, tools)]
        return ChainedReader([*readers, JsonObjectReader(tools, keys, needs_arguments=True)])

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
    sections: Sections | None = None,
    thinking: tuple[str, str] = ('', ''),
) -> CallFormat:
    """Return a format that is detected by its first mark, or by other signs. `others` are more special tokens."""
    texts = tuple(text for each in marks for text in (each.start, each.end) if text)
    return CallFormat(
        name,
        _read_marked(marks, sections),
        signs or (marks[0].start,),
        (*texts, *(sections.marks if sections else ()), *others),
        opening,
        calls=marks,
        reads_thinking=sections is not None,
        sections=sections,
        thinking=thinking,
    )


CALL_FORMATS: dict[CallFormatName, CallFormat] = {
    'harmony': CallFormat(
        'harmony',
        lambda tools, keys: HarmonyReader(),
        ('<|channel|>',),
        harmony.MARKS,
        '<|channel|>final<|message|>',
        reads_thinking=True,
    ),
    'kimi_k3': _format(
        'kimi_k3',
        XTML,
        signs=('<|open|>',),
        opening='<|open|>response<|sep|>',
        others=('<|open|>', '<|close|>', '<|sep|>'),
        sections=KIMI_SECTIONS,
        thinking=('<|open|>think<|sep|>', '<|close|>think<|sep|>'),
    ),
    'inkling': _format(
        'inkling', INKLING, signs=('<|content_thinking|>',), opening='<|content_text|>', sections=INKLING_SECTIONS
    ),
    'muse_glimmer': _format(
        'muse_glimmer', ATEM, signs=('atem:',), opening=' to=user<|message|>', sections=GLIMMER_SECTIONS
    ),
    'mistral': _format('mistral', MISTRAL, opening='[TOOL_CALLS]', others=('[ARGS]', '[CALL_ID]')),
    'dsml': _format('dsml', DSML, OLDER_DSML, SPACED_DSML, signs=('｜DSML｜',), others=('｜DSML｜',)),
    'gcml': _format('gcml', GCML, signs=('｜GCML｜',), others=('｜GCML｜',)),
    'deepseek': _format('deepseek', DEEPSEEK, DEEPSEEK_ONE, others=('<｜tool▁sep｜>',)),
    'kimi': _format('kimi', KIMI, KIMI_SINGULAR, KIMI_CALL, others=('<|tool_call_argument_begin|>',)),
    'gemma': _format('gemma', GEMMA, others=('<|"|>',)),
    'seed': _format('seed', SEED),
    'minimax': _format('minimax', MINIMAX),
    'minimax_m3': _format('minimax_m3', MINIMAX_3, signs=(ELEMENT_MARK,), others=(ELEMENT_MARK,)),
    'solar': _format('solar', SOLAR, others=SOLAR_ARGUMENT),
    'plamo': _format(
        'plamo', PLAMO, others=('<|plamo:begin_', '<|plamo:end_', ':plamo|>', '<|plamo:constrain|>', '<|plamo:msg|>')
    ),
    'ifm': _format('ifm', IFM, others=make_tags(('tool_call', 'arg_key', 'arg_type', 'arg_value'), prefix='ifm|')),
    'iquest': _format(
        'iquest',
        IQUEST,
        OTHER_IQUEST,
        signs=(IQUEST.start, OTHER_IQUEST.start),
        others=make_tags(GLM_TAGS),
    ),
    'lfm': _format('lfm', LFM, signs=(LFM.start, '<|tool_list_start|>')),
    'command': _format('command', COMMAND),
    'apertus': _format('apertus', APERTUS),
    'nemotron': _format(
        'nemotron', NEMOTRON, TOOL_CALLS, signs=(NEMOTRON.start, TOOL_CALLS.start), others=make_tags(GLM_TAGS)
    ),
    'phi': _format('phi', PHI),
    'functiongemma': _format('functiongemma', FUNCTION_GEMMA, others=('<escape>',)),
    'step': _format('step', STEP, others=('<｜tool_call_begin｜>', '<｜tool_call_end｜>', '<｜tool_sep｜>')),
    'dots': _format('dots', DOTS),
    'longcat': _format('longcat', LONGCAT, others=make_tags(GLM_TAGS, prefix='longcat_')),
    'minicpm': _format('minicpm', MINICPM, others=('<function', '<param', '</param>')),
    'hunyuan': _format(
        'hunyuan',
        HUNYUAN,
        HUNYUAN_4,
        signs=(HUNYUAN.start, HUNYUAN_4.start),
        others=(*make_tags(GLM_TAGS, suffix=':opensource'), *make_tags(GLM_TAGS, suffix=':6124c78e')),
    ),
    'olmo': _format('olmo', OLMO),
    'internlm': _format('internlm', INTERN, signs=('<|plugin|>',), others=('<|plugin|>',)),
    'gigachat': _format('gigachat', GIGACHAT),
    'hermes': replace(
        _format('hermes', HERMES, OPEN_FUNCTION, FUNCTION, opening='<tool_call>\n', others=make_tags(GLM_TAGS)),
        calls=(HERMES, FUNCTION),
    ),
    'granite': _format('granite', GRANITE),
    'hyperclova': _format('hyperclova', HYPERCLOVA),
    'pangu': _format('pangu', PANGU),
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
