"""Bridges: the models of this library inside other frameworks. Each module needs the package of its framework.

`smolagents`, `pydantic_ai`, `langchain` and `litellm` are independent of each other. All but `pydantic_ai`, whose
messages are almost ours, speak Chat Completions with `_chat`; `_framework` imports the frameworks.
"""

from __future__ import annotations

__all__ = ()
