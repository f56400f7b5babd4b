"""Many prompts: at once within limits, and as a batch at half the price: python examples/many_prompts.py [MODEL]

Batches need a vendor that has them (`openai:`, `anthropic:`, ...). Without an argument, a gateway on this machine has.
"""

from __future__ import annotations

import asyncio
import sys

from pydantic_llm import Agent, ConcurrencyLimitedModel, Model, infer_model
from pydantic_llm.batches import batch_requests
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.serve import BatchOptions, LocalServer, create_app

REVIEWS = ['It still works after a year.', 'It fell apart.', 'Nice, but loud.']
INSTRUCTIONS = 'Answer with one word: good, bad or mixed.'


async def main(model: Model) -> None:
    # Now: as many requests at the same time as the vendor likes. `gather` keeps the order.
    agent = Agent(ConcurrencyLimitedModel(model, limit=2), instructions=INSTRUCTIONS)
    results = await asyncio.gather(*[agent.run(review) for review in REVIEWS], return_exceptions=True)
    for review, result in zip(REVIEWS, results, strict=True):
        print(f'{review} -> {result if isinstance(result, BaseException) else result.output}')

    # Later: one batch. Its id can be stored, and `get_batch` finds it in another process.
    batch = await batch_requests(model, REVIEWS)
    async for result in batch.results(poll_every=0.1):
        print(f'{batch.status}: {result.get_response().text}')
    await model.aclose()


def offline() -> None:
    app = create_app(TestModel(custom_output_text='good'), batches=BatchOptions(concurrency=4))
    with LocalServer(app) as url:
        asyncio.run(main(AnthropicModel('claude-sonnet-5-5', provider=AnthropicProvider(base_url=url))))


if __name__ == '__main__':
    asyncio.run(main(infer_model(sys.argv[1]))) if len(sys.argv) > 1 else offline()
