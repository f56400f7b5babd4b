"""Read tool calls in the text of a response: one streaming reader for each format in which models write them.

Start with `reader`, the contract, and `formats`, the table of formats. The readers: `marked` for calls between marks,
`json_objects` for JSON among text, `pythonic` for calls in Python syntax, `sections` for responses that mark their
text too, `harmony` for gpt-oss, `forced` for a response that must be one call. `tagged`, `wrapped`, `xtml` and
`elements` have the marks of the formats and decode what stands between them. `json_text` parses JSON with the mistakes
that models make, `typed_args` fits arguments to the schema of their tool.

Engines in this process choose a format by the chat template. For remote servers, `chained` reads all formats, and
`parts` finds the calls while the parts of a response are built.
"""

from __future__ import annotations

from .formats import CALL_FORMATS, CallFormat, find_format
from .reader import CallReader, Item, ToolCall

__all__ = ('CALL_FORMATS', 'CallFormat', 'CallReader', 'Item', 'ToolCall', 'find_format')
