"""LangChain's own tests of chat models, on a model of this library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

pytest.importorskip('langchain_tests', reason='needs langchain-tests: `make test-bridges` installs it')

import httpx
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from pydantic_llm.ext.langchain import ChatPydanticLLM
from pydantic_llm.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import LocalServer, create_app

NUMBER = re.compile(r'\d+')
UNICODE = re.compile(r'[^\x00-\x7f]+')
JOKE: dict[str, Any] = {'setup': {}, 'punchline': {}}
"""The properties of the object that the tests of JSON without a schema expect."""


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call a tool if there is one and it was not called yet, write JSON if it was asked for, or else talk."""
    last = messages[-1].parts[-1]
    prompt = str(last.content) if isinstance(last, UserPromptPart) else ''
    schema = info.model_request_parameters.output_object
    wants_tool = bool(info.function_tools) and not isinstance(last, ToolReturnPart)
    if wants_tool:
        [tool, *_] = info.function_tools
        return ModelResponse([ToolCallPart(tool.name, invent(tool.parameters_json_schema, prompt))])
    if schema is not None:
        return ModelResponse([TextPart(json.dumps(invent(schema.json_schema, prompt)))])
    return ModelResponse([TextPart('hello, this is a text of several words')])


def invent(schema: dict[str, Any], prompt: str) -> Any:
    """Invent a value of a schema. Numbers are taken from the prompt."""
    schema = next((option for option in schema.get('anyOf', ()) if option.get('type') != 'null'), schema)
    match schema.get('type'):
        case 'object':
            known = schema.get('properties', JOKE)
            return {name: invent(each, prompt) for name, each in known.items()}
        case 'array':
            return [invent(schema.get('items', {}), prompt)]
        case 'integer' | 'number':
            return int(found[0]) if (found := NUMBER.search(prompt)) else 1
        case 'boolean':
            return True
        case _:
            return schema.get('enum', [*UNICODE.findall(prompt), 'text'])[0]


async def stream(messages: list[ModelMessage], info: AgentInfo) -> Any:
    """Stream the same in pieces."""
    for number, part in enumerate(respond(messages, info).parts):
        if isinstance(part, ToolCallPart):
            args = part.args_as_json_str()
            yield {number: DeltaToolCall(part.tool_name, args[:3])}
            yield {number: DeltaToolCall(None, args[3:])}
        elif isinstance(part, TextPart):
            for word in part.content.split(' '):
                yield f'{word} '


MODEL = FunctionModel(respond, stream_function=stream, model_name='talker')


class Standard:
    """What both suites know of the model."""

    chat_model_class: ClassVar[type] = ChatPydanticLLM
    chat_model_params: ClassVar[dict[str, Any]] = {'model': MODEL}
    supports_image_inputs = supports_image_urls = supports_pdf_inputs = supports_audio_inputs = True
    supports_image_tool_message = supports_pdf_tool_message = True
    supports_json_mode = True
    supports_model_override = True
    model_override_value = 'test'


class TestUnits(Standard, ChatModelUnitTests):
    """Those without a request."""


class TestIntegration(Standard, ChatModelIntegrationTests):
    """Those with requests. The files that they download are made here."""

    supports_anthropic_inputs = True

    @pytest.fixture(autouse=True)
    def downloads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv('LANGCHAIN_TESTS_USER_AGENT', 'tests')
        monkeypatch.setattr(httpx, 'get', lambda url, **options: httpx.Response(200, content=b'a file'))


class OverHTTP(Standard):
    """The same suite through the room of a vendor, whose server is on this machine."""

    url: ClassVar[str]

    @pytest.fixture(autouse=True, scope='class')
    @classmethod
    def server(cls) -> Iterator[None]:
        with LocalServer(create_app(MODEL)) as cls.url:
            yield


class TestOpenAI(OverHTTP, TestIntegration):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        provider = OpenAIProvider(base_url=f'{self.url}/v1', api_key='key')
        return {'model': OpenAIChatModel('gpt-4o', provider=provider)}


class TestAnthropic(OverHTTP, TestIntegration):
    supports_audio_inputs = supports_json_mode = False

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            'model': AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(base_url=self.url, api_key='key'))
        }
