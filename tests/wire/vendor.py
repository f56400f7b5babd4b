"""What the modules of `vendors` have in common: how a model of a vendor is made above a wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_llm.models import Model

Http = Any
"""A client whose answers are the recorded ones: an `httpx2.AsyncClient`, or an `httpx.AsyncClient` (`HTTPX`)."""

Build = Callable[[str, Http], Model]
"""How to make a vendor's model, by its name, above a client."""

KEY = 'sk-test'
"""A key that nobody has."""
