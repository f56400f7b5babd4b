"""The command line: `pydantic-llm ask | chat | models | serve`.

`arguments` says what can be typed; `ask`, `chat`, `models` and `serve` are the commands. `turn` asks a model for one
answer, `screen` shows it as it comes, `choice` finds the model that was meant.
"""

from __future__ import annotations

from .entry import main

__all__ = ('main',)
