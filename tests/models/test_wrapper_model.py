"""`WrapperModel`: everything passes through, and a subclass changes one thing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pydantic_llm import Agent
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import Model, ModelRequestParameters
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.models.wrapper import WrapperModel
from pydantic_llm.profiles import DEFAULT_PROFILE, ModelProfile
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools.definition import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello')]
PARAMETERS = ModelRequestParameters(function_tools=[ToolDefinition('clock')])


class Inner(TestModel):
    """A model with a value for every attribute, which records how it is used."""

    def __init__(self) -> None:
        super().__init__(settings={'temperature': 0.5}, profile={'supports_thinking': True})
        self.closed = 0
        self.streams: list[Any] = []

    @property
    def system(self) -> str:
        return 'inner'

    @property
    def base_url(self) -> str:
        return 'https://inner.example'

    @asynccontextmanager
    async def request_stream(self, *request: Any) -> Any:
        self.streams.append(request)
        async with super().request_stream(*request) as stream:
            yield stream

    async def aclose(self) -> None:
        self.closed += 1


def test_the_attributes_of_a_model_pass_through() -> None:
    inner = Inner()
    model = WrapperModel(inner)
    assert model.wrapped is inner
    assert (model.model_name, model.system, model.model_id) == ('test', 'inner', 'inner:test')
    assert (model.base_url, model.settings) == ('https://inner.example', {'temperature': 0.5})
    assert model.profile is inner.profile
    assert model.profile.supports_thinking
    assert repr(model) == "WrapperModel(Inner('test'))"


async def test_a_request_passes_through() -> None:
    inner = Inner()
    model = WrapperModel(inner)
    response = await model.request(HELLO, {'max_tokens': 3}, PARAMETERS)
    assert response.tool_calls[0].tool_name == 'clock'
    assert inner.last_messages == HELLO
    assert inner.last_model_settings == {'temperature': 0.5, 'max_tokens': 3}
    assert inner.last_model_request_parameters is PARAMETERS


async def test_a_stream_passes_through() -> None:
    inner = Inner()
    settings: ModelSettings = {'max_tokens': 3}
    async with WrapperModel(inner).request_stream(HELLO, settings, PARAMETERS) as stream:
        assert [event.event_kind async for event in stream] == ['part_start', 'part_end']
    assert stream.get().state == 'complete'
    assert inner.streams == [(HELLO, settings, PARAMETERS)]


async def test_leaving_a_stream_closes_the_inner_stream() -> None:
    async with WrapperModel(Inner()).request_stream(HELLO) as stream:
        await anext(stream)
    assert (stream.get().state, stream.cancelled) == ('interrupted', True)


async def test_closing_passes_through() -> None:
    inner = Inner()
    async with WrapperModel(inner) as model:
        assert isinstance(model, WrapperModel)
    await model.aclose()
    assert inner.closed == 2


def test_unknown_attributes_are_those_of_the_inner_model() -> None:
    inner = Inner()
    model = WrapperModel(WrapperModel(inner))
    assert (model.seed, model.streams) == (0, [])
    with pytest.raises(AttributeError, match="'Inner' object has no attribute 'nothing'"):
        _ = model.nothing


def test_the_id_of_a_model_that_makes_its_own_passes_through() -> None:
    model = FallbackModel(TestModel(model_name='a'), TestModel(model_name='b'))
    assert WrapperModel(model).model_id == model.model_id == 'fallback:test:a,test:b'
    assert WrapperModel(WrapperModel(model)).model_id == model.model_id
    assert ConcurrencyLimitedModel(model, limit=1).model_id == model.model_id


class Forgetful(WrapperModel):
    """Does not call the `__init__` of its base class."""

    def __init__(self) -> None:
        pass


def test_a_wrapper_without_a_model_says_so() -> None:
    with pytest.raises(AttributeError, match=r'Forgetful wraps no model yet: call super\(\).__init__\(wrapped\) first'):
        _ = Forgetful().model_name


class Bare(Model):
    """A model whose `__init__` does not call that of its base class."""

    def __init__(self) -> None:
        self.calls = 0

    @property
    def model_name(self) -> str:
        return 'bare'

    async def request(self, *request: Any) -> ModelResponse:
        self.calls += 1
        return ModelResponse([TextPart('Hello')])


async def test_a_model_need_not_call_the_init_of_its_base_class() -> None:
    model = Bare()
    assert (model.settings, model.profile, model.model_id) == (None, DEFAULT_PROFILE, 'bare:bare')
    assert (await Agent(model, model_settings={'temperature': 0.1}).run('Hello')).output == 'Hello'
    async with Agent(WrapperModel(model)).run_stream('Hello') as result:
        assert await result.get_output() == 'Hello'


def test_a_wrapper_can_be_copied_and_pickled() -> None:
    for model in (copy.copy(WrapperModel(TestModel(seed=3))), copy.deepcopy(WrapperModel(TestModel(seed=3)))):
        assert (type(model), model.wrapped.seed) == (WrapperModel, 3)
    assert pickle.loads(pickle.dumps(WrapperModel(TestModel(seed=3)))).seed == 3


def test_a_name_is_replaced_by_its_model() -> None:
    assert isinstance(WrapperModel('test').wrapped, TestModel)
    with pytest.raises(UserError, match='tset'):
        WrapperModel('tset:x')


class Uppercase(WrapperModel):
    """Changes the text of responses."""

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        response = await super().request(messages, model_settings, model_request_parameters)
        return ModelResponse([TextPart((response.text or '').upper())])


class WithoutTools(WrapperModel):
    """Changes the profile and the vendor."""

    @property
    def profile(self) -> ModelProfile:
        return self.wrapped.profile.merge({'supports_tools': False})

    @property
    def system(self) -> str:
        return 'toolless'


async def test_a_subclass_changes_one_thing() -> None:
    model: Model = WithoutTools(Uppercase(Inner()))
    assert (await model.request(HELLO)).text == 'SUCCESS (NO TOOL CALLS)'
    assert (model.model_id, model.profile.supports_tools, model.profile.supports_thinking) == (
        'toolless:test',
        False,
        True,
    )
    async with model.request_stream(HELLO) as stream:
        async for _ in stream:
            pass
    assert stream.get().text == 'success (no tool calls)'
