"""`FallbackModel`: several models, tried in order until one succeeds.

Read in this order: `rules` decides which failures trigger a fallback, `sequence` tries models one after the other,
`stream` does so for a streamed response, `sequence_model` is the base class of models that own other models
(`RouterModel` as well), and `model` is the class.
"""

from __future__ import annotations

from .model import FallbackModel
from .rules import FallbackOn
from .sequence import MidStream

__all__ = ('FallbackModel', 'FallbackOn', 'MidStream')
