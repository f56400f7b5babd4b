"""`make_reader`: a reader of the tool calls that a remote server left in the text, in one format or in all of them.

A remote server says nothing about the format of its model. So only the names of offered tools become calls here, and
all else stays text.
"""

from __future__ import annotations

from collections.abc import Collection

from .chain import ChainedReader
from .formats import CALL_FORMATS, CallFormatName
from .json_objects import JsonObjectReader
from .marked import MarkedReader
from .pythonic import PythonicReader
from .reader import CallReader
from .sections import SectionReader

__all__ = ('make_reader',)


def make_reader(format: CallFormatName | None, tools: Collection[str], *, reads_json: bool = True) -> ChainedReader:
    """Return a reader of calls of these tools. `None` reads all formats; without `reads_json`, only those with marks.

    A response that must be JSON is not read as a call that is nothing but JSON.
    """
    formats = [CALL_FORMATS[format]] if format else CALL_FORMATS.values()
    readers: list[CallReader] = [MarkedReader(marks, tools) for each in formats for marks in each.calls]
    sections = CALL_FORMATS[format].sections if format else None
    if sections is not None:
        readers = [SectionReader(ChainedReader(readers), sections, tools)]
    if reads_json and format in (None, 'pythonic'):
        readers.append(PythonicReader(tools))
    if reads_json and format in (None, 'llama', 'json'):
        readers.append(JsonObjectReader(tools, ('name', 'arguments'), prefix='<|python_tag|>', needs_arguments=True))
    return ChainedReader(readers)
