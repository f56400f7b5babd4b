"""The pages "from smolagents", "from LiteLLM" and "from the OpenAI SDK": the names on the right exist."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import pydantic_llm
from pydantic_llm.agent.agent import Agent
from pydantic_llm.agent.options import RunOptions
from pydantic_llm.exceptions import ModelHTTPError
from pydantic_llm.messages import ModelResponse, ToolCallPart
from pydantic_llm.models.bedrock import BedrockModelSettings
from pydantic_llm.models.local import LocalOptions
from pydantic_llm.models.mlx import MLXModel
from pydantic_llm.models.openai import OpenAIChatModelSettings, OpenAIResponsesModelSettings
from pydantic_llm.models.options import ServerOptions
from pydantic_llm.models.transformers import TransformersModel
from pydantic_llm.models.vllm import VLLMModel
from pydantic_llm.usage import RequestUsage

DOCS = Path(__file__).parents[1] / 'docs'
PAGES = ['from-smolagents.md', 'from-litellm.md', 'from-openai.md']
ROW = re.compile(r'^\| (.+?) \| (.+) \|$', re.MULTILINE)
CODE = re.compile(r'`([^`]+)`')

SMOLAGENTS = {
    *('Model', 'TransformersModel', 'InferenceClientModel', 'HfApiModel', 'LiteLLMModel', 'LiteLLMRouterModel'),
    *('OpenAIServerModel', 'AzureOpenAIServerModel', 'AmazonBedrockServerModel', 'MLXModel', 'VLLMModel'),
    *('model_id', 'device_map', 'torch_dtype', 'trust_remote_code', 'max_new_tokens', 'device', 'provider', 'token'),
    *('timeout', 'client_kwargs', 'custom_role_conversions', 'api_key', 'api_base', 'flatten_messages_as_text'),
    *('model_list', 'organization', 'project', 'azure_endpoint', 'api_version', 'client', 'tool_name_key'),
    *('tool_arguments_key', 'model_kwargs', 'stop_sequences', 'grammar', 'guardrailConfig', 'inferenceConfig'),
    *('temperature', 'max_tokens', 'CodeAgent', 'DuckDuckGoSearchTool'),
}
"""The classes and parameters of smolagents' page on models."""


def rows(page: str) -> list[tuple[str, str]]:
    found = ROW.findall((DOCS / page).read_text(encoding='utf-8'))
    return [(old, new) for old, new in found if not set(old) <= {'-', ' '} and new != 'here']


def spans(cell: str) -> list[str]:
    return CODE.findall(cell)


@cache
def classes_and_functions() -> dict[str, Any]:
    """Return everything that the public modules export, by name."""
    names: dict[str, Any] = {name: getattr(pydantic_llm, name) for name in pydantic_llm.__all__}
    for module in pkgutil.walk_packages(pydantic_llm.__path__, 'pydantic_llm.'):
        if '._' in module.name or '__main__' in module.name or '.cli' in module.name:
            continue
        imported = importlib.import_module(module.name)
        names |= {name: getattr(imported, name) for name in getattr(imported, '__all__', ())}
    return names


@cache
def parameters() -> set[str]:
    """Return the names of the parameters and settings that the pages may name without their class."""
    kinds = (Agent, TransformersModel, MLXModel, VLLMModel, *map(classes_and_functions().get, ('OpenAIChatModel',)))
    found = {name for kind in kinds for name in inspect.signature(kind).parameters}
    typed = (ServerOptions, LocalOptions, RunOptions, OpenAIChatModelSettings, OpenAIResponsesModelSettings)
    return found.union(*(kind.__annotations__ for kind in (*typed, BedrockModelSettings)))


def names_of(span: str) -> list[str]:
    """Return the names of a span that must exist: classes, functions, and keywords with the class that takes them."""
    return re.findall(r'\b([A-Z][A-Za-z]+)\b(?!:)', re.sub(r"'[^']*'", "''", span))


@pytest.mark.parametrize('page', PAGES)
def test_each_class_and_function_exists(page: str) -> None:
    known = classes_and_functions()
    builtin = {'True', 'False', 'None', 'TypeError'}
    attributes = parameters() | set(inspect.signature(ModelHTTPError).parameters)
    for old, new in rows(page):
        if 'stays with' in new:
            continue
        spelled = [span for span in spans(new) if not span.startswith(('pip ', "'"))]
        missing = [name for span in spelled for name in names_of(span) if name not in known and name not in builtin]
        assert missing == [], (old, new)
        functions = [span for span in spelled if re.fullmatch(r'[a-z]+(_[a-z]+)+', span)]
        assert [name for name in functions if name not in known and name not in attributes] == [], (old, new)


@pytest.mark.parametrize('page', PAGES)
def test_each_keyword_is_a_parameter_of_its_class(page: str) -> None:
    for old, new in rows(page):
        for span in spans(new):
            for owner, inside in re.findall(r'\b([A-Z]\w+)\(([^()]*)', span):
                kind = classes_and_functions()[owner]
                taken = {*inspect.signature(kind).parameters, *ServerOptions.__annotations__}
                keywords = re.findall(r'(\w+)=', re.sub(r"'[^']*'", '', inside))
                assert set(keywords) <= taken, (old, span)
        alone = [keyword for span in spans(new) for keyword in re.findall(r'^(\w+)=', span)]
        assert set(alone) <= parameters() | {'provider'}, (old, new)


@pytest.mark.parametrize('page', PAGES)
def test_a_name_that_is_the_same_exists_here(page: str) -> None:
    for old, new in rows(page):
        if new.startswith('the same') and 'names' not in new:
            same = {keyword for span in spans(old) for keyword in re.findall(r'^(\w+)=', span)}
            assert same <= parameters() | {'model_list', 'client_kwargs'}, (old, new)


@pytest.mark.parametrize('page', PAGES)
def test_each_attribute_exists(page: str) -> None:
    owners = {'response': ModelResponse, 'call': ToolCallPart, 'usage': RequestUsage}
    for old, new in rows(page):
        for owner, name, nested in re.findall(r'`(response|call)\.(\w+)(?:\.(\w+))?', new):
            assert hasattr(owners[owner], name) or name in owners[owner].__dataclass_fields__, (old, new)
            assert not nested or nested in RequestUsage.__dataclass_fields__, (old, new)


def test_the_page_on_smolagents_has_every_class_and_parameter() -> None:
    left = ' '.join(old for old, _ in rows('from-smolagents.md'))
    assert [name for name in sorted(SMOLAGENTS) if not re.search(rf'\b{name}\b', left)] == []


@pytest.mark.parametrize('resource', ['chat.completions', 'responses'])
def test_the_page_on_the_openai_sdk_has_every_parameter_of_a_request(resource: str) -> None:
    """Those that the SDK has now; a parameter of a later version is a row of the page."""
    module = pytest.importorskip(f'openai.resources.{resource}')
    owner = getattr(module, resource.rpartition('.')[2].title())
    left = ' '.join(old for old, _ in rows('from-openai.md'))
    parameters = inspect.signature(owner.create).parameters.keys() - {'self', 'stream', 'model', 'messages'}
    assert [name for name in sorted(parameters) if not re.search(rf'\b{name}=', left)] == []
