"""The one loose type of the package: JSON between a room and the wire."""

from __future__ import annotations

from typing import Any

__all__ = ('Json',)

Json = dict[str, Any]
"""A JSON object of the wire: a body, an event, a schema, or a part of one. The only `Any`, and only at the border."""
