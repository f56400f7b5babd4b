"""Compares what a model makes of a history and of its pieces. Start at `portability_report`.

There is no list of what a vendor supports here: each statement is about a request that the model itself encoded. A part
is dropped if the request is the same without it, and changed if the model has a warning for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .._type_checks import check_messages
from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse, ToolCallPart
from ..models import Model, ModelRequestParameters, infer_model
from ..settings import ModelSettings, merge_model_settings
from ..wire.prepare import PreparingModel
from .pieces import BEFORE, Piece, Unit, select, split
from .report import PortabilityEffect, PortabilityIssue, PortabilityReport

if TYPE_CHECKING:
    from ..models.known_names import KnownModelName

VENDOR_FIELDS = ('id', 'signature', 'provider_details')
"""The fields of a part with values that only their vendor reads."""


def portability_report(
    history: Sequence[ModelMessage],
    model: Model | KnownModelName | str,
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
) -> PortabilityReport:
    """Return what would change, be left out or be refused if this history were sent to this model.

    Nothing is sent, and no file is downloaded. The model is a `Model` or a name such as `'openai:gpt-5'`; if it sends
    its requests to several models, as `FallbackModel` does, the report is about each of them. Give the settings and
    the tools of the request if it has any: what a vendor accepts can depend on them. A model in this process is
    examined with its chat template if it is loaded. The model encodes pieces of the history several times, which takes
    about a millisecond for each message. Raises `UserError` if `history` is not a list of messages.
    """
    check_messages(history, parameter='history')
    leaves = list(_find_leaves(infer_model(model), model_settings))
    found = [_examine(leaf, history, settings, model_request_parameters) for leaf, settings in leaves]
    models = dict.fromkeys(leaf.model_id for leaf, _ in leaves)
    return PortabilityReport([*models], [*dict.fromkeys(issue for issues in found for issue in issues)])


def _find_leaves(model: Model, settings: ModelSettings | None) -> Iterator[tuple[Model, ModelSettings | None]]:
    """Yield the models that respond themselves, with the settings that they get."""
    if not model.members:
        yield model, settings
    for member in model.members:
        yield from _find_leaves(member, merge_model_settings(model.settings, settings))


def _examine(
    model: Model, history: Sequence[ModelMessage], settings: ModelSettings | None, parameters: Any
) -> Sequence[PortabilityIssue]:
    """Return the issues of a history with one model."""
    if not isinstance(model, PreparingModel):
        reason = f'{type(model).__name__} does not show what it sends'
        return [PortabilityIssue(model_id=model.model_id, effect='unknown', description=reason)]
    if model.merged_settings(settings).get('unsupported_settings') == 'drop':
        settings = merge_model_settings(settings, {'unsupported_settings': 'warn'})
    return _Examination(model, history, settings, parameters).run()


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a model makes of messages: the content of a request, and sentences; or the error."""

    content: object
    sentences: Collection[str]
    error: str | None = None


