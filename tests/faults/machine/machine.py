"""The rules and the invariants: callers ask nested wrappers, the vendor and Redis fail, callers leave, time passes.

After the last rule all faults stop: every call must end, nothing may be left, and the next request must succeed.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pydantic_llm.models import Model
from pydantic_llm.models.router import RouterModel
from pydantic_llm.models.router.redis_state import RedisState
from tests.faults.machine.calls import Call, Order
from tests.faults.machine.clock import VirtualLoop
from tests.faults.machine.nestings import Leaf, Spec, World, names_of, specs
from tests.faults.machine.redis import MODES, Mode, TimedRedis
from tests.faults.machine.vendor import BREAKS, ENDINGS, SILENCE, Fate

PATIENCE = 5000.0
"""Seconds after which all calls are over, all cooldowns have ended (an hour at most), and all limits are full."""

# The seconds of deadlines and of delays are such that no two sums of them are equal: at the same instant, either of two
# events may win.
timeouts = st.sampled_from([None, 0.51, 2.03, 7.07, 20.11])
latencies = st.sampled_from([0.0, 0.13, 1.37, 4.41])

bad_statuses = st.sampled_from([400, 401, 404, 408, 429, 500, 503, 529])
fates = st.one_of(
    st.builds(
        Fate,
        status=bad_statuses,
        retry_after=st.sampled_from([None, '0', '1', '30', '31536000', '1e306']),
        latency=latencies,
    ),
    st.builds(Fate, refuses=st.booleans()),
    st.builds(Fate, latency=st.just(SILENCE)),
    st.builds(
        Fate,
        latency=latencies,
        pause=latencies,
        breaks=st.sampled_from(BREAKS),
        breaks_after=st.integers(0, 5),
        counts_early=st.booleans(),
    ),
    st.builds(
        Fate,
        latency=latencies,
        pause=latencies,
        ending=st.sampled_from(ENDINGS),
        counts_early=st.booleans(),
        truncated=st.booleans(),
    ),
)
steps = st.integers(1, 30)
orders = st.builds(
    Order,
    stream=st.booleans(),
    timeout=timeouts,
    first_token_timeout=timeouts,
    idle_timeout=timeouts,
    retries=st.integers(0, 2),
    leave_after=st.sampled_from([None, None, None, 1, 3]),
    pace=st.sampled_from([0.0, 0.0, 0.29]),
)


class WrapperMachine(RuleBasedStateMachine):
    """One nesting of wrappers under random faults."""

    redis_server: ClassVar[Any] = None
    """A client of a Redis server; `None` without one."""
    spec: ClassVar[Spec | None] = None
    """The nesting; `None` draws one."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.threads = threading.active_count()
        self.calls: list[Call] = []
        self.redis: TimedRedis | None = None
        if self.redis_server is not None:
            self.redis_server.flushdb()
            self.redis = TimedRedis(self.redis_server)
        self.redis_was_up = True
        self.world = World(self.redis)
        self.model: Model = self.world.build(Leaf())

    @initialize(data=st.data())
    def nest(self, data: st.DataObject) -> None:
        spec = data.draw(specs(redis=self.redis is not None), label='spec') if self.spec is None else self.spec
        self.model = self.world.build(spec)

    # ------------------------------------------------------------------ rules

    @rule(asked=st.lists(orders, min_size=1, max_size=3), planned=st.lists(fates, max_size=4), steps=steps)
    def ask(self, asked: list[Order], planned: list[Fate], steps: int) -> None:
        self.world.vendor.plan.extend(planned)
        for order in asked:
            call = Call(len(self.calls), order)
            self.calls.append(call)
            call.start(self.model, self.loop)
            self.loop.step(steps)

    @rule(order=orders, fate=fates, seconds=st.sampled_from([0.0, 2.9, 31.7]))
    def ask_broken_leaves(self, order: Order, fate: Fate, seconds: float) -> None:
        """Ask while each leaf fails, for a while."""
        self.world.vendor.standing = dict.fromkeys(names_of(self.model), fate)
        self.ask([order], [], 1)
        self.loop.run_for(seconds)
        self.world.vendor.standing.clear()

    @rule(fate=fates, data=st.data())
    def break_leaf(self, fate: Fate, data: st.DataObject) -> None:
        self.world.vendor.standing[data.draw(st.sampled_from(names_of(self.model)), label='leaf')] = fate

    @rule()
    def heal_leaves(self) -> None:
        self.world.vendor.standing.clear()

    @rule(steps=steps)
    def step(self, steps: int) -> None:
        self.loop.step(steps)

    @rule()
    def settle(self) -> None:
        self.loop.settle()

    @rule(seconds=st.sampled_from([0.07, 0.97, 3.17, 11.3, 61.9, 601.0]))
    def wait(self, seconds: float) -> None:
        self.loop.run_for(seconds)

    @precondition(lambda self: any(not call.task.done() for call in self.calls))
    @rule(data=st.data(), twice=st.booleans())
    def cancel(self, data: st.DataObject, twice: bool) -> None:
        call = data.draw(st.sampled_from([call for call in self.calls if not call.task.done()]), label='call')
        call.left = True
        call.task.cancel()
        if twice:
            self.loop.step(1)
            call.task.cancel()

    @precondition(lambda self: any(call.stream is not None and not call.task.done() for call in self.calls))
    @rule(data=st.data())
    def cancel_stream_elsewhere(self, data: st.DataObject) -> None:
        streamed = [call for call in self.calls if call.stream is not None and not call.task.done()]
        call = data.draw(st.sampled_from(streamed), label='call')
        assert call.stream is not None
        call.left = True
        self.loop.create_task(call.stream.cancel())

    @precondition(lambda self: self.redis is not None)
    @rule(mode=st.sampled_from(MODES))
    def change_redis(self, mode: Mode) -> None:
        assert self.redis is not None
        self.redis.mode = mode
        self.redis_was_up = False

    @precondition(lambda self: self.redis is not None)
    @rule(seconds=st.sampled_from([-100_000.0, -30.0, 30.0, 100_000.0]))
    def step_clock_of_redis(self, seconds: float) -> None:
        assert self.redis is not None
        self.redis.offset += seconds

    @precondition(lambda self: self.redis is not None)
    @rule(value=st.sampled_from(['', 'abc', 'nan', 'inf', '-inf', '1e999']), kind=st.sampled_from(['value', 'type']))
    def poison_redis(self, value: str, kind: Any) -> None:
        assert self.redis is not None
        self.redis.poison(value, kind)

    # ------------------------------------------------------------------ invariants

    @invariant()
    def all_is_right(self) -> None:
        self.calls_that_are_over_are_right()
        self.limits_hold()
        assert not self.loop.errors, self.loop.errors

    def calls_that_are_over_are_right(self) -> None:
        for call in self.calls:
            if call.task.done() and not call.checked:
                call.check(self._visits_of(call))

    def limits_hold(self) -> None:
        open_visits = [visit.leaf for visit in self.world.vendor.visits if visit.is_open]
        for leaves, limit in self.world.concurrency:
            count = sum(leaf in leaves for leaf in open_visits)
            assert count <= limit, f'{count} requests to {sorted(leaves)} are open, with a limit of {limit}'
        for leaf, per_minute in self.world.per_minute:
            arrived = [visit.arrived for visit in self.world.vendor.visits if visit.leaf == leaf]
            for first, began in enumerate(arrived):
                for last, ended in enumerate(arrived[first:], first):
                    allowed = per_minute * (1 + (ended - began) / 60) + 1e-6
                    assert last - first + 1 <= allowed, f'{leaf}: {last - first + 1} requests in {ended - began:.1f} s'

    # ------------------------------------------------------------------ the end

    def teardown(self) -> None:
        try:
            self._stop_faults()
            self._check_nothing_is_left()
            self._check_next_request()
            self._check_routers()
            self.all_is_right()
        finally:
            self._close()

    def _stop_faults(self) -> None:
        vendor = self.world.vendor
        vendor.plan.clear()
        vendor.standing.clear()
        if self.redis is not None:
            self.redis.mode = 'up'
            self.redis.remove_poison()
        self.loop.run_for(PATIENCE)
        waiting = {call.number: describe_wait(call.task) for call in self.calls if not call.task.done()}
        assert not waiting, f'calls do not end: {waiting}'
        self.all_is_right()

    def _check_nothing_is_left(self) -> None:
        gc.collect(0)
        self.loop.run_for(1)
        assert not asyncio.all_tasks(self.loop), asyncio.all_tasks(self.loop)
        assert not [visit for visit in self.world.vendor.visits if visit.is_open], 'a connection is open'
        for limited in self.world.limits:
            assert (limited.under_way, limited.waiting) == (0, 0), f'{limited}: {limited.under_way}, {limited.waiting}'
        for rated in self.world.rates:
            assert rated.waiting == 0, rated
        for router in self.world.routers:
            assert len(router.queue) == 0, router
        assert threading.active_count() == self.threads

    def _ask_now(self, *, stream: bool) -> Call:
        call = Call(len(self.calls), Order(stream=stream))
        self.calls.append(call)
        call.start(self.model, self.loop)
        self.loop.run_for(PATIENCE)
        assert call.task.done(), 'the next request hangs'
        call.check(self._visits_of(call))
        return call

    def _check_next_request(self) -> None:
        """Check that the next request succeeds at once.

        If the clock of Redis went back, a cooldown begins again when a request finds it.
        """
        self._ask_now(stream=False)
        for stream in (False, True):
            call = self._ask_now(stream=stream)
            visits = self._visits_of(call)
            assert call.error is None, f'the next request failed: {call.error!r}'
            assert len(visits) == 1, visits
            assert call.response is not None
            assert not call.response.warnings, call.response

    def _check_routers(self) -> None:
        """Check that no slot is taken and nothing cools down; the first look at a cooldown may begin it again."""
        for _ in range(2):
            statuses = [self._run(router.state.status(names_of_deployments(router))) for router in self.world.routers]
            self.loop.run_for(PATIENCE)
        for router, status in zip(self.world.routers, statuses, strict=True):
            taken = {name: each.under_way for name, each in status.items() if each.under_way}
            assert not taken, f'slots are taken: {taken}'
            cooling = {name: each.cooldown for name, each in status.items() if each.cooldown}
            assert not cooling, f'deployments cool down: {cooling}'
            if isinstance(router.state, RedisState):
                assert not router.state._unreleased, 'slots wait for their release'  # pyright: ignore[reportPrivateUsage]

    def _run(self, work: Any) -> Any:
        task = self.loop.create_task(work)
        self.loop.run_for(10)
        return task.result()

    def _visits_of(self, call: Call) -> list[Any]:
        return [visit for visit in self.world.vendor.visits if visit.caller == call.number]

    def _close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self._run(self.world.provider.connection.aclose())
        self._run(self.loop.shutdown_asyncgens())
        self.loop.close()


def names_of_deployments(router: RouterModel) -> list[str]:
    return [deployment.name for deployment in router.deployments]


def describe_wait(task: asyncio.Task[Any]) -> list[str]:
    """Return the functions that a task waits in, from the outermost on."""
    found, awaited = list[str](), task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, 'cr_frame', None) or getattr(awaited, 'ag_frame', None)
        found.append(f'{getattr(awaited, "__qualname__", awaited)}:{frame.f_lineno if frame else ""}')
        awaited = getattr(awaited, 'cr_await', None) or getattr(awaited, 'ag_await', None)
    return found
