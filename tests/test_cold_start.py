"""What a program imports up to its first response."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PROGRAM = """
import asyncio, sys
from benchmarks.api_server import _handle_connection
from pydantic_llm import Agent
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.openai import OpenAIProvider

async def main():
    server = await asyncio.start_server(_handle_connection, '127.0.0.1', 0)
    url = f'http://127.0.0.1:{server.sockets[0].getsockname()[1]}/plain'
    openai = OpenAIProvider(api_key='k', base_url=url + '/v1')
    for model in (
        OpenAIChatModel('gpt-4o', provider=openai),
        OpenAIResponsesModel('gpt-5', provider=openai),
        AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(api_key='k', base_url=url)),
        GeminiModel('gemini-2.5-flash', provider=GoogleGLAProvider(api_key='k', base_url=url + '/v1beta')),
    ):
        agent = Agent(model, instructions='Be brief.')
        assert (await agent.run('Hi', model_settings={'max_tokens': 10})).output == 'It is sunny.'
        async with agent.run_stream('Hi', model_settings={'max_tokens': 10}) as stream:
            assert 'sunny' in await stream.get_output()
        await model.provider.aclose()

asyncio.run(main())
print(*{name.partition('.')[0] for name in sys.modules} & {*sys.argv[1].split()})
"""


@pytest.mark.parametrize('http', ['httpx2', 'aiohttp'])
def test_a_run_without_types_and_files_does_not_import_pydantic(http: str) -> None:
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, 'pydantic typing_inspection annotated_types'],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, 'PYDANTIC_LLM_HTTP': http},
    )
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
