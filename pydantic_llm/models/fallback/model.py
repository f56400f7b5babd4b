"""Several models in a row: where one fails, the next is asked.

```python
model = FallbackModel('openai:gpt-4o', 'anthropic:claude-sonnet-4-5')
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from ...exceptions import ModelAPIError, UserError
from ...messages import ModelMessage
from ...profiles import ModelProfile, StructuredOutputMode
from ...retries.budget import Budget
from ...settings import ModelSettings
from .. import Model, ModelRequestParameters, infer_model
from .sequence import MID_STREAM, Candidate, Failed, FallbackOn, Judge, MidStream, Relay, limited
from .stream import RelayModel

if TYPE_CHECKING:
    from ..known_names import KnownModelName

__all__ = ('FallbackModel', 'FallbackOn', 'MidStream')


class FallbackModel(RelayModel):
    """Asks the first model, and where that fails the next one, to the last.

    `fallback_on` says which failures count: by default `ModelAPIError` (an error status, no answer, a deadline). If all
    models fail, a `FallbackExceptionGroup` holds every error, in order. `timeout` is shared: a model gets an equal part
    of the time that is left for it and those behind it, a stream as much of it until its first event.
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
        super().__init__(settings=settings)
        self.models: tuple[Model, ...] = tuple(infer_model(each) for each in (first, *others))
        """The models, in the order in which they are asked."""
        self.mid_stream: MidStream = check_mid_stream(mid_stream)
        """What happens when a model fails in the middle of an answer."""
        self.attempt_timeout = attempt_timeout
        """The most seconds that one model may take, or a stream until its first event."""
        if attempt_timeout is not None and not attempt_timeout > 0:
            raise UserError(f'attempt_timeout is {attempt_timeout!r}: give a number of seconds above 0')
        self.judge = Judge(fallback_on)
        """Says which failures count."""

    @property
    def model_name(self) -> str:
        """The names of the models. A response has the name of the one that answered."""
        return f'fallback:{",".join(model.model_name for model in self.models)}'

    @property
    def system(self) -> str:
        """The vendors of the models."""
        return f'fallback:{",".join(model.system for model in self.models)}'

    @property
    def model_id(self) -> str:
        """The models, each with its vendor."""
        return f'fallback:{",".join(model.model_id for model in self.models)}'

    @property
    def base_url(self) -> str | None:
        """Where the first model sends its requests."""
        return self.models[0].base_url

    def _own_profile(self) -> ModelProfile:
        return what_all_can_do([model.profile for model in self.models])

    def relay(
        self,
        budget: Budget,
        settings: ModelSettings,
        messages: Sequence[ModelMessage],
        parameters: ModelRequestParameters | None,
    ) -> Relay:
        """Who is asked for one request."""
        return _InARow(self, budget, settings, messages, parameters)

    async def aclose(self) -> None:
        """Close the connections of all models."""
        for model in self.models:
            await model.aclose()

    def __repr__(self) -> str:
        return f'FallbackModel({", ".join(map(repr, self.models))})'


class _InARow(Relay):
    """The models of a `FallbackModel`, each once."""

    def __init__(
        self,
        owner: FallbackModel,
        budget: Budget,
        settings: ModelSettings,
        messages: Sequence[ModelMessage],
        parameters: ModelRequestParameters | None,
    ) -> None:
        super().__init__(budget, owner.judge, messages, parameters, owner.mid_stream)
        self._owner = owner
        self._settings = without_budget(settings)

    async def next(self, failed: Failed, *, stream: bool) -> Candidate | None:
        """The model behind those that have failed, while there is time left."""
        place, left = len(failed.errors), self.budget.seconds_left
        models = self._owner.models[place:]
        if not models or (left == 0 and failed.errors):
            return None
        share = None if left is None else left / len(models)
        return Candidate(models[0], self._shared(models[0], left, share, stream=stream))

    def _shared(self, model: Model, left: float | None, share: float | None, *, stream: bool) -> ModelSettings:
        settings: ModelSettings = {**self._settings}
        own = model.settings or {}
        limit = self._owner.attempt_timeout
        if stream:
            limited(settings, 'timeout', own.get('timeout'), left)
            limited(settings, 'first_token_timeout', own.get('first_token_timeout'), limit, share)
        else:
            limited(settings, 'timeout', own.get('timeout'), limit, share)
        return settings


def without_budget(settings: ModelSettings) -> ModelSettings:
    """The settings without those that a budget holds."""
    return cast('ModelSettings', {key: value for key, value in settings.items() if key not in ('timeout', 'retries')})


def check_mid_stream(mid_stream: MidStream) -> MidStream:
    """The policy, if it is one."""
    if mid_stream not in MID_STREAM:
        raise UserError(f"mid_stream is 'raise', 'restart' or 'continue', not {mid_stream!r}")
    return mid_stream


def what_all_can_do(profiles: Sequence[ModelProfile]) -> ModelProfile:
    """What can be asked of each of several models."""
    modes: set[StructuredOutputMode] = {profile.default_structured_output_mode for profile in profiles}
    tools = all(profile.supports_tools for profile in profiles)
    otherwise: StructuredOutputMode = 'tool' if tools else 'prompted'
    return ModelProfile(
        supports_tools=tools,
        supports_json_schema_output=all(profile.supports_json_schema_output for profile in profiles),
        supports_json_object_output=all(profile.supports_json_object_output for profile in profiles),
        supports_thinking=any(profile.supports_thinking for profile in profiles),
        default_structured_output_mode=modes.pop() if len(modes) == 1 else otherwise,
    )
