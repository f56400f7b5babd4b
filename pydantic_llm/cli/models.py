"""`pydantic-llm models`: list the prefixes, the known models of one vendor, or the models that a server lists.

Known names have their context windows and prices beside them, if the package `genai-prices` is installed.
"""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from inspect import signature
from typing import Any

from pydantic_core import to_json

from ..exceptions import UserError
from ..models.names import NAMES
from ..prices import Prices, find_context_window, find_model_prices
from ..providers import Provider, infer_provider_class
from ..providers.provider import connect
from ..providers.registry import ALIASES, SERVICES
from ..transport.response import ClientConnection
from .choice import key_variables, list_known_names

__all__ = ('models',)

DEPLOYMENT = 'the name of your deployment'
FOLDER = 'the name of a repository, or a folder'

ANY_NAME = {
    'azure': DEPLOYMENT,
    'azure-responses': DEPLOYMENT,
    'litellm': "LiteLLM's name of a vendor>/<one of its models",
    'mlx': FOLDER,
    'transformers': FOLDER,
    'vllm': FOLDER,
}
"""A description of the model name, for vendors that have no names of their own."""


def models(arguments: Namespace) -> None:
    """Print the prefixes, or the model strings that match the arguments."""
    prefix, colon, beginning = (arguments.prefix or '').partition(':')
    prefix = ALIASES.get(prefix, prefix)
    if arguments.live or arguments.base_url:
        _list_live(prefix or 'openai', beginning, arguments.base_url)
    elif prefix:
        _list_names(prefix, f'{prefix}{colon}{beginning}', as_json=arguments.json)
    else:
        _list_prefixes()


# ---------------------------------------------------------------------- known names


def _list_names(prefix: str, text: str, *, as_json: bool) -> None:
    """Print the known names that start with `text`, or else contain it. Raises `UserError` if no name matches."""
    names = list(list_known_names(f'{text}:' if text == prefix and _is_prefix(prefix) else text))
    names = names or [name for name in list_known_names() if text.lower() in name.lower()]
    if names:
        _print_facts([_find_facts(name) for name in names], as_json=as_json)
    elif _is_prefix(prefix):
        print(f'{prefix}:<{ANY_NAME.get(prefix, "any model of this vendor")}>')
    else:
        raise UserError(_describe_no_match(text, prefix))


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of a model."""

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
    near = ' or '.join(repr(match) for match in get_close_matches(prefix, [*NAMES, *SERVICES, *ALIASES], 2))
    hint = f'did you mean {near}?' if near else '`pydantic-llm models` lists the prefixes'
    return f'No known name contains {text!r}; {hint}'


def _is_prefix(text: str) -> bool:
    return text in NAMES or text in SERVICES


def _list_prefixes() -> None:
    keys = key_variables()
    rows = [
        (f'{prefix}:', _format_key(prefix, keys), _format_examples(prefix)) for prefix in sorted({*NAMES, *SERVICES})
    ]
    rows.append(('test', 'needs none', 'an invented response, without a network'))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for prefix, key, examples in [('', 'key', 'known names'), *rows]:
        print(f'{prefix:{widths[0]}}  {key:{widths[1]}}  {examples}'.rstrip())
    print('\nAny other name of a vendor works too: write the prefix before it. (*: this key is set)')


def _format_key(prefix: str, keys: Mapping[str, tuple[str, ...]]) -> str:
    variables = keys.get(prefix, ())
    if used := next((variable for variable in variables if os.environ.get(variable)), None):
        return f'{used} *'
    return next(iter(variables), "its vendor's" if prefix == 'litellm' else 'needs none')


def _format_examples(prefix: str) -> str:
    names = [name.partition(':')[2] for name in list_known_names(f'{prefix}:')]
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')


# ---------------------------------------------------------------------- names that a server lists


def _list_live(prefix: str, beginning: str, base_url: str | None) -> None:
    """Print the models that a server lists, as model strings. Raises `UserError` if the vendor lists none."""
    name = NAMES[prefix].provider if prefix in NAMES else prefix
    if name is None:
        raise UserError(_describe_no_list(prefix))
    kind: Any = infer_provider_class(name)
    if base_url is not None and 'base_url' not in signature(kind).parameters:
        raise UserError(f'{prefix!r} takes no --base-url')
    names = asyncio.run(_fetch_names(kind() if base_url is None else kind(base_url=base_url)))
    for model_name in names:
        if model_name.startswith(beginning):
            print(f'{prefix}:{model_name}')


def _describe_no_list(name: str) -> str:
    return f'{name!r} cannot list its models; `pydantic-llm models` lists known ones'


async def _fetch_names(provider: Provider[Any]) -> list[str]:
    """Return the names that the server lists. Raises the errors that a request to a model would raise."""
    try:
        return await _call_list_method(provider)
    except Exception as error:  # noqa: BLE001 -- raised below, as the error of a request
        failure = _explain_failure(error, provider)
    raise failure


def _explain_failure(error: Exception, provider: Provider[Any]) -> Exception:
    try:
        connection = connect(provider)  # through the vendor's client, which listed the models
    except UserError:  # of a client that sends no requests of ours
        connection = provider.connection
    return connection.translator.translate(error, provider.name) if isinstance(connection, ClientConnection) else error


async def _call_list_method(provider: Provider[Any]) -> list[str]:
    """Call the method of the vendor's client that lists models; its name and result differ from client to client."""
    models: Any = getattr(provider.client, 'models', None)
    listing: Any = getattr(models, 'list_async', None) or getattr(models, 'list', None)
    if listing is None:
        raise UserError(_describe_no_list(provider.name))
    async with provider.client:
        pages: Any = listing()
        if hasattr(pages, '__aiter__'):
            return [model.id async for model in pages]
        page: Any = await pages
        listed: list[Any] = getattr(page, 'data', None) or getattr(page, 'models', None) or []
        return [getattr(model, 'id', None) or model.name for model in listed]
