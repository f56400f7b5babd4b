"""`make_reader`: a reader of the tool calls that a remote server left in the text, in one format or in all of them.

A remote server says nothing about the format of its model. So only the names of offered tools become calls here, and
all else stays text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .chain import ChainedReader
from .elements import MINIMAX_3
from .formats import CALL_FORMATS, CallFormatName
from .json_objects import JsonObjectReader
from .marked import DEEPSEEK, FUNCTION, HERMES, KIMI, MISTRAL, MarkedReader, Marks
from .pythonic import PythonicReader
from .reader import CallReader
from .sections import SectionReader
from .tagged import (
    APERTUS,
    ATEM,
    COMMAND,
    DSML,
    GCML,
    GEMMA,
    KIMI_SINGULAR,
    LFM,
    MINIMAX,
    NEMOTRON,
    OLDER_DSML,
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
    STEP,
    TOOL_CALLS,
)
from .xtml import XTML

__all__ = ('make_reader',)

MARKS: dict[CallFormatName, Sequence[Marks]] = {
    'hermes': (HERMES, FUNCTION),
    'mistral': (MISTRAL,),
    'deepseek': (DEEPSEEK,),
    'kimi': (KIMI, KIMI_SINGULAR),
    'kimi_k3': (XTML,),
    'inkling': (INKLING,),
    'muse_glimmer': (ATEM,),
    'gemma': (GEMMA,),
    'seed': (SEED,),
    'minimax': (MINIMAX,),
    'minimax_m3': (MINIMAX_3,),
    'solar': (SOLAR,),
    'plamo': (PLAMO,),
    'ifm': (IFM,),
    'iquest': (IQUEST, OTHER_IQUEST),
    'lfm': (LFM,),
    'command': (COMMAND,),
    'dsml': (DSML, OLDER_DSML, SPACED_DSML),
    'gcml': (GCML,),
    'apertus': (APERTUS,),
    'nemotron': (NEMOTRON, TOOL_CALLS),
    'phi': (PHI,),
    'functiongemma': (FUNCTION_GEMMA,),
    'step': (STEP,),
    'dots': (DOTS,),
    'longcat': (LONGCAT,),
    'minicpm': (MINICPM,),
    'hunyuan': (HUNYUAN, HUNYUAN_4),
    'olmo': (OLMO,),
    'internlm': (INTERN,),
    'gigachat': (GIGACHAT,),
    'granite': (GRANITE,),
    'hyperclova': (HYPERCLOVA,),
    'pangu': (PANGU,),
}
"""The formats with marks. Servers drop Qwen's `<tool_call>` around `<function=`: it is a special token."""


def make_reader(format: CallFormatName | None, tools: Collection[str], *, reads_json: bool = True) -> ChainedReader:
    """Return a reader of calls of these tools. `None` reads all formats; without `reads_json`, only those with marks.

    A response that must be JSON is not read as a call that is nothing but JSON.
    """
    marks = MARKS.get(format, ()) if format else [each for group in MARKS.values() for each in group]
    readers: list[CallReader] = [MarkedReader(each, tools) for each in marks]
    sections = CALL_FORMATS[format].sections if format else None
    if sections is not None:
        readers = [SectionReader(ChainedReader(readers), sections, tools)]
    if reads_json and format in (None, 'pythonic'):
        readers.append(PythonicReader(tools))
    if reads_json and format in (None, 'llama', 'json'):
        readers.append(JsonObjectReader(tools, ('name', 'arguments'), prefix='<|python_tag|>', needs_arguments=True))
    return ChainedReader(readers)
