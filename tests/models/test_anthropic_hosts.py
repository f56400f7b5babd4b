"""What the servers of other vendors that have Claude refuse of the Messages API."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import CachePoint, TextPart, UploadedFile
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.native_tools import (
    CodeExecutionTool,
    MCPServerTool,
    MemoryTool,
    NativeTool,
    WebFetchTool,
    WebSearchTool,
)
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.tools.definition import ToolDefinition
from tests.models.anthropic_messages import Json, ask, cached, say

CLIENTS: dict[str, Any] = {
    'bedrock': lambda: anthropic.AsyncAnthropicBedrock(aws_region='r', api_key='k'),
    'mantle': lambda: anthropic.AsyncAnthropicBedrockMantle(aws_region='r', api_key='k'),
    'vertex': lambda: anthropic.AsyncAnthropicVertex(region='r', project_id='p', access_token='t'),
    'foundry': lambda: anthropic.AsyncAnthropicFoundry(api_key='k', resource='r'),
    'anthropic': lambda: anthropic.AsyncAnthropic(api_key='k'),
}
WITHOUT_AUTO_CACHE = ('bedrock', 'mantle', 'vertex')
WITH_AUTO_CACHE = ('anthropic', 'foundry')

REFUSED_TOOLS = {
    'bedrock': {'web_search', 'web_fetch', 'code_execution', 'mcp_server'},
    'mantle': {'web_fetch', 'code_execution', 'mcp_server'},
    'vertex': {'web_fetch', 'code_execution', 'mcp_server'},
}

MEMORY = ToolDefinition('memory', {'type': 'object', 'properties': {}})


def make(host: str) -> AnthropicModel:
    return AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(anthropic_client=CLIENTS[host]()))


def encode(host: str, *history: Any, **settings: Any) -> tuple[Json, list[str]]:
    model = make(host)
    request = model.prepare(history or [ask('Hi')], settings)  # type: ignore[arg-type]
    return model.encode(request), request.warnings


def find_marks(body: Json) -> list[Any]:
    blocks = [block for message in body['messages'] for block in message['content']]
    return [block['text'] for block in blocks if 'cache_control' in block]


@pytest.mark.parametrize('host', WITHOUT_AUTO_CACHE)
def test_a_cache_for_everything_marks_the_last_block_at_other_vendors(host: str) -> None:
    """UKGovernmentBEIS/inspect_ai#3851, vercel/ai#13986: `cache_control: Extra inputs are not permitted`."""
    body, warnings = encode(host, ask('one'), say(TextPart('two')), ask('three', 'four'), anthropic_cache='1h')
    assert 'cache_control' not in body
    assert body['messages'][-1]['content'][-1]['cache_control'] == cached('1h')['cache_control']
    assert (find_marks(body), warnings) == (['four'], [])


@pytest.mark.parametrize('host', WITHOUT_AUTO_CACHE)
def test_no_more_marks_are_sent_than_the_api_accepts(host: str) -> None:
    """dust-tt/dust#27109"""
    content = [item for number in range(6) for item in (f'text {number}', CachePoint())]
    body, _ = encode(host, ask([*content, 'end']), anthropic_cache=True)
    assert find_marks(body) == ['text 3', 'text 4', 'text 5', 'end']


@pytest.mark.parametrize('host', WITH_AUTO_CACHE)
def test_a_cache_for_everything_is_one_field_at_anthropic(host: str) -> None:
    body, _ = encode(host, ask('one'), anthropic_cache=True)
    assert body['cache_control'] == cached()['cache_control']
    assert find_marks(body) == []


@pytest.mark.parametrize('host', WITHOUT_AUTO_CACHE)
@pytest.mark.parametrize(
    ('name', 'value', 'field'),
    [
        ('anthropic_speed', 'fast', 'speed'),
        ('anthropic_inference_geo', 'us', 'inference_geo'),
        ('anthropic_container', 'c', 'container'),
    ],
)
def test_settings_that_other_vendors_refuse_are_reported(host: str, name: str, value: str, field: str) -> None:
    body, (warning,) = encode(host, **{name: value})
    assert field not in body
    assert warning == f"'{name}' was not sent: 'claude-sonnet-4-5' does not take it"
    assert encode('anthropic', **{name: value})[0][field] == value


@pytest.mark.parametrize('name', ['service_tier', 'anthropic_service_tier'])
def test_bedrock_has_no_service_tier(name: str) -> None:
    body, warnings = encode('bedrock', **{name: 'auto'})
    assert 'service_tier' not in body
    assert len(warnings) == 1


def test_a_beta_of_a_setting_that_is_not_sent_is_not_sent_either() -> None:
    model = make('bedrock')
    request = model.prepare([ask('Hi')], {'anthropic_speed': 'fast'})  # type: ignore[typeddict-unknown-key]
    assert model._encode_request(request).headers == {}


@pytest.mark.parametrize('host', CLIENTS)
@pytest.mark.parametrize(
    'tool',
    [
        WebSearchTool(),
        WebFetchTool(),
        CodeExecutionTool(),
        MCPServerTool('m', 'https://mcp.example'),
        MemoryTool(),
    ],
    ids=lambda tool: tool.kind,
)
def test_native_tools_that_a_vendor_does_not_run_raise_before_anything_is_sent(host: str, tool: NativeTool) -> None:
    model = make(host)
    request = model.prepare([ask('Hi')], None, ModelRequestParameters([MEMORY], [tool]))
    if tool.kind in REFUSED_TOOLS.get(host, ()):
        with pytest.raises(UserError, match=f'has no native tool {tool.kind!r}'):
            model.encode(request)
    else:
        assert model.encode(request)['tools']


@pytest.mark.parametrize('host', WITHOUT_AUTO_CACHE)
def test_uploaded_files_are_at_anthropic_alone(host: str) -> None:
    file = UploadedFile('f', 'anthropic')
    with pytest.raises(UserError, match='send its bytes or URL'):
        encode(host, ask([file]))
    assert encode('anthropic', ask([file]))[0]['messages']


def test_a_profile_of_ones_own_overrides_what_the_host_refuses() -> None:
    provider = AnthropicProvider(anthropic_client=CLIENTS['bedrock']())
    model = AnthropicModel('claude-sonnet-4-5', provider=provider, profile={'anthropic_auto_cache': True})
    assert 'cache_control' in model.encode(model.prepare([ask('Hi')], {'anthropic_cache': True}))  # type: ignore[typeddict-unknown-key]
