"""The requests of the Messages room without their messages: tools, output, thinking, settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_llm.models import OutputObjectDefinition
from pydantic_llm.native_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    MemoryTool,
    WebFetchTool,
    WebSearchTool,
    WebSearchUserLocation,
)
from pydantic_llm.tools.definition import ToolDefinition
from tests.models.anthropic_messages import (
    CITY,
    FINAL,
    SONNET,
    TIME,
    WEATHER,
    Json,
    Sent,
    ask,
    say,
)

pytestmark = pytest.mark.filterwarnings('ignore:TypedDict class:UserWarning')


# ---------------------------------------------------------------------- tools, output, thinking, settings


def test_a_tool_is_strict_if_it_asks_for_that_and_the_model_supports_it() -> None:
    strict = replace(WEATHER, strict=True)
    closed = {**CITY, 'additionalProperties': False}
    wire = {'name': 'weather', 'description': 'Tells the weather.'}
    assert Sent([ask('hi')], function_tools=[WEATHER, TIME]).body['tools'] == [
        {**wire, 'input_schema': CITY},
        {'name': 'time', 'description': '', 'input_schema': CITY},
    ]
    assert Sent([ask('hi')], function_tools=[strict]).body['tools'] == [
        {**wire, 'input_schema': closed, 'strict': True}
    ]
    old = Sent([ask('hi')], name='claude-sonnet-4-0', function_tools=[strict])
    assert old.body['tools'] == [{**wire, 'input_schema': CITY}]
    assert old.warnings == [
        "the schema of tool 'weather' is not enforced: 'claude-sonnet-4-0' does not support strict=True for it"
    ]


BUDGET, ADAPTIVE, FREE = SONNET, 'claude-opus-4-6', 'claude-fable-5-2'
OUTPUT: Json = {'output_tools': [FINAL], 'output_mode': 'tool', 'allow_text_output': False}


@pytest.mark.parametrize(
    ('settings', 'more', 'choice'),
    [
        ({}, {}, {'type': 'auto'}),
        ({'tool_choice': 'none'}, {}, {'type': 'none'}),
        (
            {'tool_choice': 'required', 'parallel_tool_calls': True},
            {},
            {'type': 'any', 'disable_parallel_tool_use': False},
        ),
        ({'tool_choice': ['time']}, {}, {'type': 'tool', 'name': 'time'}),
        ({'parallel_tool_calls': False}, {}, {'type': 'auto', 'disable_parallel_tool_use': True}),
        ({'tool_choice': 'none', 'parallel_tool_calls': False}, {}, {'type': 'none'}),
        ({}, OUTPUT, {'type': 'any'}),
        ({'tool_choice': 'none'}, OUTPUT, {'type': 'tool', 'name': 'final_result'}),
        ({'thinking': True}, OUTPUT, {'type': 'auto'}),
        ({'thinking': True, 'tool_choice': 'none'}, OUTPUT, {'type': 'auto'}),
        ({'thinking': True}, {**OUTPUT, 'name': ADAPTIVE}, {'type': 'auto'}),
        ({'thinking': True, 'tool_choice': 'required'}, {'name': ADAPTIVE}, {'type': 'any'}),
        ({}, {**OUTPUT, 'name': FREE}, {'type': 'auto'}),
    ],
    ids=repr,
)
def test_tool_choice(settings: Json, more: Json, choice: Json) -> None:
    assert Sent([ask('hi')], settings, function_tools=[WEATHER, TIME], **more).body['tool_choice'] == choice


@pytest.mark.parametrize(('name', 'settings'), [(BUDGET, {'thinking': True}), (FREE, {})])
def test_a_required_tool_call_is_an_error_for_a_model_that_cannot_be_forced(name: str, settings: Json) -> None:
    with pytest.raises(UserError, match=r"cannot be made to call a tool.*use tool_choice='auto'"):
        Sent([ask('hi')], {**settings, 'tool_choice': 'required'}, name=name, function_tools=[WEATHER])


def test_if_several_tools_are_named_the_others_are_dropped() -> None:
    third = ToolDefinition('third', CITY)
    body = Sent([ask('hi')], {'tool_choice': ['time', 'third']}, function_tools=[WEATHER, TIME, third]).body
    assert ([tool['name'] for tool in body['tools']], body['tool_choice']) == (['time', 'third'], {'type': 'any'})


def test_the_schema_of_a_native_output_is_enforced_and_lost_constraints_are_listed() -> None:
    schema = {'type': 'object', 'properties': {'n': {'type': 'integer', 'minimum': 1, 'title': 'N'}}, 'required': ['n']}
    sent = Sent([ask('hi')], output_mode='native', output_object=OutputObjectDefinition(schema, name='Number'))
    wire = {
        'type': 'object',
        'properties': {'n': {'type': 'integer', 'description': '{minimum: 1}'}},
        'required': ['n'],
    }
    assert sent.body['output_config'] == {
        'format': {'type': 'json_schema', 'schema': {**wire, 'additionalProperties': False}}
    }
    assert sent.warnings == ["the schema of output 'Number' can no longer enforce minimum of $.n"]
    with pytest.raises(UserError, match='cannot be held to a JSON schema'):
        Sent([ask('hi')], name='claude-sonnet-4-0', output_mode='native', output_object=OutputObjectDefinition(schema))


@pytest.mark.parametrize(
    ('name', 'level', 'thinking', 'effort'),
    [
        (BUDGET, True, {'type': 'enabled', 'budget_tokens': 10000}, None),
        (BUDGET, 'minimal', {'type': 'enabled', 'budget_tokens': 1024}, None),
        (BUDGET, 'xhigh', {'type': 'enabled', 'budget_tokens': 32768}, None),
        (BUDGET, False, None, None),
        ('claude-opus-4-1', 'xhigh', {'type': 'enabled', 'budget_tokens': 27904}, None),
        ('claude-opus-4-5', 'high', {'type': 'enabled', 'budget_tokens': 16384}, 'high'),
        ('claude-opus-4-5', 'xhigh', {'type': 'enabled', 'budget_tokens': 32768}, 'high'),
        (ADAPTIVE, True, {'type': 'adaptive'}, None),
        (ADAPTIVE, 'minimal', {'type': 'adaptive'}, 'low'),
        (ADAPTIVE, 'xhigh', {'type': 'adaptive'}, 'max'),
        ('claude-opus-4-7', 'xhigh', {'type': 'adaptive'}, 'xhigh'),
        ('claude-opus-5', False, {'type': 'disabled'}, None),
        ('claude-sonnet-5-5', False, {'type': 'between_tools'}, None),
        ('claude-fable-5', False, None, 'low'),
        ('claude-opus-9', 'medium', {'type': 'adaptive'}, 'medium'),
        ('claude-3-5-haiku-latest', 'high', None, None),
        ('other-server/model', 'low', {'type': 'enabled', 'budget_tokens': 2048}, None),
    ],
)
def test_levels_of_thinking(name: str, level: Any, thinking: Json | None, effort: str | None) -> None:
    body = Sent([ask('hi')], {'thinking': level}, name=name).body
    assert (body.get('thinking'), body.get('output_config', {}).get('effort')) == (thinking, effort)


def test_a_level_of_thinking_that_the_model_does_not_support_is_a_warning() -> None:
    assert Sent([ask('hi')], {'thinking': False}, name='claude-fable-5').warnings == [
        "'claude-fable-5' cannot stop thinking; its lowest level was sent ('low')"
    ]
    assert Sent([ask('hi')], {'thinking': True}, name='claude-3-opus-latest').warnings == [
        "'thinking' was not sent: 'claude-3-opus-latest' has no setting for thinking"
    ]


@pytest.mark.parametrize(
    ('settings', 'max_tokens', 'budget'),
    [
        ({}, 16384, None),
        ({'max_tokens': 7}, 7, None),
        ({'thinking': 'high'}, 20480, 16384),
        ({'thinking': 'high', 'max_tokens': 20000}, 20000, 16384),
        ({'thinking': 'high', 'max_tokens': 4000}, 4000, 2000),
        ({'thinking': 'low', 'max_tokens': 1100}, 1100, 1024),
        ({'anthropic_thinking': {'type': 'enabled', 'budget_tokens': 60000}}, 64000, 60000),
    ],
)
def test_max_tokens_leave_room_for_the_response_after_the_thinking(
    settings: Json, max_tokens: int, budget: int | None
) -> None:
    body = Sent([ask('hi')], settings).body
    assert (body['max_tokens'], body.get('thinking', {}).get('budget_tokens')) == (max_tokens, budget)


def test_a_turn_that_began_without_thinking_continues_without_it() -> None:
    results = ask(ToolReturnPart('weather', 'rain', 'a'))
    began = [ThinkingPart('hm', provider_name='openai'), ToolCallPart('weather', {}, 'a')]
    sent = Sent([ask('hi'), say(*began), results], {'thinking': True})
    assert 'thinking' not in sent.body
    assert (
        sent.warnings[-1]
        == "'thinking' was not sent: the turn that the model continues did not begin with signed thinking"
    )
    signed = [ThinkingPart('hm', provider_name='anthropic', signature='s'), ToolCallPart('weather', {}, 'a')]
    assert Sent([ask('hi'), say(*signed), results], {'thinking': True}).body['thinking']['type'] == 'enabled'
    assert Sent([ask('hi'), say(*began), results], {'thinking': True}, name=ADAPTIVE).body['thinking'] == {
        'type': 'adaptive'
    }
    assert Sent([ask('hi'), say(*began), results, say(TextPart('so')), ask('and?')], {'thinking': True}).body[
        'thinking'
    ]


def test_max_tokens_too_small_for_thinking_are_rejected() -> None:
    with pytest.raises(UserError, match='max_tokens=1024 leaves no room to think'):
        Sent([ask('hi')], {'thinking': True, 'max_tokens': 1024})


def test_sampling_settings_that_the_model_rejects_are_dropped() -> None:
    sampling = {'temperature': 0.5, 'top_p': 0.5, 'top_k': 5}
    sent = Sent([ask('hi')], sampling)  # Claude takes one of temperature and top_p
    assert (sent.body.keys() & sampling.keys(), len(sent.warnings)) == ({'temperature', 'top_k'}, 1)
    for name, more in (('claude-opus-4-7', {}), (SONNET, {'thinking': True})):
        sent = Sent([ask('hi')], {**sampling, **more}, name=name)
        assert (sent.body.keys() & sampling.keys(), len(sent.warnings)) == (set(), 3)
    assert Sent([ask('hi')], {'thinking': True, 'top_p': 0.97}).warnings == []


def test_own_settings_override_shared_ones_and_are_sent_unchanged() -> None:
    settings = {
        'thinking': 'high',
        'service_tier': 'default',
        'anthropic_thinking': {'type': 'adaptive', 'display': 'omitted'},
        'anthropic_effort': 'max',
        'anthropic_task_budget': {'type': 'tokens', 'total': 60000},
        'anthropic_metadata': {'user_id': 'u'},
        'anthropic_service_tier': 'auto',
        'anthropic_container': {'id': 'c', 'skills': []},
        'anthropic_context_management': {'edits': [{'type': 'compact_20260112'}, {'type': 'clear_tool_uses_20250919'}]},
        'anthropic_speed': 'fast',
        'anthropic_inference_geo': 'eu',
        'anthropic_betas': ['mine'],
        'openai_user': 'nobody',
    }
    sent = Sent([ask('hi')], settings, name='claude-opus-4-7')
    wire = {name.removeprefix('anthropic_'): value for name, value in settings.items() if name.startswith('anthropic_')}
    config = {'effort': wire.pop('effort'), 'task_budget': wire.pop('task_budget')}
    wire.pop('betas')
    known = {name: sent.body[name] for name in sent.body.keys() - {'model', 'messages', 'max_tokens'}}
    assert known == {**wire, 'output_config': config}
    assert sent.betas == [
        'task-budgets-2026-03-13',
        'fast-mode-2026-02-01',
        'compact-2026-01-12',
        'context-management-2025-06-27',
        'mine',
    ]
    assert sent.warnings == []


def test_shared_service_tiers() -> None:
    assert Sent([ask('hi')], {'service_tier': 'default'}).body['service_tier'] == 'standard_only'
    sent = Sent([ask('hi')], {'service_tier': 'flex'})
    assert ('service_tier' in sent.body, len(sent.warnings)) == (False, 1)


# ---------------------------------------------------------------------- Anthropic's own tools


def test_native_tools_follow_the_other_tools() -> None:
    place = WebSearchUserLocation(city='Rome', country='IT')
    tools = [
        WebSearchTool(max_uses=2, allowed_domains=['x.org'], user_location=place),
        WebFetchTool(blocked_domains=['y.org'], enable_citations=True, max_content_tokens=9),
        CodeExecutionTool(),
        MCPServerTool('wiki', 'https://wiki.org', authorization_token='t', allowed_tools=['ask'], headers={'a': 'b'}),
    ]
    sent = Sent([ask('hi')], native_tools=tools, function_tools=[TIME])
    assert sent.body['tools'][1:] == [
        {
            'type': 'web_search_20250305',
            'name': 'web_search',
            'max_uses': 2,
            'allowed_domains': ['x.org'],
            'user_location': {'type': 'approximate', 'city': 'Rome', 'country': 'IT'},
        },
        {
            'type': 'web_fetch_20250910',
            'name': 'web_fetch',
            'blocked_domains': ['y.org'],
            'citations': {'enabled': True},
            'max_content_tokens': 9,
        },
        {'type': 'code_execution_20250825', 'name': 'code_execution'},
    ]
    allowed = {'enabled': True, 'allowed_tools': ['ask']}
    server = {'type': 'url', 'name': 'wiki', 'url': 'https://wiki.org', 'authorization_token': 't'}
    assert sent.body['mcp_servers'] == [{**server, 'tool_configuration': allowed}]
    assert sent.betas == ['web-fetch-2025-09-10', 'mcp-client-2025-04-04']
    assert len(sent.warnings) == 1


def test_newer_models_get_newer_versions_of_tools() -> None:
    tools = [WebSearchTool(), WebFetchTool(), CodeExecutionTool()]
    sent = Sent([ask('hi')], name='claude-sonnet-4-6', native_tools=tools)
    assert [tool['type'] for tool in sent.body['tools']] == [
        'web_search_20260209',
        'web_fetch_20260209',
        'code_execution_20260120',
    ]
    assert sent.betas == []


def test_the_memory_tool_replaces_the_callers_definition() -> None:
    memory = ToolDefinition('memory', CITY)
    sent = Sent([ask('hi')], function_tools=[memory, TIME], native_tools=[MemoryTool()])
    assert [tool['name'] for tool in sent.body['tools']] == ['time', 'memory']
    assert (sent.body['tools'][1], sent.betas) == (
        {'type': 'memory_20250818', 'name': 'memory'},
        ['context-management-2025-06-27'],
    )
    with pytest.raises(UserError, match="tool of yours that is called 'memory'"):
        Sent([ask('hi')], native_tools=[MemoryTool()])


@pytest.mark.parametrize('tool', [ImageGenerationTool(), FileSearchTool(['x'])])
def test_an_unsupported_native_tool_is_rejected(tool: Any) -> None:
    with pytest.raises(UserError, match=tool.kind):
        Sent([ask('hi')], native_tools=[tool])


def test_code_runs_in_the_container_of_the_last_response() -> None:
    history: list[ModelMessage] = [
        ask('a'),
        say(TextPart('b'), provider_details={'container_id': 'old'}),
        ask('c'),
        say(TextPart('d'), provider_details={'container_id': 'new'}),
        ask('e'),
        ModelResponse([TextPart('f')], provider_name='other', provider_details={'container_id': 'theirs'}),
        ask('g'),
    ]
    runs: Json = {'native_tools': [CodeExecutionTool()]}
    assert Sent(history, **runs).body['container'] == 'new'
    assert Sent(history, {'anthropic_container': 'mine'}, **runs).body['container'] == 'mine'
    assert 'container' not in Sent(history, {'anthropic_container': False}, **runs).body
    assert 'container' not in Sent(history).body


@pytest.mark.parametrize('tool', [WebSearchTool(), WebFetchTool()], ids=repr)
def test_web_tools_that_run_code_continue_in_their_container(tool: Any) -> None:
    """enricoros/big-AGI#1010"""
    history = [ask('a'), say(TextPart('b'), state='suspended', provider_details={'container_id': 'c'})]
    assert Sent(history, name='claude-sonnet-4-6', native_tools=[tool]).body['container'] == 'c'
    assert 'container' not in Sent(history, native_tools=[tool]).body
