"""The deployments that a router tries for one request, and the second one that it asks if the first is slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from ..._setting_checks import check_settings, own_checks
from ...exceptions import LLMError, ModelTimeoutError, OverloadedError
from ...messages import ModelMessage
from ...settings import ModelSettings
from ..estimate import estimate_usage
from ..fallback.rules import FallbackRules
from ..fallback.sequence import (
    Attempt,
    MidStream,
    ModelSequence,
    Outcome,
    SequenceRequest,
    Start,
    cannot_continue,
    has_alternative,
)
from ..limits.rate_limit import DEFAULT_OUTPUT_TOKENS
from ..limits.wait_queue import NotYet, QueueFullError, QueueTimeoutError, WaitQueue
from .cooldown import cooldown_after
from .deployment import Deployment
from .hedge import Race
from .state import RouterState
from .strategy import Ranking, Strategy, sticky_key

__all__ = ('RouterModelSettings', 'RouterSequence', 'Routing')

T = TypeVar('T')

DEFAULT_MAX_WAIT = 60.0
"""Seconds that a request waits for a free deployment."""


class RouterModelSettings(ModelSettings, total=False):
    """Settings of a request to a router."""

    router_priority: int
    """The position in the queue if all deployments are busy: lower numbers go first. Default: 0."""

    router_key: str
    """The key for the strategy `sticky`: requests with the same key go to the same deployment. Default: the beginning
    of the conversation, because that is the part that vendors cache."""


@dataclass(frozen=True, slots=True)
class Routing:
    """The options of a router that decide about a request."""

    name: str
    model_name: str
    system: str
    groups: list[list[Deployment]]
    strategy: Strategy
    rules: FallbackRules
    mid_stream: MidStream
    cooldown: float
    max_wait: float | None
    hedge_after: float | None
    state: RouterState
    queue: WaitQueue[Attempt]


class RouterSequence(ModelSequence):
    """The deployments of a router for one request, chosen one by one."""

    def __init__(self, router: Routing, request: SequenceRequest) -> None:
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
    def waits_for_event(self) -> bool:
        return self._router.hedge_after is not None

    @property
    def name(self) -> str:
        return self._router.name

    async def next_attempt(self, *, stream: bool) -> Attempt | None:
        """Return the next attempt as soon as a deployment is free, or `None` if all have been tried.

        Raises `OverloadedError` if none becomes free in time.
        """
        if not self.failed.errors:
            self._tried.clear()
        groups = [[each for each in group if each.name not in self._tried] for group in self._groups]
        if not any(groups) or self.budget.seconds_left == 0:
            if not self.failed.errors:  # nothing was sent in the time of the request
                raise ModelTimeoutError(self.name, deadline='timeout', seconds=self.settings.get('timeout'))
            return None
        longest = self._longest_wait if self._router.max_wait is None else self._router.max_wait
        attempt = await self._wait_for_deployment(groups, self.longest_wait(stream=stream), longest)
        # half of the time for a large group, so that the others get the other half
        untried, groups_left = sum(map(len, groups)), sum(1 for group in groups if group)
        attempt.settings = self.limit_time(attempt.model, min(untried, max(groups_left, 2)), stream=stream)
        attempt.has_alternative = untried > 1
        return attempt

    async def start_attempt(
        self,
        attempt: Attempt,
        start: Start[T],
        *,
        stream: bool,
    ) -> tuple[Attempt, T] | None:
        if (hedge_after := self._router.hedge_after) is None:
            return await super().start_attempt(attempt, start, stream=stream)
        race = Race(self, start)
        return await race.run(attempt, hedge_after, lambda: self._choose_hedge(stream=stream))

    async def _choose_hedge(self, *, stream: bool) -> Attempt | None:
        """Return an attempt at another deployment, or `None` if none is free now."""
        groups = [[each for each in group if each.name not in self._tried] for group in self._groups]
        if not any(groups) or self.budget.seconds_left == 0:
            return None
        try:
            attempt = await self._wait_for_deployment(groups, self.longest_wait(stream=stream), 0.0)
        except LLMError:
            return None
        attempt.settings = self.limit_time(attempt.model, 1, stream=stream)
        attempt.has_alternative = True
        return attempt

    async def _wait_for_deployment(self, groups: list[list[Deployment]], left: float | None, longest: float) -> Attempt:
        """Reserve a deployment, in the queue if necessary. Raises `OverloadedError` if that takes too long.

        `left` is the time in seconds until the nearest deadline, `longest` the longest wait in the queue.
        """
        router = self._router
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
            if outcome.was_outrun:  # it has not failed
                self._tried.discard(name)
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
        """Start the cooldown of a deployment that failed; record the latency of one that completed its response.

        The latency of one that was too slow is at least as long as the wait for it.
        """
        state, error = self._router.state, outcome.error
        if error is None:
            is_complete = outcome.response is not None and outcome.response.state == 'complete'
            if is_complete or outcome.was_outrun:
                await state.record_latency(name, outcome.first_token or outcome.seconds)
            return
        seconds = cooldown_after(error, self._router.cooldown)
        if seconds > 0:
            await state.cool_down(name, seconds)


def _count_unused_tokens(reserved: float, outcome: Outcome) -> float:
    """Return the number of reserved tokens that were not used. Without a reported usage, all of them count as used."""
    usage = outcome.response.usage if outcome.response is not None else None
    return reserved - usage.total_tokens if usage is not None and usage.has_values() else 0.0


def _order_groups(groups: list[list[Deployment]], messages: Sequence[ModelMessage]) -> list[list[Deployment]]:
    """Return the groups, after one of the deployments that can continue a paused response, if not all can."""
    able = [each for group in groups for each in group if not cannot_continue(each.built, messages)]
    others = [[each for each in group if each not in able] for group in groups]
    return [able, *others] if able and any(others) else groups
