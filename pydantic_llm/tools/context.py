"""`RunContext`: the state of a run, for the functions that the agent calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from typing_extensions import TypeVar

from ..messages import ModelMessage, UserContent
from ..messages._value import repr_without_defaults
from ..settings import ModelSettings
from ..usage import RunUsage, UsageLimits

if TYPE_CHECKING:
    from ..models import Model

__all__ = ('RunContext',)

DepsT_co = TypeVar('DepsT_co', covariant=True, default=None)


@dataclass(repr=False, kw_only=True)
class RunContext(Generic[DepsT_co]):
    """What a function of yours may know of the run that calls it."""

    deps: DepsT_co
    """What you gave the run as `deps`."""

    model: Model
    """The model that the run asks."""

    usage: RunUsage = field(default_factory=RunUsage)
    """What was used so far."""

    usage_limits: UsageLimits | None = None
    """How much may be used."""

    prompt: str | Sequence[UserContent] | None = None
    """What the run was asked."""

    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    """The conversation so far, the history that was passed in included."""

    model_settings: ModelSettings | None = None
    """The settings of the requests: the model's, the agent's and the run's, laid over each other."""

    tool_name: str | None = None
    """The tool that is called."""

    tool_call_id: str | None = None
    """The id of its call."""

    retries: dict[str, int] = field(default_factory=dict[str, int])
    """How often each tool failed in a row."""

    retry: int = 0
    """How often this tool failed in a row; for an output validator, how often the output was refused."""

    max_retries: int = 0
    """How often it may."""

    run_step: int = 0
    """How many requests this run has made."""

    partial_output: bool = False
    """Whether an output validator sees an output that is still being written."""

    run_id: str | None = None
    """The id of the run."""

    conversation_id: str | None = None
    """The id of the conversation."""

    @property
    def last_attempt(self) -> bool:
        """Whether another failure ends the run."""
        return self.retry >= self.max_retries

    __repr__ = repr_without_defaults
