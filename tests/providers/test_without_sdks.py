"""Requests need no vendor's SDK: they work without one, and import none."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SDKS = 'openai anthropic groq mistralai cohere huggingface_hub litellm botocore boto3 google.auth'.split()

PROGRAM = """
import asyncio, json, os, sys
from importlib.util import find_spec

is_blocked, sdks = json.loads(sys.argv[1])
if is_blocked:
    sys.modules.update(dict.fromkeys(sdks))
os.environ.update(HF_HUB_OFFLINE='1')

from pydantic_llm.messages import ModelRequest
from tests.faults.vendors import RESPONSE, VENDORS
from tests.transport.server import Server


async def main():
    for vendor in VENDORS:
        if vendor.name in ('bedrock', 'litellm'):
            continue

        async def answer(exchange):
            if b'"stream":true' in exchange.body or 'stream' in exchange.path:
                await exchange.begin()
                for frame in vendor.frames():
                    await exchange.chunk(frame)
                await exchange.end()
            else:
                await exchange.respond(vendor.body())

        async with Server(answer).run() as server:
            model = vendor.make(server.url)
            hello = [ModelRequest.user_text_prompt('Hello?')]
            response = await model.request(hello, {'max_tokens': 100})
            assert response.text == RESPONSE.text, (vendor, response)
            async with model.request_stream(hello, {'max_tokens': 100}) as stream:
                async for _ in stream:
                    pass
            assert stream.get().text == RESPONSE.text, (vendor, stream.get())
            await model.provider.aclose()
            imported = [name for name in sdks if sys.modules.get(name) is not None]
            assert imported == [], (vendor, imported)


def infer():
    from pydantic_llm.models import infer_model

    names = ('openai', 'openai-responses', 'anthropic', 'google-gla', 'groq', 'mistral', 'cohere', 'huggingface')
    for name in (*names, 'deepseek', 'openrouter', 'ollama', 'grok'):
        assert infer_model(f'{name}:some-model', api_key='hf_k').model_name == 'some-model'


asyncio.run(main())
infer()
"""


@pytest.mark.parametrize('is_blocked', [False, True], ids=['with SDKs', 'without SDKs'])
def test_a_request_and_a_stream_of_each_vendor_import_no_sdk(is_blocked: bool) -> None:
    run = [sys.executable, '-c', PROGRAM, json.dumps([is_blocked, SDKS])]
    result = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, '')


NAMES = 'openai anthropic groq mistral cohere azure deepseek'.split()

CLIENTS = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[2:]))
from pydantic_llm.exceptions import UserError
from pydantic_llm.providers import infer_provider_class

for name in sys.argv[1].split():
    options = {'azure_endpoint': 'http://host', 'api_version': '1'} if name == 'azure' else {}
    try:
        infer_provider_class(name)(api_key='k', **options).client
    except UserError as error:
        print(name, error)
"""


def test_the_client_of_a_missing_sdk_is_an_error_that_names_the_extra() -> None:
    run = [sys.executable, '-c', CLIENTS, ' '.join(NAMES), *SDKS]
    lines = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    for name, line in zip(NAMES, lines, strict=True):
        extra = 'openai' if name in ('azure', 'deepseek') else name
        assert "Provider.client needs the package '" in line
        assert line.endswith(f": pip install 'pydantic-llm[{extra}]'")
