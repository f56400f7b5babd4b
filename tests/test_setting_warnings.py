"""A misspelt setting is a Python warning at the line of the application, in addition to `response.warnings`."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from pydantic_llm import Agent
from pydantic_llm.direct import (
    model_request,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
)
from pydantic_llm.exceptions import ModelConnectionError, UnknownSettingWarning
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import Model
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.test import TestModel

MISSPELT: Any = {'temprature': 1, 'retries': 0}


def respond(*_: Any) -> ModelResponse:
    return ModelResponse([TextPart('Hello')])


MODELS: dict[str, Callable[[], Model]] = {
    'test': TestModel,
    'function': lambda: FunctionModel(respond),
    'fallback': lambda: FallbackModel(TestModel()),
    'openai': lambda: OpenAIChatModel('gpt-4o', base_url='http://127.0.0.1:9/v1'),
}


def run_sync(model: Model) -> int:
    Agent(model).run_sync('Hi', model_settings=MISSPELT)
    return find_line()


def run_stream_sync(model: Model) -> int:
    with Agent(model).run_stream_sync('Hi', model_settings=MISSPELT) as stream:
        stream.get_output()
    return find_line()


def direct(model: Model) -> int:
    model_request_sync(model, 'Hi', model_settings=MISSPELT)
    return find_line()


def direct_stream(model: Model) -> int:
    with model_request_stream_sync(model, 'Hi', model_settings=MISSPELT) as stream:
        list(stream)
    return find_line()


def awaited(model: Model) -> int:
    async def main() -> None:
        with suppress(ModelConnectionError):
            await Agent(model).run('Hi', model_settings=MISSPELT)
        with suppress(ModelConnectionError):
            async with Agent(model).run_stream('Hi', model_settings=MISSPELT) as run:
                await run.get_output()
        with suppress(ModelConnectionError):
            await model_request(model, 'Hi', model_settings=MISSPELT)
        with suppress(ModelConnectionError):
            async with model_request_stream(model, 'Hi', model_settings=MISSPELT) as stream:
                async for _ in stream:
                    pass
        with suppress(ModelConnectionError):
            await model.request([ModelRequest.user_text_prompt('Hi')], MISSPELT)

    asyncio.run(main())
    return find_line()


def find_line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


DOORS = [run_sync, run_stream_sync, direct, direct_stream, awaited]


@pytest.mark.parametrize('door', DOORS)
@pytest.mark.parametrize('name', MODELS)
def test_a_misspelt_setting_is_a_warning_at_the_line_of_the_caller(name: str, door: Callable[[Model], int]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        with suppress(ModelConnectionError):
            door(MODELS[name]())
    code, start = inspect.getsourcelines(door)
    assert caught
    for warning in caught:
        assert warning.category is UnknownSettingWarning
        assert str(warning.message) == (
            "There is no setting 'temprature', so it is not sent; did you mean 'temperature'?"
        )
        assert warning.filename == __file__
        assert start <= warning.lineno < start + len(code)


def test_a_model_for_tests_reports_a_misspelt_setting_like_any_other() -> None:
    for model in (TestModel(), FunctionModel(respond)):
        with pytest.warns(UnknownSettingWarning, match='temprature'):
            response = Agent(model).run_sync('Hi', model_settings=MISSPELT).response
        assert (response.warnings != []) is isinstance(model, TestModel)  # a function returns its own


@pytest.mark.parametrize(
    'settings',
    [
        {'anthropic_thinking': {'type': 'adaptive'}},
        {'gemini_safety_settings': []},
        {'temprature': 1, 'unsupported_settings': 'drop'},
    ],
)
def test_a_setting_of_another_vendor_and_one_that_may_be_dropped_are_no_warnings(settings: Any) -> None:
    Agent(TestModel()).run_sync('Hi', model_settings=settings)
