"""The command line: `pydantic-llm ask | chat | models | serve`.

Reading order: `entry` runs one command, `parser` defines the commands and their options, `ask`, `chat`, `models` and
`serve` are the commands. They share `turn` (one request to a model), `screen` (shows a response while it arrives),
`choice` (finds the model to use) and `errors`.
"""

from __future__ import annotations

from .entry import main

__all__ = ('main',)
