"""`MCPToolset` with real servers of the official package: in this process, on standard streams, over HTTP and SSE."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('mcp', reason="MCP needs the extra 'mcp'")

from pydantic_llm import Agent, BinaryContent, ToolProgressEvent
from pydantic_llm.exceptions import UserError
from pydantic_llm.mcp import MCPProgress, MCPToolset, load_mcp_toolsets
from pydantic_llm.messages import RetryPromptPart, ToolCallPart
from tests.agent.scripted import Scripted, results_of

from .server import server as in_process

SERVER = str(Path(__file__).with_name('server.py'))


def stdio(**options: Any) -> MCPToolset[Any]:
    return MCPToolset.stdio(sys.executable, SERVER, **options)


@pytest.fixture(scope='module')
def start() -> Iterator[Callable[[str], str]]:
    """Start a server over HTTP and return its URL."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(transport: str) -> str:
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        processes.append(subprocess.Popen([sys.executable, SERVER, transport, str(port)], stderr=subprocess.DEVNULL))
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(('127.0.0.1', port)) == 0:
                    break
            time.sleep(0.05)
        return f'http://127.0.0.1:{port}/{"sse" if transport == "sse" else "mcp"}'

    yield start
    for process in processes:
        process.kill()
        process.wait()


def call(name: str, **arguments: Any) -> ToolCallPart:
    return ToolCallPart(name, arguments, name)


async def use(toolset: Any, *calls: ToolCallPart) -> Any:
    """Run an agent that makes these calls in one response, and return the result of the run."""
    return await Agent(Scripted([*calls], 'done'), toolsets=[toolset]).run('hi')


CALLS = (call('add', a=1, b=2), call('report', city='Oslo'), call('slow', steps=2))
RESULTS = [('add', 3), ('report', {'city': 'Oslo', 'degrees': -3.0}), ('slow', 'done')]


# ----------------------------------------------------------------------------------------------------------- transports


async def test_a_server_in_this_process() -> None:
    assert results_of(await use(MCPToolset(in_process), *CALLS)) == RESULTS


async def test_a_server_on_standard_streams() -> None:
    assert results_of(await use(stdio(), *CALLS)) == RESULTS


@pytest.mark.parametrize('transport', ['streamable-http', 'sse'])
async def test_a_server_over_http(transport: str, start: Callable[[str], str]) -> None:
    url = start(transport)
    toolset = MCPToolset.sse(url) if transport == 'sse' else MCPToolset(url, headers={'x-who': 'me'})
    assert results_of(await use(toolset, *CALLS)) == RESULTS
    assert results_of(await use(toolset.prefixed('x'), call('x_add', a=1, b=2))) == [('x_add', 3)]


# ------------------------------------------------------------------------------------------------------- what it sends


async def test_definitions_and_instructions_are_those_of_the_server() -> None:
    model = Scripted('done')
    result = await Agent(model, toolsets=[MCPToolset(in_process, include_instructions=True)]).run('hi')
    tools = {tool.name: tool for tool in model.requests[0].parameters.function_tools}
    assert tools['add'].description == 'Add two numbers.'
    assert tools['add'].parameters_json_schema['properties']['a'] == {'title': 'A', 'type': 'integer'}
    assert result.all_messages()[0].instructions == 'Name the unit.'


async def test_files_of_a_result_are_parts() -> None:
    [(_, content)] = results_of(await use(MCPToolset(in_process), call('mixed')))
    assert [type(item) for item in content] == [str, BinaryContent, BinaryContent, str]
    assert [content[1].media_type, content[2].media_type, content[3]] == ['image/png', 'audio/wav', 'a note']


async def test_an_error_of_a_tool_and_a_wrong_argument_are_sent_back_to_the_model() -> None:
    calls = [call('fail', reason='no such city'), call('add', a='one', b=2), call('unknown')]
    result = await use(MCPToolset(in_process), *calls)
    parts = [part for part in result.all_messages()[2].parts if isinstance(part, RetryPromptPart)]
    assert 'no such city' in str(parts[0].content)
    assert 'integer' in str(parts[1].content)
    assert "no tool 'unknown'" in str(parts[2].content)


async def test_progress_becomes_events() -> None:
    agent = Agent[Any, str](Scripted([call('slow', steps=3)], 'done'), toolsets=[stdio()])
    async with agent.run_stream_events('hi') as events:
        values = [event.value async for event in events if isinstance(event, ToolProgressEvent)]
    assert values == [MCPProgress(step, 3, f'step {step}') for step in range(3)]


# -------------------------------------------------------------------------------------------------- sessions and faults


async def test_concurrent_runs_share_one_session() -> None:
    toolset = stdio()
    agent = Agent[Any, str](Scripted([call('add', a=1, b=2)], 'done'), toolsets=[toolset])
    async with agent:
        (connection,) = toolset._connections.values()
        await asyncio.gather(*(agent.run('hi') for _ in range(100)))
        assert list(toolset._connections.values()) == [connection]
    assert toolset._connections == {}
    assert [task for task in asyncio.all_tasks() if 'mcp' in task.get_name()] == []


async def test_a_server_that_ends_during_a_call_is_a_tool_error_and_is_started_again(tmp_path: Path) -> None:
    crash = call('crash', flag=str(tmp_path / 'flag'))
    agent = Agent[Any, str](Scripted([crash], [crash], 'done'), toolsets=[stdio()])
    async with asyncio.timeout(30):
        result = await agent.run('hi')
    assert [text for _, text in results_of(result)] == [
        "The server of the tool 'crash' ended before it answered.",
        'alive again',
    ]


