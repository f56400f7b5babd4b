"""Several agents: one decides who answers, and one asks another: python examples/handoff.py [MODEL]"""

from __future__ import annotations

import sys
from enum import StrEnum

from pydantic_llm import Agent, Model, RunContext, RunUsage, UsageLimits
from pydantic_llm.models.test import TestModel


class Desk(StrEnum):
    TRAVEL = 'travel'
    WEATHER = 'weather'


router = Agent(output_type=Desk, instructions='Choose the desk for the question.', name='router')
weather = Agent(instructions='You know the weather of next week.', name='weather')
travel = Agent(instructions='You plan trips. Ask for the weather before you suggest anything.', name='travel')


@travel.tool
async def ask_weather_desk(ctx: RunContext, question: str) -> str:
    """Ask the weather desk."""
    result = await weather.run(question, usage=ctx.usage)  # its requests count as part of this run
    return result.output


def main(model: Model | str) -> None:
    usage, limits = RunUsage(), UsageLimits(request_limit=10)
    desks = {Desk.TRAVEL: travel, Desk.WEATHER: weather}
    with weather.override(model=model), travel.override(model=model):
        question = 'Where should I go hiking next week?'
        desk = router.run_sync(question, model=model, usage=usage).output
        print(f'The router chose the {desk} desk.')
        print(desks[desk].run_sync(question, usage=usage, usage_limits=limits).output)
    print(f'{usage.requests} requests')


if __name__ == '__main__':
    main(sys.argv[1] if len(sys.argv) > 1 else TestModel())
