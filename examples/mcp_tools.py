"""Give a model the tools of an MCP server: python examples/mcp_tools.py [MODEL]

The server is this program itself (`--server`), on its standard streams. Put any other command or URL in its place.
"""

from __future__ import annotations

import asyncio
import sys

from mcp.server.mcpserver import MCPServer

from pydantic_llm import Agent, Model
from pydantic_llm.mcp import MCPToolset
from pydantic_llm.messages import ToolReturnPart
from pydantic_llm.models.test import TestModel

server = MCPServer('weather')


@server.tool()
def temperature(city: str) -> float:
    """The temperature in a city, in degrees Celsius."""
    return {'Oslo': -3.0}.get(city, 20.0)


async def main(model: Model | str) -> None:
    toolset = MCPToolset.stdio(sys.executable, __file__, '--server')
    async with Agent(model, toolsets=[toolset.prefixed('weather')]) as agent:  # one session for all runs
        result = await agent.run('How cold is it in Oslo?')
    for message in result.all_messages():
        for part in message.parts:
            if isinstance(part, ToolReturnPart):
                print(f'{part.tool_name}: {part.content}')
    print(result.output)


if __name__ == '__main__':
    if '--server' in sys.argv:
        server.run()
    else:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else TestModel()))
