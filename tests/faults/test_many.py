"""Hundreds of concurrent streams, one tenth with faults: each one ends, and no task, file or memory is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pydantic_llm.exceptions import LLMError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.settings import ModelSettings
from tests.faults.one_in_ten import OneInTen
from tests.transport.server import serve_in_process

HELLO = [ModelRequest.user_text_prompt('Hello?')]
STREAMS = 300
ROUNDS = 3
SETTINGS: ModelSettings = {'first_token_timeout': 3, 'idle_timeout': 3}
STATUS, FILES = Path('/proc/self/status'), Path('/proc/self/fd')


async def read_stream(model: OpenAIChatModel) -> str:
    try:
        async with model.request_stream(HELLO, SETTINGS) as stream:
            async for _ in stream:
                pass
            return stream.get().state
    except LLMError as error:
        return type(error).__name__


def open_files() -> int:
    return len([*FILES.iterdir()])


def memory() -> int:
    """Return the memory of this process, in kB."""
    gc.collect()
    [line] = [line for line in STATUS.read_text().splitlines() if line.startswith('VmRSS')]
    return int(line.split()[1])


@pytest.fixture
def raise_file_limit() -> Iterator[None]:
    """Raise the limit of open files, usually 1,024, for hundreds of streams."""
    resource = pytest.importorskip('resource', reason='this system has no limits of open files')
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * STREAMS:
        pytest.skip(f'this process may open no more than {hard} files')
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * STREAMS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not STATUS.exists(), reason='this system does not report the memory of a process')
@pytest.mark.usefixtures('raise_file_limit')
async def test_hundreds_of_streams_with_faults_leave_nothing_behind() -> None:
    with serve_in_process(OneInTen(seed=1)) as url:
        model = OpenAIChatModel('m', provider=OpenAIProvider(api_key='k', base_url=url))
        files, held = [], []
        for _ in range(ROUNDS):
            ends = Counter(await asyncio.gather(*(read_stream(model) for _ in range(STREAMS))))
            await model.aclose()
            assert ends.total() == STREAMS
            assert ends['complete'] >= STREAMS * 0.88, ends
            assert len(ends) > 3
            assert asyncio.all_tasks() == {asyncio.current_task()}
            files.append(open_files())
            held.append(memory())
    assert max(files[1:]) <= files[0] + 2
    assert held[-1] <= held[1] * 1.1, held
