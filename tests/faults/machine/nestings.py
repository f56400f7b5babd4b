"""Random wrappers around each other. A `Spec` describes a tree of models, and `World` builds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
from hypothesis import strategies as st
from openai import AsyncOpenAI

from pydantic_llm.models import Model
from pydantic_llm.models.cached import CachedModel
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel, MidStream
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.rate_limit import RateLimitedModel
from pydantic_llm.models.router import Deployment, RouterModel, Strategy
from pydantic_llm.models.router.redis_state import RedisState
from pydantic_llm.models.router.state import MemoryState, RouterState
from pydantic_llm.models.wrapper import WrapperModel
from pydantic_llm.providers.openai import OpenAIProvider
from tests.faults.machine.redis import TimedRedis
from tests.faults.machine.vendor import ShortRepr, Vendor

MID_STREAM: tuple[MidStream, ...] = ('raise', 'restart', 'continue')
STRATEGIES: tuple[Strategy, ...] = ('shuffle', 'least_busy', 'lowest_latency', 'sticky')

Spec = Any
"""A description of a model: one of the classes below."""


@dataclass(frozen=True, repr=False)
class Leaf(ShortRepr):
    """A model at the vendor."""


@dataclass(frozen=True, repr=False)
class Plain(ShortRepr):
    """A wrapper that changes nothing."""

    inner: Spec


@dataclass(frozen=True, repr=False)
class Cached(ShortRepr):
    """A cache in memory. All requests of a test differ, so it must change nothing."""

    inner: Spec
    single_flight: bool = True


@dataclass(frozen=True, repr=False)
class Concurrent(ShortRepr):
    """A limit of concurrent requests."""

    inner: Spec
    limit: int = 1
    max_queue: int | None = None


@dataclass(frozen=True, repr=False)
class Rated(ShortRepr):
    """A limit of requests per minute."""

    inner: Spec
    requests: int = 30
    tokens: int | None = None


@dataclass(frozen=True, repr=False)
class Fallback(ShortRepr):
    """Models in order."""

    members: tuple[Spec, ...]
    mid_stream: MidStream = 'raise'
    attempt_timeout: float | None = None


@dataclass(frozen=True, repr=False)
class Place(ShortRepr):
    """A deployment."""

    inner: Spec
    concurrency: int | None = None
    requests: int | None = None


@dataclass(frozen=True, repr=False)
class Router(ShortRepr):
    """Groups of deployments."""

    groups: tuple[tuple[Place, ...], ...]
    strategy: Strategy = 'shuffle'
    mid_stream: MidStream = 'raise'
    cooldown: float = 5.0
    max_wait: float | None = None
    shared: bool = False


@cache
def specs(*, redis: bool) -> st.SearchStrategy[Spec]:
    """Return the strategy of nestings."""
    mid_stream = st.sampled_from(MID_STREAM)

    def around(inner: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
        places = st.builds(Place, inner, st.sampled_from([None, 1, 2]), st.sampled_from([None, 6]))
        groups = st.lists(st.lists(places, min_size=1, max_size=2).map(tuple), min_size=1, max_size=2).map(tuple)
        return st.one_of(
            st.builds(Concurrent, inner, st.integers(1, 2), st.sampled_from([None, 0, 1])),
            st.builds(Rated, inner, st.sampled_from([2, 6, 60]), st.sampled_from([None, 5000])),
            st.builds(
                Fallback,
                st.lists(inner, min_size=1, max_size=3).map(tuple),
                mid_stream,
                st.sampled_from([None, 1.7, 3.3]),
            ),
            st.builds(
                Router,
                groups,
                st.sampled_from(STRATEGIES),
                mid_stream,
                st.sampled_from([0.0, 5.0]),
                st.sampled_from([None, 0.0, 2.9]),
                st.sampled_from([False, True] if redis else [False]),
            ),
            st.builds(Plain, inner),
            st.builds(Cached, inner, st.booleans()),
        )

    usual = Fallback((Router(((Place(Rated(Concurrent(Leaf()))), Place(Leaf())),), shared=redis), Leaf()))
    return st.one_of(st.just(usual), st.recursive(st.just(Leaf()), around, max_leaves=5))


class World:
    """The models of one test, with their vendor and their Redis."""

    def __init__(self, redis: TimedRedis | None, url: str | None = None) -> None:
        self.vendor = Vendor()
        self.redis = redis
        http_client = httpx2.AsyncClient(transport=self.vendor) if url is None else None
        base_url = f'{url or "http://vendor.example"}/v1'
        client = AsyncOpenAI(api_key='k', base_url=base_url, http_client=http_client, max_retries=0)
        client._platform = 'Linux'  # otherwise the SDK looks it up in a thread, for which virtual time does not wait
        self.provider = OpenAIProvider(openai_client=client)
        self.leaves = 0
        self.limits: list[ConcurrencyLimitedModel] = []
        self.rates: list[RateLimitedModel] = []
        self.routers: list[RouterModel] = []
        self.concurrency: list[tuple[frozenset[str], int]] = []
        """Sets of leaves that may have this number of open requests at a time."""
        self.per_minute: list[tuple[str, float]] = []
        """Leaves that may get this number of requests in a minute."""

    def build(self, spec: Spec) -> Model:
        match spec:
            case Leaf():
                self.leaves += 1
                return OpenAIChatModel(f'leaf-{self.leaves}', provider=self.provider)
            case Plain(inner):
                return WrapperModel(self.build(inner))
            case Cached(inner, single_flight):
                return CachedModel(self.build(inner), single_flight=single_flight)
            case Concurrent(inner, limit, max_queue):
                model = ConcurrencyLimitedModel(self.build(inner), limit=limit, max_queue=max_queue)
                self.limits.append(model)
                self.concurrency.append((frozenset(names_of(model)), limit))
                return model
            case Rated(inner, requests, tokens):
                built = self.build(inner)
                if is_single(inner):
                    self.per_minute.append((names_of(built)[0], requests))
                self.rates.append(RateLimitedModel(built, requests_per_minute=requests, tokens_per_minute=tokens))
                return self.rates[-1]
            case Fallback(members, mid_stream, attempt_timeout):
                models = [self.build(member) for member in members]
                return FallbackModel(*models, mid_stream=mid_stream, attempt_timeout=attempt_timeout)
            case _:
                return self._build_router(spec)

    def _build_router(self, spec: Router) -> Model:
        groups = [[self._build_deployment(place, shared=spec.shared) for place in group] for group in spec.groups]
        router = RouterModel(
            groups[0],
            fallbacks=groups[1:],
            strategy=spec.strategy,
            mid_stream=spec.mid_stream,
            cooldown=spec.cooldown,
            max_wait=spec.max_wait,
            state=self._new_state(f'router-{len(self.routers)}') if spec.shared else MemoryState(),
        )
        self.routers.append(router)
        return router

    def _build_deployment(self, place: Place, *, shared: bool) -> Deployment:
        built = self.build(place.inner)
        if place.concurrency is not None and not shared:
            self.concurrency.append((frozenset(names_of(built)), place.concurrency))
        if place.requests is not None and not shared and is_single(place.inner):
            self.per_minute.append((names_of(built)[0], place.requests))
        name = f'{built.model_id}-{self.leaves}'
        return Deployment(built, name=name, concurrency=place.concurrency, requests_per_minute=place.requests)

    def _new_state(self, prefix: str) -> RouterState:
        assert self.redis is not None, 'shared routers are drawn only with a Redis'
        state = RedisState('redis://127.0.0.1:1', prefix=prefix)
        state._clients = self.redis  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage] -- the clock of the test
        return state


def names_of(model: Model) -> list[str]:
    """Return the names of the leaves of a model."""
    return [leaf.model_name for leaf in leaves_of(model)]


def leaves_of(model: Model) -> Iterator[Model]:
    """Yield the models at the vendor inside a model."""
    inner = model.members if isinstance(model, (FallbackModel, RouterModel)) else ()
    if isinstance(model, WrapperModel):
        inner = (model.wrapped,)
    if not inner:
        yield model
    for member in inner:
        yield from leaves_of(member)


def is_single(spec: Spec) -> bool:
    """Return whether each request to a model is at most one request to the vendor."""
    return isinstance(spec, Leaf) or (isinstance(spec, (Plain, Concurrent)) and is_single(spec.inner))
