"""`pydantic-llm models`: the vendors, or the models of one."""

from __future__ import annotations

import os
from argparse import Namespace

from ..exceptions import UserError
from ..models._names import NAMES
from ..providers.registry import SERVICES
from .choice import key_variables, known_names

__all__ = ('models',)


def models(given: Namespace) -> None:
    """List them."""
    if given.prefix:
        _list_names(given.prefix)
    else:
        _list_prefixes()


def _list_names(prefix: str) -> None:
    names = list(known_names(prefix))
    if not names and prefix.partition(':')[0] not in {*NAMES, *SERVICES}:
        raise UserError(f'No known name begins with {prefix!r}: `pydantic-llm models` lists what names can begin with')
    for name in names:
        print(name)
    if not names:
        print(f'{prefix.partition(":")[0]}:<any model of this vendor>')


def _list_prefixes() -> None:
    keys = key_variables()
    rows = [(f'{prefix}:', _key(keys.get(prefix, ())), _examples(prefix)) for prefix in sorted({*NAMES, *SERVICES})]
    rows.append(('test', 'needs none', 'a made-up answer, without a network'))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for prefix, key, examples in [('', 'key', 'known names'), *rows]:
        print(f'{prefix:{widths[0]}}  {key:{widths[1]}}  {examples}'.rstrip())
    print('\nAny other name of a vendor works as well: write the prefix before it. (*: this key is set)')


def _key(variables: tuple[str, ...]) -> str:
    found = next((variable for variable in variables if os.environ.get(variable)), None)
    return f'{found} *' if found else next(iter(variables), 'needs none')


def _examples(prefix: str) -> str:
    names = [name.partition(':')[2] for name in known_names(f'{prefix}:')]
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
