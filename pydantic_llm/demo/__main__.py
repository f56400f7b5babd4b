"""Runs the tour: `python -m pydantic_llm.demo [--live] [-m MODEL]`."""

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
"""Commands to try next, and their purpose."""


def main() -> int:
    """Run the tour. Return the exit code: 0 if every step had the expected result, else 1."""
    parser = ArgumentParser('python -m pydantic_llm.demo', description='A tour of pydantic_llm.')
    parser.add_argument('--live', action='store_true', help='use the real vendor whose key is set')
    parser.add_argument('-m', '--model', help="use this model, e.g. 'openai:gpt-5.4-mini'; implies --live")
    arguments = parser.parse_args()
    screen = Screen()
    screen.print(f'pydantic_llm {__version__}: one typed interface to every LLM', style='bold')
    started = perf_counter()
    try:
        is_live = arguments.live or arguments.model
        succeeded = run_live(arguments.model or default_model_name(), screen) if is_live else run_offline(screen)
    except LLMError as error:
        screen.print(str(error), style='red')
        return 1
    if not succeeded:
        screen.print('Not every step had the expected result.', style='red')
        return 1
    screen.print(f'All steps succeeded, in {perf_counter() - started:.1f} s. Next:', style='bold')
    for command, purpose in NEXT.items():
        screen.print(f'  {command.format(bin=command_folder()):46} {purpose}')
    return 0


def run_offline(screen: Screen) -> bool:
    """Run the tour with both vendors' clients against a server on this machine. Return whether it succeeded."""
    with offline_models(screen) as models:
        return asyncio.run(tour(models, screen))


def run_live(name: str, screen: Screen) -> bool:
    """Run the tour with a real vendor. Return whether it succeeded."""
    model = infer_model(name)
    screen.print(f'  model = infer_model({name!r})')
    return asyncio.run(tour({name.partition(':')[0]: model}, screen))


def command_folder() -> str:
    """Return the folder of the installed commands, relative to the working directory, or '' if it is outside."""
    folder = Path(sys.executable).parent
    return f'{folder.relative_to(Path.cwd())}/' if folder.is_relative_to(Path.cwd()) else ''


if __name__ == '__main__':
    sys.exit(main())
