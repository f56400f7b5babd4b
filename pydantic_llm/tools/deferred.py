"""Tool calls that a run leaves open, and what a later run gets for them.

A run whose output is a `DeferredToolRequests` has calls that must be approved or are executed elsewhere. The run that
continues its history takes a `DeferredToolResults`. Both can be stored as JSON, to continue in another process.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, Any, Literal, cast

from .._deferred_schemas import Discriminator, Tag
from ..exceptions import ModelRetry, ToolFailed, UserError
from ..messages import RetryPromptPart, ToolCallPart, ToolReturn, ToolReturnPart

__all__ = (
    'DeferredToolApprovalResult',
    'DeferredToolCallResult',
    'DeferredToolRequests',
    'DeferredToolResults',
    'ToolApproved',
    'ToolDenied',
)


@dataclass(kw_only=True)
class ToolApproved:
    """The approval of a tool call."""

    override_args: dict[str, Any] | None = None
    """Arguments to call the tool with, instead of those that the model wrote."""

    kind: Literal['tool-approved'] = 'tool-approved'


@dataclass
class ToolDenied:
    """The refusal of a tool call."""

    message: str = 'The tool call was denied.'
    """The message for the model."""

    _: KW_ONLY

    kind: Literal['tool-denied'] = 'tool-denied'


DeferredToolApprovalResult = ToolApproved | ToolDenied
"""What is decided about a tool call that must be approved."""

KINDS_OF_RESULTS: dict[type, str] = {
    ModelRetry: 'model-retry',
    ToolFailed: 'tool-failed',
    ToolReturn: 'tool-return',
    ToolReturnPart: 'part:tool-return',
    RetryPromptPart: 'part:retry-prompt',
}


def _find_kind(value: object) -> str:
    """Return which of the forms of a result this is. Everything else is the value that the tool returned."""
    kind = KINDS_OF_RESULTS.get(type(value))
    if kind is None and isinstance(value, dict):
        stored = cast('dict[str, object]', value)
        kind = f'part:{stored["part_kind"]}' if 'part_kind' in stored else f'{stored.get("kind")}'
    return kind if kind is not None and kind in KINDS_OF_RESULTS.values() else 'value'


DeferredToolCallResult = Annotated[
    Annotated[ModelRetry, Tag('model-retry')]
    | Annotated[ToolFailed, Tag('tool-failed')]
    | Annotated[ToolReturn, Tag('tool-return')]
    | Annotated[ToolReturnPart, Tag('part:tool-return')]
    | Annotated[RetryPromptPart, Tag('part:retry-prompt')]
    | Annotated[Any, Tag('value')],
    Discriminator(_find_kind),
]
"""The result of a tool call that was executed elsewhere: a value, a `ToolReturn`, or an exception for the model."""


@dataclass(kw_only=True)
class DeferredToolRequests:
    """The tool calls that a run left open. It is a possible output of an agent with such tools."""

    calls: list[ToolCallPart] = field(default_factory=list[ToolCallPart])
    """The calls to execute elsewhere."""

    approvals: list[ToolCallPart] = field(default_factory=list[ToolCallPart])
    """The calls to approve or to deny."""

    metadata: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """What `ApprovalRequired` or `CallDeferred` had about a call, by its id."""

    def build_results(
        self,
        *,
        approvals: dict[str, bool | DeferredToolApprovalResult] | None = None,
        calls: dict[str, Any] | None = None,
        metadata: dict[str, dict[str, Any]] | None = None,
        approve_all: bool = False,
    ) -> DeferredToolResults:
        """Return the results for these calls.

        With `approve_all`, the calls that are not in `approvals` are approved. Raises `UserError` for an id that is not
        one of these calls.
        """
        results = DeferredToolResults(calls=calls or {}, approvals=approvals or {}, metadata=metadata or {})
        for name, given, known in (
            ('approvals', results.approvals, self.approvals),
            ('calls', results.calls, self.calls),
        ):
            if unknown := given.keys() - {call.tool_call_id for call in known}:
                raise UserError(f'{name} has the id {min(unknown)!r}, which is no call of {name}')
        if approve_all:
            results.approvals = {call.tool_call_id: True for call in self.approvals} | results.approvals
        return results


@dataclass(kw_only=True)
class DeferredToolResults:
    """What a run gets for the tool calls that an earlier run left open, by the ids of the calls."""

    calls: dict[str, DeferredToolCallResult] = field(default_factory=dict[str, Any])
    """The results of calls that were executed elsewhere."""

    approvals: dict[str, bool | DeferredToolApprovalResult] = field(
        default_factory=dict[str, bool | DeferredToolApprovalResult]
    )
    """The decisions about calls that had to be approved: true, false, `ToolApproved` or `ToolDenied`."""

    metadata: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Data for `RunContext.tool_call_metadata`."""

    def decision_about(self, tool_call_id: str) -> DeferredToolApprovalResult | None:
        """Return the decision about a call, or `None` without one."""
        match self.approvals.get(tool_call_id):
            case True:
                return ToolApproved()
            case False:
                return ToolDenied()
            case decision:
                return decision
