"""Go on when a vendor fails: python examples/fallback.py [MODEL MODEL]

A `FallbackModel` asks the next model, a `RouterModel` spreads requests over deployments of one. Without arguments, the
first vendor is a server on this machine that fails once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from pydantic_llm import Agent, FallbackModel, Model, RouterModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.router import Deployment
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import Fault, LocalServer, create_app

PROMPT = 'Why is the sky blue?'


def main(first: Model | str, second: Model | str) -> None:
    agent = Agent(FallbackModel(first, second), model_settings={'retries': 0, 'timeout': 30})
    for _ in range(2):
        response = agent.run_sync(PROMPT).response
        print(f'{response.model_name}: {response.text}')
        for warning in response.warnings:  # what went wrong before
            print(f'  {warning}')

    router = RouterModel([Deployment(first, name='main', weight=3), Deployment(second, name='spare', concurrency=4)])
    print(Agent(router).run_sync(PROMPT).output)


def offline() -> None:
    failures: Iterator[Fault] = iter([Fault(status=503)])
    app = create_app(TestModel(custom_output_text='Blue light is scattered.'), faults=lambda body: next(failures, None))
    with LocalServer(app) as url:
        first = OpenAIChatModel('gpt-5.4-mini', provider=OpenAIProvider(base_url=f'{url}/v1'))
        main(first, TestModel(custom_output_text='Air scatters blue light.'))


if __name__ == '__main__':
    main(*sys.argv[1:]) if len(sys.argv) == 3 else offline()
