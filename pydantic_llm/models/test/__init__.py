"""`TestModel`: a model for tests, which calls tools and returns schema-valid values without a network.

`model` is the class. `sampler` generates values for JSON schemas; it uses `schemas` to read and check schemas,
`numbers` to generate numbers, and `pattern` to generate texts for regular expressions.
"""

from __future__ import annotations

from .model import TestModel

__all__ = ('TestModel',)
