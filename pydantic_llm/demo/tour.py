"""Runs every step with every model, and shows the results on one screen."""

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
    """Build a model of OpenAI's API."""
    return OpenAIModel('gpt-5.4-mini', provider=OpenAIProvider(base_url=f'{url}/v1'))


def anthropic_model(url: str) -> Model:
    """Build a model of Anthropic's API."""
    return AnthropicModel('claude-sonnet-5-5', provider=AnthropicProvider(base_url=url))


@contextmanager
def offline_models(screen: Screen) -> Generator[dict[str, Model]]:
    """Yield both vendors' models, while a server on this machine responds to them."""
    from ..serve import LocalServer, create_app

    os.environ['NO_PROXY'] = os.environ['no_proxy'] = '127.0.0.1'
    with LocalServer(create_app(weather_model())) as url:
        screen.print(f"A server on this machine, url = {url!r}, responds to the vendors' own clients.")
        for make in (openai_model, anthropic_model):
            screen.print(f'  model = {_find_returned_expression(inspect.getsource(make))}')
        yield {'openai': openai_model(url), 'anthropic': anthropic_model(url)}


def _find_returned_expression(source: str) -> str:
    """Return the source of the expression that a function returns, which must be on one line."""
    [returned] = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Return)]
    return source.splitlines()[returned.lineno - 1].strip().removeprefix('return ')


async def tour(models: Mapping[str, Model], screen: Screen) -> bool:
    """Run all steps with all models. Return whether every step had the expected result."""
    succeeded: list[bool] = []
    for number, step in enumerate(STEPS, 1):
        screen.rule(f'{number} {step.title}', 'result (tokens, time)' if number == 1 else '')
        with Board(screen, step) as board:
            for name, model in models.items():
                other = next((other for other in models.values() if other is not model), model)
                succeeded.append(await run_step(step, name, (model, other), board))
    for model in models.values():
        await model.aclose()
    screen.rule()
    return all(succeeded)


async def run_step(step: Step, name: str, models: tuple[Model, Model], board: Board) -> bool:
    """Run one step with a model, and another one to go on with. Show the result; return whether it is as expected."""
    shown: list[str] = []

    def show(value: object, end: str = '\n') -> None:
        shown.append(text_of(value))
        board.write(name, ''.join(shown))

    started = perf_counter()
    try:
        result = await step.run(*models, show)
        seconds = perf_counter() - started
        note = step.check(result, shown)
    except (LLMError, StepError) as error:
        board.write(name, str(error), 'FAILED')
        return False
    facts = f'{result.usage.input_tokens} in, {result.usage.output_tokens} out, {seconds:.2f} s'
    board.write(name, '\n'.join(filter(None, (note, ''.join(shown)))), facts)
    return True