async def test_a_server_that_is_killed_during_a_call_does_not_hang(tmp_path: Path) -> None:
    script = shutil.copy(SERVER, tmp_path / 'killed.py')
    toolset = MCPToolset.stdio(sys.executable, str(script))
    agent = Agent[Any, str](Scripted([call('slow', steps=1_000_000)], 'done'), toolsets=[toolset])
    async with asyncio.timeout(30), agent:
        run = asyncio.create_task(agent.run('hi'))
        await asyncio.sleep(0.5)
        subprocess.run(['pkill', '-9', '-f', str(script)], check=False)  # noqa: ASYNC221 -- it takes no time
        result = await run
    assert 'ended before it answered' in str(results_of(result))


async def test_a_cancelled_run_leaves_the_session_usable() -> None:
    toolset = stdio()
    agent = Agent[Any, str](Scripted([call('slow', steps=1_000_000)], 'done'), toolsets=[toolset])
    async with agent:
        run = asyncio.create_task(agent.run('hi'))
        await asyncio.sleep(0.3)
        run.cancel()
        await asyncio.wait({run})
        assert results_of(await use(toolset, call('add', a=1, b=2))) == [('add', 3)]


def test_synchronous_runs_work_one_after_the_other() -> None:
    agent = Agent[Any, str](Scripted([call('add', a=1, b=2)], 'done'), toolsets=[stdio()])
    assert results_of(agent.run_sync('hi')) == [('add', 3)]
    assert agent.run_sync('hi').output == 'done'


@pytest.mark.parametrize(
    ('toolset', 'reason'),
    [
        (
            lambda: MCPToolset.stdio('no-such-program'),
            "'no-such-program' cannot be reached: the command 'no-such-program' was not found$",
        ),
        (lambda: MCPToolset.stdio(sys.executable, '-c', 'pass'), 'cannot be reached'),
        (lambda: MCPToolset('http://127.0.0.1:9/mcp'), 'cannot be reached: connection refused$'),
        (lambda: MCPToolset.stdio('sleep', '60', connect_timeout=0.3), 'did not answer within 0.3 s'),
    ],
)
async def test_a_server_that_cannot_be_reached_is_a_user_error(toolset: Any, reason: str) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(UserError, match=reason):
            await use(toolset(), call('add', a=1, b=2))


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('server.py',), 'MCPToolset.stdio'),
        ((5,), 'server is a URL'),
        ((in_process, {'a': 'b'}), 'headers='),
    ],
)
def test_a_server_that_is_none_is_refused(arguments: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        MCPToolset(arguments[0], headers=dict(*arguments[1:]) or None)


async def test_keys_of_this_process_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'secret')
    calls = call('environment', variable='OPENAI_API_KEY'), ToolCallPart('environment', {'variable': 'GIVEN'}, 'given')
    result = await use(stdio(env={'GIVEN': 'yes'}), *calls)
    assert [text for _, text in results_of(result)] == ['not set', 'yes']


# ------------------------------------------------------------------------------------------------------- configuration


async def test_servers_are_loaded_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'mcp.json'
    monkeypatch.setenv('PROGRAM', sys.executable)
    servers = {
        'weather': {'command': '${PROGRAM}', 'args': [SERVER], 'env': {'GIVEN': '${NOT_SET:-a default}'}},
        'other': {'url': 'http://127.0.0.1:9/mcp', 'headers': {'Authorization': 'Bearer ${HOME}'}},
        'old': {'type': 'sse', 'url': 'http://127.0.0.1:9/sse'},
    }
    path.write_text(json.dumps({'mcpServers': servers}))
    weather, *others = load_mcp_toolsets(path)
    assert [toolset.id for toolset in (weather, *others)] == ['weather', 'other', 'old']
    calls = call('weather_environment', variable='GIVEN')
    assert results_of(await use(weather, calls)) == [('weather_environment', 'a default')]


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('{', 'cannot be read'),
        ('[]', "no object 'mcpServers'"),
        (
            '{"mcpServers": {"x": {"command": "${NOT_SET_AT_ALL}"}}}',
            "'x' needs the environment variable NOT_SET_AT_ALL",
        ),
        ('{"mcpServers": {"x": {}}}', "'x' has neither"),
    ],
)
def test_a_wrong_file_is_a_user_error(content: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / 'mcp.json'
    path.write_text(content)
    with pytest.raises(UserError, match=reason):
        load_mcp_toolsets(path)
    with pytest.raises(UserError, match='cannot be read'):
        load_mcp_toolsets(os.fspath(tmp_path / 'missing.json'))


def test_a_wrong_behaviour_for_errors_is_a_user_error() -> None:
    with pytest.raises(UserError, match="tool_error_behavior is 'retry' or 'failed'"):
        MCPToolset(in_process, tool_error_behavior='ignore')  # type: ignore[arg-type]


def test_a_url_that_ends_in_sse_is_one_of_the_older_transport(start: Callable[[str], str]) -> None:
    result = asyncio.run(use(MCPToolset(start('sse')), call('add', a=1, b=2)))
    assert results_of(result) == [('add', 3)]
