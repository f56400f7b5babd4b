"""Record responses for tests, and do not pay twice for one: python examples/record_and_cache.py [MODEL]"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pydantic_llm import Agent, CachedModel, Model
from pydantic_llm.models.recorded import RecordingModel, ReplayModel
from pydantic_llm.models.test import TestModel

PROMPT = 'Why is the sky blue?'


def main(model: Model | str, folder: Path) -> None:
    # Once, with the model: each request and its response go to a file, which belongs next to the test.
    recording = folder / 'sky.json'
    print('recorded:', Agent(RecordingModel(model, recording)).run_sync(PROMPT).output)

    # In each test: the same response, without the model, its key and a network.
    print('replayed:', Agent(ReplayModel(recording)).run_sync(PROMPT).output)

    # In production: equal requests within a day are sent once.
    cached = CachedModel(model, f'sqlite:{folder / "responses.db"}', ttl=86_400)
    for _ in range(2):
        response = Agent(cached).run_sync(PROMPT).response
        print('from the cache:', response.from_cache is not None, '- output tokens:', response.usage.output_tokens)


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as name:
        main(sys.argv[1] if len(sys.argv) > 1 else TestModel(custom_output_text='Air scatters blue light.'), Path(name))
