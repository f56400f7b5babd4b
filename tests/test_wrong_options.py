"""Every value of a parameter of a wrapper, a store, a batch or the gateway is accepted, or refused by its name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.batches import BatchRequest, batch_requests, get_batch
from pydantic_llm.exceptions import UserError
from pydantic_llm.models.cached import CachedModel, MemoryCache, RedisCache, SQLiteCache
from pydantic_llm.models.instrumented import InstrumentationSettings, InstrumentedModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.recorded import RecordingModel, ReplayModel
from pydantic_llm.models.router import Deployment, RouterModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import BatchOptions, GatewayKey, create_app

LARGE = 10**400

VALUES: list[Any] = [
    *(None, True, 0, -1, 5, 1.5, math.nan, math.inf, -math.inf, LARGE, '', 'x', '\ud800', '\0', b'x'),
    *([], [1], ('a', 'b'), {}, {'a': 1}, {1: 2}, object(), int),
]

MODEL = TestModel()
DEPLOYMENTS = [Deployment(MODEL, name='a'), Deployment(MODEL, name='b')]

TARGETS: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (CachedModel, {'wrapped': MODEL}),
    (MemoryCache, {}),
    (SQLiteCache, {'path': 'cache.db'}),
    (RedisCache, {'url': 'redis://localhost'}),
    (RecordingModel, {'wrapped': MODEL, 'path': 'recording.json'}),
    (ReplayModel, {'path': 'missing.json'}),
    (InstrumentationSettings, {}),
    (InstrumentedModel, {'wrapped': MODEL}),
    (RouterModel, {'deployments': DEPLOYMENTS}),
    (Deployment, {'model': MODEL}),
    (BatchOptions, {}),
    (GatewayKey, {'name': 'alice', 'key': 'secret'}),
    (create_app, {'models': MODEL}),
]

CASES = [(target, given, name) for target, given in TARGETS for name in inspect.signature(target).parameters]


@pytest.mark.parametrize(('target', 'given', 'name'), CASES, ids=lambda value: getattr(value, '__name__', str(value)))
def test_a_value_of_an_option_is_accepted_or_refused(
    target: Callable[..., Any], given: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in VALUES:
        if (name, value) == ('redact', int):
            continue  # a function, though one that fails
        with suppress(UserError):
            target(**{**given, name: value})


@pytest.mark.parametrize(
    ('target', 'options', 'message'),
    [
        (SQLiteCache, {'path': None}, 'path'),
        (ReplayModel, {'path': None}, 'path'),
        (RecordingModel, {'wrapped': MODEL, 'path': None}, 'path'),
        (GatewayKey, {'name': None, 'key': 'secret'}, 'name'),
        (CachedModel, {'wrapped': MODEL, 'ttl': LARGE}, 'ttl is too large'),
        (MemoryCache, {'max_bytes': math.nan}, 'max_bytes is nan'),
        (BatchOptions, {'expire_after': math.inf}, 'expire_after is inf'),
        (InstrumentationSettings, {'meter_provider': 5}, 'meter_provider takes an object with the method get_meter'),
        (RouterModel, {'deployments': DEPLOYMENTS, 'fallbacks': 5}, 'fallbacks'),
        (create_app, {'models': MODEL, 'aliases': 5}, 'aliases'),
        (create_app, {'models': MODEL, 'prices': 5}, 'prices'),
        (create_app, {'models': MODEL, 'max_body_bytes': -1}, 'max_body_bytes is -1'),
    ],
)
def test_a_wrong_option_is_named(target: Callable[..., Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f'^{message}'):
        target(**options)


async def test_a_wrong_request_of_a_batch_is_named_before_anything_is_sent() -> None:
    model = OpenAIChatModel('gpt-4o', provider=OpenAIProvider(base_url='http://127.0.0.1:9/v1', api_key='k'))
    for wrong in (None, 5, BatchRequest('Hi', id='\ud800'), BatchRequest('Hi', id=5)):  # type: ignore[arg-type]
        with pytest.raises(UserError, match=r'^requests\[1\]'):
            await batch_requests(model, ['Hi', wrong])  # type: ignore[list-item]
    with pytest.raises(UserError, match=r'^id'):
        await get_batch(model, None)  # type: ignore[arg-type]
