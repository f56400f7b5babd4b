"""Models for the tests of bridges: the same function in this process, and behind the rooms of two vendors.

The tests need the frameworks: `make test-bridges` makes an environment with them. Elsewhere they are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from pydantic_llm.models import Model
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.function import FunctionDef, FunctionModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import LocalServer, create_app

ModelMaker = Callable[[FunctionDef], Model]
"""Builds a model whose responses come from a function."""

ROOMS = ('function', 'openai', 'anthropic')


@pytest.fixture(params=ROOMS)
def make_model(request: pytest.FixtureRequest) -> Iterator[ModelMaker]:
    """Build models in this process, or in a server on this machine that speaks a vendor's API."""
    with ExitStack() as stack:

        def make(function: FunctionDef) -> Model:
            model = FunctionModel(function, model_name='gpt-4o')
            if request.param == 'function':
                return model
            url = stack.enter_context(LocalServer(create_app(model)))
            if request.param == 'openai':
                return OpenAIChatModel('gpt-4o', provider=OpenAIProvider(base_url=f'{url}/v1', api_key='key'))
            return AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(base_url=url, api_key='key'))

        yield make
