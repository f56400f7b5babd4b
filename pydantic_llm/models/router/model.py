"""One model over many deployments: several keys, regions or vendors of what is the same to its users.

```python
model = RouterModel(
    [Deployment('openai:gpt-4o', weight=3), Deployment('azure:gpt-4o', requests_per_minute=300)],
    fallbacks=[[Deployment('anthropic:claude-sonnet-4-5')]],
)
```

Which deployment is asked is said by a strategy. One that fails cools down for a while, and another is asked; where all
of a group are cooling or full, one of the next group is; where none is free at all, the request waits.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...exceptions import (
    FallbackExceptionGroup,
    ModelAPIError,
    ModelHTTPError,
    OverloadedError,
    RateLimitError,
    UserError,
)
from ...messages import ModelMessage
from ...profiles import ModelProfile
from ...retries.budget import Budget
from ...settings import ModelSettings
from .. import Model, ModelRequestParameters
from ..estimate import estimate_usage
from ..fallback.model import check_mid_stream, what_all_can_do, without_budget
from ..fallback.sequence import Candidate, Failed, FallbackOn, Judge, MidStream, Outcome, Relay, limited
from ..fallback.stream import RelayModel
from ..limits.rate_limit import DEFAULT_OUTPUT
from ..limits.wait_queue import Line, LineIsFull, NotYet, WaitedTooLong
from .deployment import Deployment
from .state import MemoryState, RouterState
from .strategy import STRATEGIES, Choice, Strategy, sticky_key

__all__ = ('Deployment', 'RouterModel', 'RouterModelSettings', 'Strategy')


class RouterModelSettings(ModelSettings, total=False):
    """Settings of a request to a router."""

    router_priority: int
    """Where all deployments are taken: requests with a lower number go first. 0 where it is not set."""

    router_key: str
    """For the strategy `sticky`: requests with the same key go to the same deployment. The beginning of the
    conversation where it is not set, since that is what vendors cache."""


Group = Sequence[Deployment | Model | str]
"""Deployments that are the same to a user; a model alone is a deployment without limits."""

LONG_COOLDOWN = frozenset({401, 402, 403, 404})
"""Statuses that will not be gone soon: the deployment cools down ten times as long."""

CALLERS_FAULT = frozenset({400, 413, 422})
"""Statuses that say nothing of the deployment."""


class RouterModel(RelayModel):
    """Asks one of several deployments, and where it fails, another one.

    `fallback_on` says which failures count, as for `FallbackModel`, and `mid_stream` what happens in the middle of an
    answer. A deployment that failed cools down for `cooldown` seconds, or as long as its vendor says. `max_wait` is how
    many seconds a request waits where none is free (0 inside a `FallbackModel`, so that the next model is asked at
    once), and `max_queue` how many requests may. `state_url` names a Redis
    (`redis://...`) that many processes share; `state_name` tells several routers in it apart.
    """

    def __init__(
        self,
        deployments: Group,
        *,
        fallbacks: Sequence[Group] = (),
        strategy: Strategy = 'shuffle',
        fallback_on: FallbackOn | Sequence[FallbackOn] = (ModelAPIError,),
        mid_stream: MidStream = 'raise',
        cooldown: float = 30.0,
        max_wait: float = 60.0,
        max_queue: int | None = None,
        state: RouterState | None = None,
        state_url: str | None = None,
        state_name: str = 'pydantic_llm:router',
        settings: RouterModelSettings | None = None,
    ) -> None:
        super().__init__(settings=settings)
        self.groups: list[list[Deployment]] = [_group(each) for each in (deployments, *fallbacks)]
        """The deployments, by group, in the order in which groups are asked."""
        names = [deployment.name for group in self.groups for deployment in group]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UserError(f'Two deployments are called {twice!r}: give each a name= of its own')
        if strategy not in STRATEGIES:
            raise UserError(f'strategy is one of {", ".join(map(repr, STRATEGIES))}, not {strategy!r}')
        if state is not None and state_url is not None:
            raise UserError('Give state= or state_url=, not both')
        self.strategy: Strategy = strategy
        """How a deployment is chosen."""
        self.mid_stream: MidStream = check_mid_stream(mid_stream)
        """What happens when a deployment fails in the middle of an answer."""
        self.cooldown = cooldown
        """How many seconds a deployment that failed is left alone."""
        self.max_wait = max_wait
        """How many seconds a request waits for a deployment."""
        self.judge = Judge(fallback_on)
        """Says which failures count."""
        self.state: RouterState = state or _state(state_url, state_name)
        """What is known of the deployments."""
        self.line: Line[Candidate] = Line(max_queue)
        """The requests that wait."""

    @property
    def model_name(self) -> str:
        """The names of the models. A response has the name of the one that answered."""
        names = dict.fromkeys(deployment.built.model_name for group in self.groups for deployment in group)
        return f'router:{",".join(names)}'

    @property
    def system(self) -> str:
        """The vendors of the models."""
        systems = dict.fromkeys(deployment.built.system for group in self.groups for deployment in group)
        return f'router:{",".join(systems)}'

    @property
    def model_id(self) -> str:
        """The names of the deployments."""
        return f'router:{",".join(deployment.name for group in self.groups for deployment in group)}'

    def _own_profile(self) -> ModelProfile:
        return what_all_can_do([deployment.built.profile for group in self.groups for deployment in group])

    def relay(
        self,
        budget: Budget,
        settings: ModelSettings,
        messages: Sequence[ModelMessage],
        parameters: ModelRequestParameters | None,
    ) -> Relay:
        """Who is asked for one request."""
        return _Route(self, budget, settings, messages, parameters)

    async def aclose(self) -> None:
        """Close the connections of all deployments."""
        for group in self.groups:
            for deployment in group:
                await deployment.built.aclose()
        await self.state.aclose()

    def __repr__(self) -> str:
        return f'RouterModel({[[deployment.name for deployment in group] for group in self.groups]})'


class _Route(Relay):
    """The way of one request through the deployments."""

    def __init__(
        self,
        router: RouterModel,
        budget: Budget,
        settings: ModelSettings,
        messages: Sequence[ModelMessage],
        parameters: ModelRequestParameters | None,
    ) -> None:
        super().__init__(budget, router.judge, messages, parameters, router.mid_stream)
        self._router = router
        own: RouterModelSettings = settings  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType] -- its own keys may be in it
        self._priority = own.get('router_priority', 0)
        self._choice = Choice(router.strategy, own.get('router_key') or sticky_key(messages))
        self._settings = without_budget(settings)
        self._read = estimate_usage(messages, ()).input_tokens
        self._written = settings.get('max_tokens', DEFAULT_OUTPUT)
        self._tried: set[str] = set()

    async def next(self, failed: Failed, *, stream: bool) -> Candidate | None:
        """The deployment to ask, as soon as one is free; `None` where all have been asked."""
        if not failed.errors:
            self._tried.clear()
        groups = [[each for each in group if each.name not in self._tried] for group in self._router.groups]
        if not any(groups) or self.budget.seconds_left == 0:
            return None
        return await self._free_one(groups)

    async def _free_one(self, groups: list[list[Deployment]]) -> Candidate:
        router, left = self._router, self.budget.seconds_left
        seconds = router.max_wait if left is None else min(left, router.max_wait)

        until = time.monotonic() + seconds

        async def take() -> Candidate | NotYet:
            taken = await self._take(groups)
            if isinstance(taken, NotYet) and (taken.seconds or 0.0) > until - time.monotonic():
                raise WaitedTooLong
            return taken

        try:
            with self.budget.track_time():
                return await router.line.get(take, priority=self._priority, seconds=seconds)
        except LineIsFull:
            said = f'No deployment is free, and max_queue={router.line.longest} requests wait already'
        except WaitedTooLong:
            said = f'No deployment is free within {seconds:g} s'
        raise OverloadedError(503, router.model_name, message=said, provider_name=router.system, retryable=False)

    async def _take(self, groups: list[list[Deployment]]) -> Candidate | NotYet:
        """Take a deployment: of the first group that has one that is free."""
        wait = float('inf')
        for group in groups:
            standings = await self._router.state.look([each.name for each in group])
            for deployment in self._choice.order(group, standings, self._read, self._written):
                cooling = standings[deployment.name].cooling
                taken = NotYet(cooling) if cooling > 0 else await self._take_one(deployment)
                if isinstance(taken, Candidate):
                    return taken
                wait = min(wait, taken.seconds or wait)
        return NotYet(wait)

    async def _take_one(self, deployment: Deployment) -> Candidate | NotYet:
        name, limits, state = deployment.name, deployment.limits, self._router.state
        reserved = float(self._read + self._written)
        place = await state.take(name, limits, reserved)
        if isinstance(place, NotYet):
            return place
        self._tried.add(name)

        async def over(outcome: Outcome) -> None:
            await state.give_back(name, place, limits, _not_needed(reserved, outcome))
            await self._learn(name, outcome)
            self._router.line.tell()

        settings: ModelSettings = {**self._settings}
        limited(settings, 'timeout', (deployment.built.settings or {}).get('timeout'), self.budget.seconds_left)
        return Candidate(deployment.built, settings, over)

    async def _learn(self, name: str, outcome: Outcome) -> None:
        """Let a deployment that failed cool down, and note how fast one was that did not."""
        state, error = self._router.state, outcome.error
        if error is None:
            if outcome.response is not None and outcome.response.state == 'complete':
                await state.measured(name, outcome.first_token or outcome.seconds)
            return
        seconds = cooldown_after(error, self._router.cooldown)
        if seconds > 0:
            await state.cool(name, seconds)


def cooldown_after(error: Exception, usual: float) -> float:
    """Seconds for which a deployment is left alone after an error; 0 for one that says nothing of it."""
    match error:
        case RateLimitError(retry_after=float() | int() as seconds):
            return seconds
        case ModelHTTPError(status_code=status) if status in CALLERS_FAULT:
            return 0.0
        case ModelHTTPError(status_code=status) if status in LONG_COOLDOWN:
            return 10 * usual
        case ModelHTTPError(retry_after=float() | int() as seconds):
            return max(seconds, usual)
        case FallbackExceptionGroup(exceptions=errors):
            return max(cooldown_after(each, usual) for each in errors)
        case ModelAPIError():
            return usual
        case _:
            return 0.0


def _not_needed(reserved: float, outcome: Outcome) -> float:
    """How much of what was reserved was not used. Where nobody says what was used, all of it counts as used."""
    usage = outcome.response.usage if outcome.response is not None else None
    return reserved - usage.total_tokens if usage is not None and usage.has_values() else 0.0


def _group(members: Group) -> list[Deployment]:
    if not members:
        raise UserError('A RouterModel needs at least one deployment in each group')
    return [each if isinstance(each, Deployment) else Deployment(each) for each in members]


def _state(url: str | None, name: str) -> RouterState:
    if url is None:
        return MemoryState()
    from .redis_state import RedisState

    return RedisState(url, prefix=name)
