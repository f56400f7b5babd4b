"""The tour: every step with every model, on one screen."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from time import perf_counter

from ..exceptions import LLMError
from ..models import Model
from ..models.anthropic import AnthropicModel
from ..models.openai import OpenAIModel
from ..providers.anthropic import AnthropicProvider
from ..providers.openai import OpenAIProvider
from .screen import Board, Screen, text_of
from .steps import STEPS, Step, StepError
from .weather import weather_model

__all__ = ('offline_models', 'tour')


def openai_model(url: str) -> Model:
    """A model behind the `openai` package's client."""
    return OpenAIModel('gpt-5-mini', provider=OpenAIProvider(base_url=f'{url}/v1'))


def anthropic_model(url: str) -> Model:
    """A model behind the `anthropic` package's client."""
    return AnthropicModel('claude-sonnet-4-5', provider=AnthropicProvider(base_url=url))


@contextmanager
def offline_models(screen: Screen) -> Generator[dict[str, Model]]:
    """Both vendors' models, and a server on this machine that answers them."""
    from ..serve import LocalServer, create_app

    os.environ['NO_PROXY'] = os.environ['no_proxy'] = '127.0.0.1'
    with LocalServer(create_app(weather_model())) as url:
        screen.say(f"A server on this machine, url = {url!r}, answers the vendors' own clients.")
        for make in (openai_model, anthropic_model):
            screen.say(f'  model = {_made_by(inspect.getsource(make))}')
        yield {'openai': openai_model(url), 'anthropic': anthropic_model(url)}


def _made_by(source: str) -> str:
    """What a function returns, as it is written."""
    [returned] = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Return)]
    return source.splitlines()[returned.lineno - 1].strip().removeprefix('return ')


async def tour(models: Mapping[str, Model], screen: Screen) -> bool:
    """Run all steps. Gives whether each of them gave what it must."""
    went_well: list[bool] = []
    for number, step in enumerate(STEPS, 1):
        screen.rule(f'{number} {step.title}', 'what came of it (tokens, time)' if number == 1 else '')
        with Board(screen, step) as board:
            went_well += [await run(step, name, model, board) for name, model in models.items()]
    for model in models.values():
        await model.aclose()
    screen.rule()
    return all(went_well)


async def run(step: Step, name: str, model: Model, board: Board) -> bool:
    """Run one step with one model, and show what comes of it."""
    shown: list[str] = []

    def show(value: object) -> None:
        shown.append(text_of(value))
        board.write(name, ''.join(shown))

    started = perf_counter()
    try:
        result = await step.run(model, show)
        seconds = perf_counter() - started
        note = step.check(result, shown)
    except (LLMError, StepError) as error:
        board.write(name, str(error), 'FAILED')
        return False
    facts = f'{result.usage.input_tokens} in, {result.usage.output_tokens} out, {seconds:.2f} s'
    board.write(name, '\n'.join(filter(None, (note, ''.join(shown)))), facts)
    return True
