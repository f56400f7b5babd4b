"""`Json`: the type of JSON objects that are sent to an API or received from it."""

from __future__ import annotations

from typing import Any

__all__ = ('Json',)

Json = dict[str, Any]
"""A JSON object of an API: a body, an event, a schema, or a part of one. It is the package's only loose type."""
