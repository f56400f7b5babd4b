"""`Session`: a conversation on the command line, with the model and the options of its requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..messages import ModelMessage
from ..models import Model
from ..settings import ModelSettings
from .log import Log

__all__ = ('Session',)


@dataclass
class Session:
    """A conversation with a model."""

    model: Model
    name: str
    """The model as it was named, e.g. `openai:gpt-5.4-mini`."""
    base_url: str | None
    system: str | None
    settings: ModelSettings
    toolsets: list[Any]
    output_type: Any = None
    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    """The messages so far, from the oldest to the newest."""
    log: Log | None = None
    log_id: int | None = None
    """The number of the conversation in the log."""
    stream: bool = True
    verbose: bool = False
    is_quiet: bool = False
    """True if the response is not shown while it arrives."""
