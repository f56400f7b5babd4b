"""`pydantic-llm models`: list the prefixes, the known models of one vendor, or the models that a server lists.

`models default` shows the model that is used if none is named, `models default NAME` sets it.

Known names have their context windows and prices next to them, if the package `genai-prices` is installed.
"""

from __future__ import annotations

import asyncio
import json
import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from pydantic_core import to_json

from ..exceptions import UserError
from ..models.names import NAMES
from ..prices import Prices, find_context_window, find_model_prices
from ..providers import Provider
from ..providers.model_list import list_models
from ..providers.registry import ALIASES, SERVICES, suggest_prefixes
from .choice import MODEL_VARIABLE, build_model, choose_name
from .errors import UsageError
from .folders import config_path, read_config, write_private
from .notes import LINE_WIDTH, print_note
from .vendors import find_set_variable, key_variables, list_known_names, make_provider

__all__ = ('models',)

DEPLOYMENT = 'the name of your deployment'
FOLDER = 'the name of a repository, or a folder'

ANY_NAME = {
    'azure': DEPLOYMENT,
    'azure-responses': DEPLOYMENT,
    'litellm': "LiteLLM's name of a vendor>/<one of its models",
    'llamacpp-local': 'the path of a .gguf file, or the name of a repository with one',
    'mlx': FOLDER,
    'transformers': FOLDER,
    'vllm': FOLDER,
}
"""A description of the model name, for vendors that have no names of their own."""

KEY_WIDTH = 28
"""The width of the column of keys. A longer name moves the next column."""


def models(arguments: Namespace) -> None:
    """Print the prefixes, or the model strings that match the arguments."""
    if arguments.prefix == 'default':
        _run_default(arguments.name)
        return
    if arguments.name is not None:
        raise UsageError(f'{arguments.name!r} is one argument too many: `models default NAME` sets the default model')
    prefix, colon, beginning = (arguments.prefix or '').partition(':')
    prefix = ALIASES.get(prefix, prefix)
    if arguments.live or arguments.base_url:
        _list_live(prefix or 'openai', beginning, arguments.base_url, as_json=arguments.json)
    elif prefix:
        _list_names(prefix, f'{prefix}{colon}{beginning}', as_json=arguments.json)
    else:
        _list_prefixes(as_json=arguments.json)


def _run_default(name: str | None) -> None:
    """Print the default model, or set it."""
    if name is None:
        choice = choose_name(None)
        print(choice.name)
        if choice.reason:
            print_note(f'It is chosen {choice.reason}.')
        return
    build_model(name)  # raises the errors of a wrong name and of a missing key
    write_private(config_path(), json.dumps({**read_config(), 'model': name}, indent=2))
    print_note(f'The default model is {name}.')
    if os.environ.get(MODEL_VARIABLE):
        print_note(f'The environment variable {MODEL_VARIABLE} is set too, and wins.')


# ---------------------------------------------------------------------- known names


def _list_names(prefix: str, text: str, *, as_json: bool) -> None:
    """Print the known names that start with `text`, or else contain it. Raises `UserError` if no name matches."""
    names = list(list_known_names(f'{text}:' if text == prefix and _is_prefix(prefix) else text))
    names = names or [name for name in list_known_names() if text.lower() in name.lower()]
    if names:
        _print_facts([_find_facts(name) for name in names], as_json=as_json)
    elif _is_prefix(prefix) and text.removesuffix(':') == prefix:
        print(f'{prefix}:<{ANY_NAME.get(prefix, "any model of this vendor")}>')
    else:
        raise UserError(_describe_no_match(text, prefix))


@dataclass(frozen=True, slots=True)
class _Facts:
    """The facts that are known of a model."""

    name: str
    context_window: int | None
    prices: Prices | None


def _find_facts(name: str) -> _Facts:
    prefix, _, model_name = name.partition(':')
    system = NAMES[prefix].provider or prefix if prefix in NAMES else prefix
    return _Facts(name, find_context_window(system, model_name), find_model_prices(system, model_name))


