"""The playground of a gateway: a web page to talk to its models. Start at `Playground` in `routes`."""

from __future__ import annotations

from .routes import Playground, PlaygroundTools

__all__ = ('Playground', 'PlaygroundTools')