@dataclass(slots=True)
class _Examination:
    """The examination of one history with one model."""

    model: PreparingModel
    history: Sequence[ModelMessage]
    settings: ModelSettings | None
    parameters: ModelRequestParameters | None
    issues: list[PortabilityIssue] = field(default_factory=list[PortabilityIssue])
    refused: set[Unit] = field(default_factory=set[Unit])

    def run(self) -> Sequence[PortabilityIssue]:
        """Return all issues: those of every request with these settings first, then those of the parts, in order."""
        common = self._try([BEFORE])
        if common.error is not None:
            self._add('refused', common.error)
            return self.issues
        pieces = list(split(self.history))
        whole = self._try(select(self.history, 0, lambda _: True))
        if whole.error is not None:
            for piece in pieces:
                self._find_refused(piece)
            whole = self._try(select(self.history, 0, lambda unit: unit not in self.refused))
        for piece in pieces:
            self._find_changes(piece, whole, common)
        located = {issue.description for issue in self.issues}
        if whole.error is not None and whole.error not in located:
            self._add('refused', whole.error)
        for sentence in whole.sentences:
            if sentence not in located:
                self._add('changed', sentence)
        return sorted(self.issues, key=_get_position)

    def _try(self, messages: Sequence[ModelMessage]) -> _Trial:
        try:
            preview = self.model.preview(messages, self.settings, self.parameters)
        except UserError as error:
            return _Trial(None, (), str(error))
        return _Trial(preview.content, list(dict.fromkeys(preview.warnings)))

    def _add(self, effect: PortabilityEffect, description: str, unit: Unit | None = None) -> None:
        issue = PortabilityIssue(model_id=self.model.model_id, effect=effect, description=description)
        if unit is not None:
            kind = self._part(unit).part_kind
            issue = replace(issue, message_index=unit.message_index, part_index=unit.part_index, part_kind=kind)
        self.issues.append(issue)

    def _part(self, unit: Unit) -> Any:
        return self.history[unit.message_index].parts[unit.part_index]

    # what is refused

    def _find_refused(self, piece: Piece) -> None:
        """Remove units from the piece until it is accepted, and add an issue for each of them."""
        while (error := self._try(piece.without(self.refused)).error) is not None:
            if (unit := self._find_culprit(piece, error)) is None:
                return
            self.refused.add(unit)
            self._add('refused', error, unit)

    def _find_culprit(self, piece: Piece, error: str) -> Unit | None:
        """Return the first unit that is refused with this error: by itself, or because the others are not."""
        units = [unit for unit in piece.units() if unit not in self.refused]
        for unit in units:
            if self._try(piece.alone(unit)).error == error:
                return unit
        return next((unit for unit in units if self._try(piece.without({*self.refused, unit})).error != error), None)

    # what is changed or dropped

    def _find_changes(self, piece: Piece, whole: _Trial, common: _Trial) -> None:
        """Add the issues of the units in a piece that is accepted."""
        base = self._try(piece.without(self.refused))
        if base.error is not None:
            return
        dropped: dict[str, list[str]] = {}
        for unit in piece.units():
            if unit in self.refused:
                continue
            found, is_dropped = self._examine_unit(piece, unit, base)
            sentences = [
                sentence
                for sentence in found
                if sentence not in common.sentences and (whole.error or sentence in whole.sentences)
            ]
            id = getattr(self._part(unit), 'tool_call_id', '')
            if is_dropped:  # a result is dropped with its call
                sentences = dropped.setdefault(id, sentences) if id else sentences
                sentences = sentences or ['nothing of it is in the request']
            for sentence in sentences:
                self._add('dropped' if is_dropped else 'changed', sentence, unit)
            if not is_dropped:
                self._find_lost_values(piece, unit, base)

    def _examine_unit(self, piece: Piece, unit: Unit, base: _Trial) -> tuple[list[str], bool]:
        """Return the sentences that are about a unit, and whether the request is the same without the unit."""
        without = self._try(piece.without({*self.refused, unit}))
        alone = self._try(piece.alone(unit)) if base.sentences else base
        sentences = [
            sentence for sentence in base.sentences if sentence in alone.sentences or sentence not in without.sentences
        ]
        return sentences, without.error is None and without.content == base.content

    def _find_lost_values(self, piece: Piece, unit: Unit, base: _Trial) -> None:
        """Add an issue if values of a vendor in a part are not sent: of another one, or a signature of another API."""
        part, message = self._part(unit), self.history[unit.message_index]
        if not isinstance(message, ModelResponse):
            return
        maker = part.provider_name or message.provider_name
        is_own = maker == self.model.system
        names = ('signature',) if is_own else VENDOR_FIELDS
        variants = {name: replace(part, **{name: None}) for name in names if getattr(part, name, None)}
        if isinstance(part, ToolCallPart) and not is_own:
            variants['tool_call_id'] = replace(part, tool_call_id=_vary(part.tool_call_id))
        lost = [
            name
            for name, variant in variants.items()
            if self._try(piece.with_part(unit, variant, self.refused)).content == base.content
        ]
        if lost:
            reader = repr(maker) if maker else 'the model that made it'
            self._add('changed', f'not sent, since it is for {reader} only: {", ".join(lost)}', unit)


def _get_position(issue: PortabilityIssue) -> tuple[int, int]:
    index, part_index = issue.message_index, issue.part_index
    return -1 if index is None else index, -1 if part_index is None else part_index


def _vary(id: str) -> str:
    """Return another id that a vendor accepts if it accepts this one."""
    return id[:-1] + ('1' if id.endswith('0') else '0')
