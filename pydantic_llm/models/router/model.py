"""One model over many deployments: several keys, regions or vendors that are interchangeable for the caller.

```python
model = RouterModel(
    [Deployment('openai:gpt-4o', weight=3), Deployment('azure:gpt-4o', requests_per_minute=300)],
    fallbacks=[[Deployment('anthropic:claude-sonnet-4-5')]],
)
```

A strategy chooses the deployment. A deployment that fails cools down for a while, and another one is tried. If all of a
group are cooling down or full, the next group is tried; if all groups are, the request waits in a queue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import cast

from ..._checks import check_number
from ..._setting_checks import check_settings, own_checks
from ...exceptions import ModelAPIError, OverloadedError, UserError
from ...messages import ModelMessage
from ...settings import ModelSettings
from .. import Model
from ..estimate import estimate_usage
from ..fallback.rules import FallbackOn
from ..fallback.sequence import (
    Attempt,
    MidStream,
    ModelSequence,
    Outcome,
    SequenceRequest,
    cannot_continue,
    has_alternative,
)
from ..fallback.sequence_model import SequenceModel
from ..limits.rate_limit import DEFAULT_OUTPUT_TOKENS
from ..limits.wait_queue import NotYet, QueueFullError, QueueTimeoutError, WaitQueue
from .cooldown import cooldown_after
from .deployment import Deployment
from .state import MemoryState, RouterState
from .strategy import Ranking, Strategy, check_strategy, sticky_key

__all__ = ('Deployment', 'RouterModel', 'RouterModelSettings', 'Strategy')


class RouterModelSettings(ModelSettings, total=False):
    """Settings of a request to a router."""

    router_priority: int
    """The position in the queue if all deployments are busy: lower numbers go first. Default: 0."""

    router_key: str
    """The key for the strategy `sticky`: requests with the same key go to the same deployment. Default: the beginning
    of the conversation, because that is the part that vendors cache."""


Group = Sequence[Deployment | Model | str]
"""Interchangeable deployments. A model by itself is a deployment without limits."""

DEFAULT_MAX_WAIT = 60.0
"""Seconds that a request waits for a free deployment."""


class RouterModel(SequenceModel):
    """Sends each request to one of several deployments; if that fails, to another one.

    `fallback_on` and `mid_stream` are those of `FallbackModel`. A deployment that failed cools down for `cooldown`
    seconds, or for the time that its vendor names. If no deployment is free, a request waits up to `max_wait` seconds
    (default: 60, and 0 inside a `FallbackModel` with a next model, which is then tried at once); at most `max_queue`
    requests wait. Deployments share `timeout`: a deployment gets at most the part that leaves one for the next.
    `state_url` is the URL of a Redis (`redis://...`) that several processes share; `state_name` is its key prefix.
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
        max_wait: float | None = None,
        max_queue: int | None = None,
        state: RouterState | None = None,
        state_url: str | None = None,
        state_name: str = 'pydantic_llm:router',
        settings: RouterModelSettings | None = None,
    ) -> None:
        self.groups: list[list[Deployment]] = [_build_group(each) for each in (deployments, *fallbacks)]
        """The deployments, by group, in the order in which groups are tried."""
        names = [deployment.name for deployment in self.deployments]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UserError(f'Two deployments are called {twice!r}: give each a name= of its own')
        check_strategy(strategy, self.groups)
        if state is not None and state_url is not None:
            raise UserError('Give state= or state_url=, not both')
        check_number('cooldown', cooldown, least=0, required=True)
        check_number('max_wait', max_wait, least=0)
        super().__init__(fallback_on, mid_stream, settings)
        self.strategy: Strategy = strategy
        self.cooldown = cooldown
        self.max_wait = max_wait
        self.state: RouterState = state or _build_state(state_url, state_name)
        self.queue: WaitQueue[Attempt] = WaitQueue(max_queue)

    @property
    def deployments(self) -> list[Deployment]:
        return [deployment for group in self.groups for deployment in group]

    @property
    def members(self) -> Sequence[Model]:
        return [deployment.built for deployment in self.deployments]

    @property
    def model_name(self) -> str:
        return f'router:{",".join(dict.fromkeys(model.model_name for model in self.members))}'

    @property
    def system(self) -> str:
        return f'router:{",".join(dict.fromkeys(model.system for model in self.members))}'

    @property
    def model_id(self) -> str:
        return f'router:{",".join(deployment.name for deployment in self.deployments)}'

    def new_sequence(self, request: SequenceRequest) -> ModelSequence:
        return _RouterSequence(self, request)

    async def aclose(self) -> None:
        await super().aclose()
        await self.state.aclose()

    def __repr__(self) -> str:
        return f'RouterModel({[[deployment.name for deployment in group] for group in self.groups]})'


