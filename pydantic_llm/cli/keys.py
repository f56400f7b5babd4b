"""`pydantic-llm keys`: store, list and delete the keys of vendors."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from getpass import getpass

from ..providers import check_key
from .errors import UsageError
from .notes import print_note
from .stored_keys import IN_KEYRING, delete_key, keys_path, read_index, store_key
from .vendors import find_key_variables, key_variables

__all__ = ('keys',)


def keys(arguments: Namespace) -> None:
    """Run one action on the keys."""
    match arguments.action:
        case 'set':
            _set(arguments.vendor)
        case 'remove':
            variable = _find_stored(arguments.vendor)
            delete_key(variable)
            print_note(f'{variable} is deleted.')
        case 'list':
            _list()
        case _:
            print(keys_path())


def _set(vendor: str) -> None:
    variable = find_key_variables(vendor)[0]
    key = getpass(f'{variable}: ') if sys.stdin.isatty() else sys.stdin.read()
    if not key.strip():
        raise UsageError('the key is empty: type it, or pipe it in')
    entry = store_key(variable, check_key(key.strip(), where='the input', provider=vendor))
    place = 'the keyring of the system' if entry == IN_KEYRING else f'{keys_path()}, which only you can read'
    print_note(f'{variable} is stored in {place}.')
    if os.environ.get(variable):
        print_note(f'The environment variable {variable} is set too, and wins.')


def _find_stored(vendor: str) -> str:
    variables = find_key_variables(vendor)
    return next((variable for variable in variables if variable in read_index()), variables[0])


def _list() -> None:
    """Print the variables of keys that are set or stored, and the place of each key; never the key."""
    index = read_index()
    known = dict.fromkeys(variable for variables in key_variables().values() for variable in variables)
    rows = {name: 'environment' for name in known if os.environ.get(name)}
    for name, entry in index.items():
        place = 'keyring' if entry == IN_KEYRING else 'file'
        rows[name] = f'environment (the one in the {place} is not used)' if os.environ.get(name) else place
    if not rows:
        print_note('No key is set or stored: pydantic-llm keys set openai')
    for name, place in sorted(rows.items()):
        print(f'{name:28} {place}')
