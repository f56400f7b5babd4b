"""Several models, tried in order: if one fails, the next gets the request.

```python
model = FallbackModel('openai:gpt-5.4-mini', 'anthropic:claude-sonnet-5-5')
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..._checks import check_number
from ...exceptions import ModelAPIError
from ...settings import ModelSettings
from .. import Model, check_model, infer_model
from .rules import FallbackOn
from .sequence import Attempt, MidStream, ModelSequence, SequenceRequest, cannot_continue
from .sequence_model import SequenceModel

if TYPE_CHECKING:
    from ..known_names import KnownModelName

__all__ = ('FallbackModel', 'FallbackOn', 'MidStream')


class FallbackModel(SequenceModel):
    """Sends a request to the first model; if that fails, to the second; and so on.

    `fallback_on` lists the failures that count: by default every `ModelAPIError` (an error status, no response, a
    deadline). If all models fail, a `FallbackExceptionGroup` holds every error, in order. The models share `timeout`:
    each gets an equal part of the time left for it and the following ones. For a stream, the part ends with its first
    event.
    """

    def __init__(
        self,
        first: Model | KnownModelName | str,
        *others: Model | KnownModelName | str,
        fallback_on: FallbackOn | Sequence[FallbackOn] = (ModelAPIError,),
        mid_stream: MidStream = 'raise',
        attempt_timeout: float | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        check_number('attempt_timeout', attempt_timeout, above=0)
        for model in (first, *others):
            check_model(model, parameter='FallbackModel')
        self.models: tuple[Model, ...] = tuple(infer_model(each) for each in (first, *others))
        self.attempt_timeout = attempt_timeout
        """The maximum number of seconds for one model; for a stream, until its first event."""
        super().__init__(fallback_on, mid_stream, settings)

    @property
    def members(self) -> Sequence[Model]:
        return self.models

    @property
    def model_name(self) -> str:
        return f'fallback:{",".join(model.model_name for model in self.models)}'

    @property
    def system(self) -> str:
        return f'fallback:{",".join(model.system for model in self.models)}'

    @property
    def model_id(self) -> str:
        return f'fallback:{",".join(model.model_id for model in self.models)}'

    @property
    def base_url(self) -> str | None:
        return self.models[0].base_url

    def new_sequence(self, request: SequenceRequest) -> ModelSequence:
        return _FallbackSequence(self, request)

    def __repr__(self) -> str:
        return f'FallbackModel({", ".join(map(repr, self.models))})'


class _FallbackSequence(ModelSequence):
    """The models of a `FallbackModel`, once each."""

    def __init__(self, owner: FallbackModel, request: SequenceRequest) -> None:
        super().__init__(request, owner.rules, owner.mid_stream)
        self._models = sorted(owner.models, key=lambda model: cannot_continue(model, request.messages))
        self._attempt_timeout = owner.attempt_timeout
        self._owner = owner

    @property
    def name(self) -> str:
        return self._owner.model_id

    async def next_attempt(self, *, stream: bool) -> Attempt | None:
        """Return the model after those that have failed, if there is time left for it."""
        models, left = self._models[len(self.failed.errors) :], self.budget.seconds_left
        if not models or (left == 0 and self.failed.errors):
            return None
        limited = self.limit_time(models[0], len(models), stream=stream, attempt_timeout=self._attempt_timeout)
        return Attempt(models[0], limited, has_alternative=len(models) > 1)
