"""`TestModel`: a model for tests, which calls tools and returns valid values without a network.

`model` is the class, `sampler` makes values for JSON schemas, `schemas` reads the schemas, `pattern` makes texts for
regular expressions.
"""

from __future__ import annotations

from .model import TestModel

__all__ = ('TestModel',)
