"""`pydantic-llm models`: the vendors, the known models of one, or those that a server says it has."""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any

from ..exceptions import UserError
from ..models.names import NAMES
from ..providers import Provider, infer_provider_class
from ..providers.registry import ALIASES, SERVICES
from ..transport.response import ClientConnection
from .choice import key_variables, known_names

__all__ = ('models',)

DEPLOYMENT, FOLDER = 'the name of your deployment', 'the name of a repository, or a folder'

ANY_NAME = {
    'azure': DEPLOYMENT,
    'azure-responses': DEPLOYMENT,
    'litellm': "LiteLLM's name of a vendor>/<one of its models",
    'mlx': FOLDER,
    'transformers': FOLDER,
    'vllm': FOLDER,
}
"""What a model's name is at a vendor that has no names of its own."""


def models(given: Namespace) -> None:
    """List them."""
    prefix, colon, beginning = (given.prefix or '').partition(':')
    prefix = ALIASES.get(prefix, prefix)
    if given.live or given.base_url:
        _list_live(prefix or 'openai', beginning, given.base_url)
    elif prefix:
        _list_names(prefix, f'{prefix}{colon}{beginning}')
    else:
        _list_prefixes()


# ---------------------------------------------------------------------- what is known


def _list_names(prefix: str, text: str) -> None:
    """The names of a vendor that begin with a text, or else all that hold it."""
    names = list(known_names(f'{text}:' if text == prefix and _is_prefix(prefix) else text))
    names = names or [name for name in known_names() if text.lower() in name.lower()]
    if names:
        print(*names, sep='\n')
    elif _is_prefix(prefix):
        print(f'{prefix}:<{ANY_NAME.get(prefix, "any model of this vendor")}>')
    else:
        raise UserError(_nothing(text, prefix))


def _nothing(text: str, prefix: str) -> str:
    near = ' or '.join(repr(match) for match in get_close_matches(prefix, [*NAMES, *SERVICES, *ALIASES], 2))
    hint = f'did you mean {near}?' if near else '`pydantic-llm models` lists what names can begin with'
    return f'No known name holds {text!r}; {hint}'


def _is_prefix(text: str) -> bool:
    return text in NAMES or text in SERVICES


def _list_prefixes() -> None:
    keys = key_variables()
    rows = [(f'{prefix}:', _key(prefix, keys), _examples(prefix)) for prefix in sorted({*NAMES, *SERVICES})]
    rows.append(('test', 'needs none', 'a made-up answer, without a network'))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for prefix, key, examples in [('', 'key', 'known names'), *rows]:
        print(f'{prefix:{widths[0]}}  {key:{widths[1]}}  {examples}'.rstrip())
    print('\nAny other name of a vendor works as well: write the prefix before it. (*: this key is set)')


def _key(prefix: str, keys: Mapping[str, tuple[str, ...]]) -> str:
    variables = keys.get(prefix, ())
    found = next((variable for variable in variables if os.environ.get(variable)), None)
    nothing = "its vendor's" if prefix == 'litellm' else 'needs none'
    return f'{found} *' if found else next(iter(variables), nothing)


def _examples(prefix: str) -> str:
    names = [name.partition(':')[2] for name in known_names(f'{prefix}:')]
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')


# ---------------------------------------------------------------------- what a server says


def _list_live(prefix: str, beginning: str, base_url: str | None) -> None:
    name = NAMES[prefix].provider if prefix in NAMES else prefix
    if name is None:
        raise UserError(_nobody(prefix))
    kind: Any = infer_provider_class(name)
    if base_url is not None and 'base_url' not in signature(kind).parameters:
        raise UserError(f'{prefix!r} takes no --base-url')
    names = asyncio.run(_ask(kind() if base_url is None else kind(base_url=base_url)))
    for model_name in names:
        if model_name.startswith(beginning):
            print(f'{prefix}:{model_name}')


def _nobody(name: str) -> str:
    return f'{name!r} cannot be asked for its models; `pydantic-llm models` lists known ones'


async def _ask(provider: Provider[Any]) -> list[str]:
    """The names that the server lists, by the vendor's own client."""
    try:
        return await _listed(provider)
    except Exception as error:  # noqa: BLE001 -- raised below, as the error that it is to a request
        failure = _explained(error, provider)
    raise failure


def _explained(error: Exception, provider: Provider[Any]) -> Exception:
    connection = provider.connection
    return connection.translator.translate(error, provider.name) if isinstance(connection, ClientConnection) else error


async def _listed(provider: Provider[Any]) -> list[str]:
    models: Any = getattr(provider.client, 'models', None)
    listing: Any = getattr(models, 'list_async', None) or getattr(models, 'list', None)
    if listing is None:
        raise UserError(_nobody(provider.name))
    async with provider.client:
        found: Any = listing()
        if hasattr(found, '__aiter__'):
            return [model.id async for model in found]
        answer: Any = await found
        listed: list[Any] = getattr(answer, 'data', None) or getattr(answer, 'models', None) or []
        return [getattr(model, 'id', None) or model.name for model in listed]
