"""What every decoder fills in: the parts, and the facts about the answer."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..messages import FinishReason, ModelResponse, ResponseState
from ..messages._value import now
from ..usage import RequestUsage
from .parts import PartsManager


@dataclass(slots=True)
class ResponseDraft:
    """A `ModelResponse` under construction."""

    model_name: str
    """The model that was asked, until the vendor says which one answered."""
    provider_name: str | None = None
    """Who was asked."""
    provider_url: str | None = None
    """Where the request went."""
    warnings: list[str] = field(default_factory=list[str])
    """What was left out of the request."""
    parts: PartsManager = field(default_factory=PartsManager)
    """Where the parts grow."""
    usage: RequestUsage = field(default_factory=RequestUsage)
    """The newest word on usage."""
    finish_reason: FinishReason | None = None
    """Why the model stopped, in our words."""
    provider_response_id: str | None = None
    """The vendor's id of this answer."""
    provider_details: dict[str, Any] = field(default_factory=dict[str, Any])
    """The vendor's own words."""
    timestamp: datetime | None = None
    """When the vendor made the answer; `None` until it says so."""
    begun: datetime = field(default_factory=now)
    """When we began to wait for it."""
    state: ResponseState = 'incomplete'
    """`'incomplete'` until the vendor says that the answer is over."""
    scratch: dict[Hashable, Any] = field(default_factory=dict[Hashable, Any])
    """For the decoder alone: what it must remember from one event to the next."""
    _checked: RequestUsage | None = None

    def finish(self, raw: str | None, names: Mapping[str, FinishReason]) -> None:
        """Record the vendor's own word for the end, and ours; a word that we do not know is kept as it is."""
        if raw:
            self.provider_details['finish_reason'] = raw
            if raw in names:
                self.finish_reason = names[raw]

    def created(self, seconds: float | None) -> None:
        """Record when the answer was made, in seconds since 1970; a number that is no such time is passed over."""
        if seconds and self.timestamp is None:
            with suppress(ArithmeticError, OSError, TypeError, ValueError):
                self.timestamp = datetime.fromtimestamp(seconds, UTC)

    def check(self) -> None:
        """Raise `TypeError` where a fact is of another type than the API promises."""
        if isinstance(self.provider_response_id, int):
            self.provider_response_id = str(self.provider_response_id)
        facts = (self.model_name, self.provider_response_id or '')
        if not all(isinstance(fact, str) for fact in facts):  # pyright: ignore[reportUnnecessaryIsInstance] -- unchecked JSON
            raise TypeError(f'the answer is by {self.model_name!r} and has the id {self.provider_response_id!r}')
        if self.usage is not self._checked:
            self.usage.check()
            self._checked = self.usage

    def get(self) -> ModelResponse:
        """The answer so far, as a new value."""
        details = {name: copy(value) for name, value in self.provider_details.items()}
        return ModelResponse(
            self.parts.get(),
            usage=self.usage,
            model_name=self.model_name,
            timestamp=self.timestamp or self.begun,
            provider_name=self.provider_name,
            provider_url=self.provider_url,
            provider_details=details or None,
            provider_response_id=self.provider_response_id,
            finish_reason=self.finish_reason,
            state=self.state,
            warnings=[*self.warnings],
        )
