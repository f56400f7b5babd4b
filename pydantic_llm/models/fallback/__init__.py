"""`FallbackModel`: several models, asked one after the other until one responds.

`model` is the class, `sequence` one request over several models, `stream` the same for a streamed response.
"""

from __future__ import annotations

from .model import FallbackModel
from .sequence import FallbackOn, MidStream

__all__ = ('FallbackModel', 'FallbackOn', 'MidStream')