class _RouterSequence(ModelSequence):
    """The deployments of a router for one request, chosen one by one."""

    def __init__(self, router: RouterModel, request: SequenceRequest) -> None:
        super().__init__(request, router.rules, router.mid_stream)
        self._router = router
        self._groups = _order_groups(router.groups, request.messages)
        own: RouterModelSettings = request.settings  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType] -- its own keys may be in it
        check_settings(own, own_checks(RouterModelSettings))
        self._priority = own.get('router_priority') or 0
        input_tokens = estimate_usage(request.messages, ()).input_tokens
        output_tokens = own.get('max_tokens') or DEFAULT_OUTPUT_TOKENS
        key = own.get('router_key') or sticky_key(request.messages)
        self._ranking = Ranking(router.strategy, key, input_tokens=input_tokens, output_tokens=output_tokens)
        self._reserved = float(input_tokens + output_tokens)
        self._tried: set[str] = set()
        self._longest_wait = 0.0 if has_alternative.get() else DEFAULT_MAX_WAIT

    @property
    def name(self) -> str:
        return self._router.model_id

    async def next_attempt(self, *, stream: bool) -> Attempt | None:
        """Return the next attempt as soon as a deployment is free, or `None` if all have been tried.

        Raises `OverloadedError` if none becomes free in time.
        """
        if not self.failed.errors:
            self._tried.clear()
        groups = [[each for each in group if each.name not in self._tried] for group in self._groups]
        if not any(groups) or self.budget.seconds_left == 0:
            return None
        attempt = await self._wait_for_deployment(groups, self.longest_wait(stream=stream))
        # half of the time for a large group, so that the others get the other half
        untried, groups_left = sum(map(len, groups)), sum(1 for group in groups if group)
        attempt.settings = self.limit_time(attempt.model, min(untried, max(groups_left, 2)), stream=stream)
        attempt.has_alternative = untried > 1
        return attempt

    async def _wait_for_deployment(self, groups: list[list[Deployment]], left: float | None) -> Attempt:
        """Reserve a deployment, in the queue if necessary. Raises `OverloadedError` if that takes too long.

        `left` is the time in seconds until the nearest deadline.
        """
        router = self._router
        longest = self._longest_wait if router.max_wait is None else router.max_wait
        wait = longest if left is None else min(left, longest)
        until = time.monotonic() + wait

        async def reserve() -> Attempt | NotYet:
            reserved = await self._reserve_best(groups)
            if isinstance(reserved, NotYet) and (reserved.seconds or 0.0) > until - time.monotonic():
                raise QueueTimeoutError
            return reserved

        try:
            return await router.queue.acquire(reserve, priority=self._priority, seconds=left, longest_wait=wait)
        except QueueFullError:
            message = f'No deployment is free, and max_queue={router.queue.max_size} requests wait already'
        except QueueTimeoutError:
            message = f'No deployment is free within {wait:g} s'
        raise OverloadedError(503, router.model_name, message=message, provider_name=router.system, retryable=False)

    async def _reserve_best(self, groups: list[list[Deployment]]) -> Attempt | NotYet:
        """Reserve the best free deployment of the first group that has one, or return the shortest delay of all."""
        delay = float('inf')
        for group in groups:
            statuses = await self._router.state.status([each.name for each in group])
            for deployment in self._ranking.order(group, statuses):
                cooldown = statuses[deployment.name].cooldown
                reserved = NotYet(cooldown) if cooldown > 0 else await self._reserve(deployment)
                if isinstance(reserved, Attempt):
                    return reserved
                delay = min(delay, reserved.seconds or delay)
        return NotYet(delay)

    async def _reserve(self, deployment: Deployment) -> Attempt | NotYet:
        """Reserve a slot and tokens of a deployment. The end of the attempt releases them."""
        name, limits, state = deployment.name, deployment.limits, self._router.state
        slot = await state.reserve(name, limits, self._reserved)
        if isinstance(slot, NotYet):
            return slot
        self._tried.add(name)

        async def on_end(outcome: Outcome) -> None:
            try:
                await self._settle(state.release(name, slot, limits, _count_unused_tokens(self._reserved, outcome)))
                await self._settle(self._record_outcome(name, outcome))
            finally:
                self._router.queue.notify()

        return Attempt(deployment.built, self.settings, on_end)

    async def _settle(self, work: Awaitable[None]) -> None:
        """Wait until the state is updated, but not after the deadline: a slow state goes on in the background."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.budget.seconds_left):
                await work

    async def _record_outcome(self, name: str, outcome: Outcome) -> None:
        """Start the cooldown of a deployment that failed; record the latency of one that completed its response."""
        state, error = self._router.state, outcome.error
        if error is None:
            if outcome.response is not None and outcome.response.state == 'complete':
                await state.record_latency(name, outcome.first_token or outcome.seconds)
            return
        seconds = cooldown_after(error, self._router.cooldown)
        if seconds > 0:
            await state.cool_down(name, seconds)


def _count_unused_tokens(reserved: float, outcome: Outcome) -> float:
    """Return the number of reserved tokens that were not used. Without a reported usage, all of them count as used."""
    usage = outcome.response.usage if outcome.response is not None else None
    return reserved - usage.total_tokens if usage is not None and usage.has_values() else 0.0


def _build_group(members: Group) -> list[Deployment]:
    if not isinstance(cast('object', members), (list, tuple)):
        raise UserError(f'A group of a RouterModel is a list of deployments, not {members!r}')
    if not members:
        raise UserError('A RouterModel needs at least one deployment in each group')
    return [each if isinstance(each, Deployment) else Deployment(each) for each in members]


def _order_groups(groups: list[list[Deployment]], messages: Sequence[ModelMessage]) -> list[list[Deployment]]:
    """Return the groups, after one of the deployments that can continue a paused response, if not all can."""
    able = [each for group in groups for each in group if not cannot_continue(each.built, messages)]
    others = [[each for each in group if each not in able] for group in groups]
    return [able, *others] if able and any(others) else groups


def _build_state(url: str | None, name: str) -> RouterState:
    if url is None:
        return MemoryState()
    from .redis_state import RedisState

    return RedisState(url, prefix=name)
