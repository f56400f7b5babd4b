"""The values of a portability report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

PortabilityEffect = Literal['changed', 'dropped', 'refused', 'unknown']
"""What happens: a part is sent in another form, it is not sent, the request cannot be sent, or it is unknown."""

LISTED = 3
"""The number of positions that a line of the report names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortabilityIssue:
    """One thing that would change, be dropped or be refused."""

    model_id: str
    """The model: `'openai:gpt-5'`."""
    effect: PortabilityEffect
    """What happens."""
    description: str
    """What happens, as a sentence: in most cases, the warning that the response would have."""
    message_index: int | None = None
    """The index of the message in the history; `None` if the issue concerns the whole request."""
    part_index: int | None = None
    """The index of the part in its message."""
    part_kind: str | None = None
    """The kind of the part: `'thinking'`."""

    def __str__(self) -> str:
        return _describe([self])


@dataclass(frozen=True, slots=True)
class PortabilityReport:
    """The issues of a history with a model; if the model is made of several, with each of them."""

    models: Sequence[str]
    """The ids of the models that were asked."""
    issues: Sequence[PortabilityIssue]
    """The issues, in the order of the history, model by model."""

    @property
    def refused(self) -> Sequence[PortabilityIssue]:
        """The issues for which a model would raise `UserError`."""
        return [issue for issue in self.issues if issue.effect == 'refused']

    def for_model(self, model_id: str) -> PortabilityReport:
        """Return the report of one of several models."""
        issues = [issue for issue in self.issues if issue.model_id == model_id]
        return PortabilityReport([name for name in self.models if name == model_id], issues)

    def __str__(self) -> str:
        return '\n'.join(line for model in self.models for line in _write_lines(self.for_model(model), model))


def _write_lines(report: PortabilityReport, model: str) -> Iterator[str]:
    """Yield a headline for the model, and a line for each kind of issue."""
    if report.refused:
        yield f'{model} would refuse this history:'
    elif not report.issues:
        yield f'{model} would get this history as it is.'
    elif all(issue.effect == 'unknown' for issue in report.issues):
        yield f'{model} cannot be examined:'
    else:
        yield f'{model} would accept this history, with changes:'
    groups: dict[tuple[object, ...], list[PortabilityIssue]] = {}
    for issue in report.issues:
        groups.setdefault((issue.effect, issue.part_kind, issue.description), []).append(issue)
    for group in groups.values():
        yield f'- {_describe(group)}'


def _describe(issues: Sequence[PortabilityIssue]) -> str:
    """Return a line for issues that differ by their position alone."""
    first = issues[0]
    if first.message_index is None:
        return f'{first.effect}: {first.description}'
    places = [f'[{issue.message_index}]' for issue in issues[:LISTED]]
    more = f' and {len(issues) - LISTED} more' if len(issues) > LISTED else ''
    what = f' {first.part_kind}' if first.part_kind else ''
    return f'{first.effect}: messages{", ".join(places)}{more}{what}: {first.description}'
