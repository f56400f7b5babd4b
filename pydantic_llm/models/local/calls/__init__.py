"""Tool calls in what a model writes: one reader for each way of writing them, all of them working on streams.

`formats` is the table of ways and tells which one a template means; `marked` reads calls between marks, `blobs` those
that are JSON in the middle of text, `pythonic` those that look like Python, `harmony` the channels of gpt-oss, `forced`
an answer that must be one call; `json_text` reads JSON as models write it, and `reader` says what all of them are.
"""

from __future__ import annotations

from .formats import CALL_FORMATS, CallFormat, format_of
from .reader import Call, CallReader, Item

__all__ = ('CALL_FORMATS', 'Call', 'CallFormat', 'CallReader', 'Item', 'format_of')
