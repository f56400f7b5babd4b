"""`python -m pydantic_llm.demo [--live] [-m MODEL]`."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser
from pathlib import Path
from time import perf_counter

from .. import __version__
from ..cli.choice import default_model_name
from ..exceptions import LLMError
from ..models import infer_model
from .screen import Screen
from .tour import offline_models, tour

NEXT = {
    '{bin}pydantic-llm ask -m test Hello': 'ask from the shell; with a key, without -m test',
    '{bin}pydantic-llm serve -m test': "let OpenAI's and Anthropic's clients use any model",
    '{bin}python -m pydantic_llm.demo --live': 'this tour with a real vendor',
    'docs/start.md': 'your first program',
}
"""What to try next, and what it does."""


def main() -> int:
    """Run the tour: 0 where every step gave what it must, 1 where one did not."""
    parser = ArgumentParser('python -m pydantic_llm.demo', description='A tour of pydantic_llm.')
    parser.add_argument('--live', action='store_true', help='with the real vendor whose key is set')
    parser.add_argument('-m', '--model', help="with this model, e.g. 'openai:gpt-5-mini'; implies --live")
    given = parser.parse_args()
    screen = Screen()
    screen.say(f'pydantic_llm {__version__}: one typed interface to every LLM', style='bold')
    started = perf_counter()
    try:
        is_live = given.live or given.model
        went_well = live(given.model or default_model_name(), screen) if is_live else offline(screen)
    except LLMError as error:
        screen.say(str(error), style='red')
        return 1
    if not went_well:
        screen.say('Not every step gave what it must.', style='red')
        return 1
    screen.say(f'All went well, in {perf_counter() - started:.1f} s. Next:', style='bold')
    for command, purpose in NEXT.items():
        screen.say(f'  {command.format(bin=folder_of_commands()):46} {purpose}')
    return 0


def offline(screen: Screen) -> bool:
    """The tour with both vendors' clients, on this machine."""
    with offline_models(screen) as models:
        return asyncio.run(tour(models, screen))


def live(name: str, screen: Screen) -> bool:
    """The tour with a real vendor."""
    model = infer_model(name)
    screen.say(f'  model = infer_model({name!r})')
    return asyncio.run(tour({name.partition(':')[0]: model}, screen))


def folder_of_commands() -> str:
    """What to write before a command, from here."""
    folder = Path(sys.executable).parent
    return f'{folder.relative_to(Path.cwd())}/' if folder.is_relative_to(Path.cwd()) else ''


if __name__ == '__main__':
    sys.exit(main())
