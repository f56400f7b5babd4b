"""Use a model on this machine: python examples/local_model.py [MODEL]

`ollama:qwen3` needs a running Ollama, `transformers:Qwen/Qwen3-0.6B` the extra `transformers`. Without an argument, a
server on this machine stands in for Ollama.
"""

from __future__ import annotations

import sys
from enum import StrEnum

from pydantic_llm import Agent, Model
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import LocalServer, create_app


class Mood(StrEnum):
    GOOD = 'good'
    BAD = 'bad'


def main(model: Model | str) -> None:
    agent = Agent(model, model_settings={'max_tokens': 200, 'timeout': 120})
    with agent.run_stream_sync('Name three moons of Jupiter.') as result:
        for text in result.stream_text(delta=True):
            print(text, end='', flush=True)
    print()
    # A small model keeps to a type too: its tokens are constrained, or its answer is checked and asked for again.
    mood = agent.run_sync('It fell apart on the first day.', output_type=Mood)
    print(mood.output, mood.usage.total_tokens > 0)


def offline() -> None:
    with LocalServer(create_app(TestModel())) as url:
        main(OpenAIChatModel('qwen3', provider=OpenAIProvider(base_url=f'{url}/v1')))


if __name__ == '__main__':
    main(sys.argv[1]) if len(sys.argv) > 1 else offline()