def _print_facts(rows: Sequence[_Facts], *, as_json: bool) -> None:
    """Print one model per line: the name, the context window in tokens, the prices of a million tokens."""
    if as_json:
        print(to_json(rows, indent=2).decode())
        return
    width = max(len(row.name) for row in rows)
    for row in rows:
        window = f'{row.context_window:,} tokens' if row.context_window else ''
        price = _format_prices(row.prices) if row.prices is not None else ''
        print(f'{row.name:{width}}  {window:>16}  {price}'.rstrip())


def _format_prices(prices: Prices) -> str:
    known = [(prices.input, 'in'), (prices.output, 'out')]
    return ', '.join(f'${Decimal(str(price)).normalize():f} {what}' for price, what in known if price is not None)


def _describe_no_match(text: str, prefix: str) -> str:
    if _is_prefix(prefix):
        return (
            f'No known name contains {text!r}; if the vendor has it, it can be used. --live lists what the vendor has'
        )
    near = suggest_prefixes(prefix, [*NAMES, *SERVICES, *ALIASES])
    hint = f'did you mean {near}?' if near else '`pydantic-llm models` lists the prefixes'
    return f'No known name contains {text!r}; {hint}'


def _is_prefix(text: str) -> bool:
    return text in NAMES or text in SERVICES


def _list_prefixes(*, as_json: bool) -> None:
    """Print one line of at most 80 columns for each prefix: the variable of its key, and as many names as fit."""
    keys = key_variables()
    rows = [
        _Prefix(prefix, keys.get(prefix, ()), [*_iter_model_names(prefix)]) for prefix in sorted({*NAMES, *SERVICES})
    ]
    if as_json:
        print(to_json([{**asdict(row), 'key_is_set': row.used is not None} for row in rows], indent=2).decode())
        return
    lines = [(f'{row.prefix}:', _format_key(row), ', '.join(row.models)) for row in rows]
    lines.append(('test', 'needs none', 'an invented response, without a network'))
    width = max(len(prefix) for prefix, _, _ in lines)
    for prefix, key, names in [('', 'key', 'known names'), *lines]:
        start = f'{prefix:{width}}  {key:{KEY_WIDTH}}  '
        print(f'{start}{_shorten_list(names, LINE_WIDTH - len(start))}'.rstrip())
    print('\nAny other name of a vendor works too: write the prefix before it. (*: this key is set)')


@dataclass(frozen=True, slots=True)
class _Prefix:
    """A prefix of model strings."""

    prefix: str
    key_variables: tuple[str, ...]
    models: list[str]

    @property
    def used(self) -> str | None:
        """The variable that is set."""
        return find_set_variable(self.key_variables)


def _format_key(row: _Prefix) -> str:
    if row.used:
        return f'{row.used} *'
    return next(iter(row.key_variables), "its vendor's" if row.prefix == 'litellm' else 'needs none')


def _iter_model_names(prefix: str) -> Iterator[str]:
    return (name.partition(':')[2] for name in list_known_names(f'{prefix}:'))


def _shorten_list(text: str, width: int) -> str:
    """Return the first items of a list that fit, and '...' for the others."""
    if len(text) <= width:
        return text
    fitting = text[: width - 3].rpartition(', ')[0]
    return f'{fitting}, ...' if fitting else f'{text[: max(width - 3, 0)]}...'


# ---------------------------------------------------------------------- names that a server lists


def _list_live(prefix: str, beginning: str, base_url: str | None, *, as_json: bool) -> None:
    """Print the models that a server lists, as model strings. Raises `UserError` if the vendor lists none."""
    provider = make_provider(prefix, base_url)
    if provider is None:
        raise UserError(f'{prefix!r} cannot list its models; `pydantic-llm models` lists known ones')
    listed = asyncio.run(_fetch_names(provider))
    names = [f'{prefix}:{name}' for name in listed if name.startswith(beginning)]
    print(json.dumps(names, indent=2) if as_json else '\n'.join(names))


async def _fetch_names(provider: Provider[Any]) -> list[str]:
    try:
        return await list_models(provider)
    finally:
        await provider.aclose()
