"""The shared parts of the modules of `vendors`: the types of the functions that build a model on a wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_llm.models import Model

Http = Any
"""A client that returns the recorded responses: an `httpx2.AsyncClient`, or an `httpx.AsyncClient` (`HTTPX`)."""

Build = Callable[[str, Http], Model]
"""Builds a vendor's model of this name on a client."""

KEY = 'sk-test'
"""A key that is not valid anywhere."""
