"""The folder in which the command line keeps its files, which only their owner may read.

`config.json` has the default model and the switch of the log; `keys.json`, `logs.db` and `templates/` lie next to it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ..exceptions import UserError

__all__ = ('HOME_VARIABLE', 'config_path', 'home_folder', 'make_private', 'read_config', 'read_json', 'write_private')

HOME_VARIABLE = 'PYDANTIC_LLM_HOME'
"""The environment variable of the folder. It replaces the one that is usual on the system."""

OWNER_ONLY = 0o600


def home_folder() -> Path:
    """Return the folder, which may not exist yet. Raises `UserError` if the user has no home."""
    try:
        return _find_home()
    except RuntimeError as error:  # in a container, a user may have no home and no name
        raise UserError(f'{error} Set {HOME_VARIABLE} to a folder for the log and the keys') from None


def _find_home() -> Path:
    if given := os.environ.get(HOME_VARIABLE):
        return Path(given).expanduser()
    if sys.platform == 'darwin':
        return Path('~/Library/Application Support/pydantic-llm').expanduser()
    if sys.platform == 'win32':
        return Path(os.environ.get('APPDATA') or Path.home()) / 'pydantic-llm'
    # https://specifications.freedesktop.org/basedir/
    return Path(os.environ.get('XDG_CONFIG_HOME') or '~/.config').expanduser() / 'pydantic-llm'


def config_path() -> Path:
    """Return the path of the configuration, which may not exist yet."""
    return home_folder() / 'config.json'


CONFIG_KINDS: dict[str, type] = {'model': str, 'log': bool}
"""The entries of the configuration, and the types of their values."""


def read_config() -> dict[str, Any]:
    """Return the configuration, which is empty if the file does not exist. Raises `UserError` for a wrong value."""
    config = read_json(config_path())
    for name, kind in CONFIG_KINDS.items():
        if name in config and not isinstance(config[name], kind):
            raise UserError(f'{name!r} in {str(config_path())!r} is {config[name]!r}, not a {kind.__name__}')
    return config


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one if there is no file. Raises `UserError` for another content."""
    try:
        content: Any = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f'{str(path)!r} is not valid JSON ({error}): repair or delete it') from None
    if not isinstance(content, dict):
        raise UserError(f'{str(path)!r} is not a JSON object: repair or delete it')
    return content  # pyright: ignore[reportUnknownVariableType]  # JSON


def make_private(path: Path) -> None:
    """Create a file, and the folders above it, that only the owner may read and write. An old file loses other rights.

    https://docs.python.org/3/library/os.html#os.open
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, OWNER_ONLY))
    if path.stat().st_mode & 0o077:
        path.chmod(OWNER_ONLY)


def write_private(path: Path, content: str) -> None:
    """Write a file that only the owner may read. The old file is replaced when the new one is complete.

    A link stays, and the file that it leads to is replaced: some users keep their configuration in another folder.
    """
    path = path.resolve()
    new = path.with_name(f'.{path.name}.new')
    make_private(new)
    new.write_text(content, encoding='utf-8')
    new.replace(path)
