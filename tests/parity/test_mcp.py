"""The tools of an MCP server, over streamable HTTP, with a server in another process."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('mcp', reason="MCP needs the extra 'mcp'")

from pydantic_llm import Agent, RunContext
from pydantic_llm.mcp import CallToolFunc, MCPToolset, load_mcp_toolsets

from .script import call, play, told


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    server = Path(__file__).with_name('harbour_server.py')
    process = subprocess.Popen([sys.executable, str(server), str(port)], stderr=subprocess.DEVNULL)
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', port)) == 0:
                break
        time.sleep(0.05)
    yield f'http://127.0.0.1:{port}/mcp'
    process.kill()
    process.wait()


FIND = call('find_berth', ship='Fram')


def run(agent: Agent[Any, str], **options: Any) -> Any:
    return asyncio.run(agent.run('Where does the Fram lie?', **options))


def test_an_agent_calls_a_tool_of_a_server(url: str) -> None:
    agent = Agent(play(FIND, lambda messages: told(messages[-1].parts[0])), toolsets=[MCPToolset(url)])
    assert run(agent).output == '7'


def test_a_session_is_shared_in_a_block(url: str) -> None:
    agent = Agent(play(FIND, 'Berth 7.', call('find_berth', 'b', ship='Fram'), 'Still 7.'), toolsets=[MCPToolset(url)])

    async def twice() -> list[str]:
        async with agent:
            return [(await agent.run('Where?')).output, (await agent.run('And now?')).output]

    assert asyncio.run(twice()) == ['Berth 7.', 'Still 7.']


def test_the_tools_of_a_server_have_a_prefix(url: str) -> None:
    agent = Agent(play(call('oslo_find_berth', ship='Fram'), 'Berth 7.'), toolsets=[MCPToolset(url).prefixed('oslo')])
    assert run(agent).output == 'Berth 7.'


def test_an_error_of_a_tool_is_told_to_the_model(url: str) -> None:
    calls = [call('find_berth', ship='Vasa'), lambda messages: told(messages[-1].parts[0])]
    assert "There is no ship 'Vasa'." in run(Agent(play(*calls), toolsets=[MCPToolset(url)])).output


def test_an_error_of_a_tool_can_be_a_failed_result(url: str) -> None:
    toolset: MCPToolset[Any] = MCPToolset(url, tool_error_behavior='failed')
    result = run(Agent(play(call('find_berth', ship='Vasa'), 'It is gone.'), toolsets=[toolset]))
    part = result.all_messages()[2].parts[0]
    assert (part.part_kind, part.outcome) == ('tool-return', 'failed')


def test_a_function_adds_metadata_to_each_call(url: str) -> None:
    async def add_captain(ctx: RunContext[str], call_tool: CallToolFunc, name: str, tool_args: dict[str, Any]) -> Any:
        return await call_tool(name, tool_args, metadata={'captain': ctx.deps})

    toolset: MCPToolset[Any] = MCPToolset(url, process_tool_call=add_captain)
    agent = Agent(play(call('sign'), lambda messages: told(messages[-1].parts[0])), deps_type=str, toolsets=[toolset])
    assert run(agent, deps='Nansen').output == 'Nansen'


def test_the_instructions_of_a_server_are_sent(url: str) -> None:
    toolset: MCPToolset[Any] = MCPToolset(url, include_instructions=True)
    result = run(Agent(play('Berth 7.'), toolsets=[toolset]))
    assert 'Berths are numbered from the west.' in result.all_messages()[0].instructions


def test_a_resource_is_read(url: str) -> None:
    async def read() -> tuple[list[str], Any]:
        async with MCPToolset(url) as toolset:
            resources = await toolset.list_resources()
            return [str(each.uri) for each in resources], await toolset.read_resource('harbour://rules')

    assert asyncio.run(read()) == (['harbour://rules'], 'Keep to starboard.')


def test_servers_are_read_from_a_file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HARBOUR', url)
    path = tmp_path / 'servers.json'
    path.write_text(json.dumps({'mcpServers': {'harbour': {'url': '${HARBOUR}'}}}))
    agent = Agent(play(call('harbour_find_berth', ship='Fram'), 'Berth 7.'), toolsets=load_mcp_toolsets(path))
    assert run(agent).output == 'Berth 7.'
