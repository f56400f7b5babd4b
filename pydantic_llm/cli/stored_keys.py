"""Keys that `pydantic-llm keys set` stores: in the keyring of the system, or in a file that only the owner may read.

A key has the name of its environment variable. `load_keys` sets the variables of stored keys for this process; a
variable that is set already is left as it is.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ..exceptions import UserError
from .folders import home_folder, read_json, write_private
from .notes import print_note

__all__ = ('IN_KEYRING', 'delete_key', 'keys_path', 'load_keys', 'read_index', 'store_key')

SERVICE = 'pydantic-llm'
"""The name of the service in the keyring."""

IN_KEYRING = {'keyring': SERVICE}
"""The entry of a key in the file if the keyring has the key itself."""

UNUSABLE = ('keyring.backends.fail', 'keyring.backends.null')
"""The modules of backends that store nothing: https://github.com/jaraco/keyring"""


def keys_path() -> Path:
    """Return the path of the file: by name of a variable, the key, or `IN_KEYRING`."""
    return home_folder() / 'keys.json'


def read_index() -> dict[str, Any]:
    """Return the entries of the file."""
    return read_json(keys_path())


def store_key(variable: str, key: str) -> Any:
    """Store a key in the keyring if there is one, or else in the file. Return the entry of the file."""
    keyring = _find_keyring()
    entry: Any = key
    if keyring is not None:
        with suppress(Exception):  # a keyring that is locked, or that has no service to reach
            keyring.set_password(SERVICE, variable, key)
            entry = IN_KEYRING
    _write_index({**read_index(), variable: entry})
    return entry


def delete_key(variable: str) -> None:
    """Delete a stored key. Raises `UserError` if no key is stored."""
    index = read_index()
    if variable not in index:
        raise UserError(f'No key is stored for {variable}: `pydantic-llm keys list` lists them')
    if index.pop(variable) == IN_KEYRING and (keyring := _find_keyring()) is not None:
        with suppress(Exception):  # it may have been deleted there
            keyring.delete_password(SERVICE, variable)
    _write_index(index)


def load_keys() -> None:
    """Set the environment variables of stored keys, unless their vendor has a key in the environment."""
    index = read_index()
    if not index:
        return
    from .vendors import key_variables  # imports the registry of services, which `ask` may do without

    groups = [*key_variables().values()]
    for variable, entry in index.items():
        vendor = {name for group in groups if variable in group for name in group} | {variable}
        if not any(os.environ.get(name) for name in vendor) and (key := _read_entry(variable, entry)):
            _set_variable(variable, key)


def _set_variable(name: str, key: str) -> None:
    try:
        os.environ[name] = key
    except ValueError as error:  # a NUL, or a name with '='
        raise _wrong_entry(name, error) from None


def _wrong_entry(name: str, reason: object) -> UserError:
    return UserError(f'{str(keys_path())!r} has a wrong entry {name!r} ({reason}): repair or delete it')


def _read_entry(variable: str, entry: object) -> str | None:
    """Return the key; `None`, with a note, if the keyring cannot be read. The model in use may not need this key."""
    if isinstance(entry, str):
        return entry
    if entry != IN_KEYRING:
        raise _wrong_entry(variable, 'neither a key nor the keyring')
    try:
        if (keyring := _find_keyring()) is None:
            raise UserError('pip install keyring, or set the key again')
        key: str | None = keyring.get_password(SERVICE, variable)
    except Exception as error:  # noqa: BLE001 -- each backend has errors of its own
        print_note(f'Note: {variable} cannot be read from the keyring of the system: {error}.')
        return None
    return key


def _write_index(index: dict[str, Any]) -> None:
    write_private(keys_path(), json.dumps(index, indent=2))


def _find_keyring() -> Any:
    """Return the package `keyring` if it is installed and has a backend that stores keys."""
    try:
        keyring: Any = import_module('keyring')
    except ImportError:
        return None
    return None if type(keyring.get_keyring()).__module__ in UNUSABLE else keyring
