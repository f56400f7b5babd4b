"""Templates: options and a prompt under a name, as TOML files; and the command that lists them.

The keys of a file are the long options (`model`, `system`, `option`, ...) and `prompt`. In `prompt` and `system`,
`$input` is the text of the user, and `$NAME` a value of `-p NAME=value`.
"""

from __future__ import annotations

import json
import re
import tomllib
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from .._suggestions import suggest_or_list
from ..exceptions import UserError
from .errors import UsageError
from .folders import home_folder, write_private
from .notes import print_note, shorten
from .options import SAVED_OPTIONS

__all__ = ('apply_template', 'fill_prompt', 'save_template', 'templates')

VALID_NAME = re.compile(r'[\w.-]+')


def templates(arguments: Namespace) -> None:
    """List, print or delete templates."""
    match arguments.action:
        case 'show':
            _load(arguments.name)
            print(_find_path(arguments.name).read_text(encoding='utf-8').rstrip())
        case 'remove':
            _load(arguments.name)
            _find_path(arguments.name).unlink()
        case 'path':
            print(_find_folder())
        case _:
            for path in sorted(_find_folder().glob('*.toml')):
                table = _load(path.stem)
                about = str(table.get('prompt') or table.get('system') or '')
                print(f'{path.stem:20} {shorten(about, 58)}'.rstrip())


def save_template(name: str, arguments: Namespace, prompt: str) -> None:
    """Save the prompt and the options that are set. Raises `UsageError` if both are missing, or for a wrong `$`."""
    table: dict[str, Any] = {'prompt': prompt} if prompt else {}
    table |= {key: getattr(arguments, key) for key in SAVED_OPTIONS if getattr(arguments, key)}
    if not table:
        raise UsageError('--save has nothing to save: give a prompt or options')
    for key in ('prompt', 'system'):
        if not Template(table.get(key, '')).is_valid():
            raise UsageError(f'{key} has a $ that begins no name: write $$ for a dollar')
    path = _find_path(name)
    # strings, lists and booleans of JSON are the same in TOML: https://toml.io/en/v1.0.0
    write_private(path, ''.join(f'{key} = {_format(value)}\n' for key, value in table.items()))
    print_note(f'Saved as {path}: pydantic-llm -t {name}')


def apply_template(arguments: Namespace) -> str | None:
    """Set the options of the template that are not given on the command line, and return its prompt."""
    if arguments.template is None:
        if arguments.param:
            raise UsageError('-p needs a template: -t')
        return None
    table = _load(arguments.template)
    prompt: str | None = table.pop('prompt', None)
    for name, value in table.items():
        if name not in vars(arguments):
            continue  # an option of `ask` in a template that `chat` uses
        old = getattr(arguments, name)
        if isinstance(value, list):
            setattr(arguments, name, [*value, *old])
        elif old is None or old is False:
            setattr(arguments, name, value)
    _check_params(arguments, Template(f'{prompt or ""}\n{arguments.system or ""}').get_identifiers())
    if arguments.system is not None:
        arguments.system = _substitute(arguments.system, arguments, '')
    return prompt


def _check_params(arguments: Namespace, names: Sequence[str]) -> None:
    """Raise `UsageError` for a `-p` without a value, or with a name that the template does not have."""
    for param in arguments.param:
        name, separator, _ = param.partition('=')
        if not separator:
            raise UsageError(f'-p {param!r} has no value: write -p name=value')
        if name not in names:
            hint = suggest_or_list(name, names) if names else ''
            raise UsageError(f'the template {arguments.template!r} has no ${name}{hint}')


def fill_prompt(template: str | None, text: str, arguments: Namespace) -> str:
    """Return the template's prompt with the user's text in place of `$input`, or below it."""
    if template is None:
        return text
    filled = _substitute(template, arguments, text)
    has_place = 'input' in Template(template).get_identifiers()
    return filled if has_place or not text.strip() else f'{filled}\n\n{text}'


def _substitute(template: str, arguments: Namespace, text: str) -> str:
    values = dict(param.partition('=')[::2] for param in arguments.param)
    try:
        return Template(template).substitute({'input': text, **values})
    except KeyError as error:
        raise UsageError(f'the template {arguments.template!r} needs a value: -p {error.args[0]}=...') from None
    except ValueError as error:
        raise UsageError(f'the template {arguments.template!r} is invalid ({error}): write $$ for a dollar') from None


def _load(name: str) -> dict[str, Any]:
    """Return the table of a template. Raises `UserError` if it does not exist or is invalid."""
    path = _find_path(name)
    try:
        table = tomllib.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        known = ', '.join(sorted(other.stem for other in _find_folder().glob('*.toml')))
        hint = f'known are {known}' if known else f"save one: pydantic-llm ask --save {name} 'Summarize $input'"
        raise UserError(f'There is no template {name!r}; {hint}') from None
    except ValueError as error:
        raise UserError(f'The template {str(path)!r} is not valid TOML: {error}') from None
    for key, value in table.items():
        _check(key, value, path)
    return table


def _check(key: str, value: object, path: Path) -> None:
    """Raise `UserError` unless a template can have this key with this value."""
    if key != 'prompt' and key not in SAVED_OPTIONS:
        raise UserError(
            f'The template {str(path)!r} has the unknown key {key!r}; known are prompt, {", ".join(SAVED_OPTIONS)}'
        )
    action = SAVED_OPTIONS[key].keywords.get('action') if key in SAVED_OPTIONS else None
    kind = {'append': list, 'store_true': bool}.get(action or '', str)
    if not isinstance(value, kind):
        raise UserError(f'{key} in the template {str(path)!r} is {value!r}: write a {kind.__name__}')


def _format(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace('\x7f', '\\u007f')


def _find_folder() -> Path:
    return home_folder() / 'templates'


def _find_path(name: str) -> Path:
    """Return the path of a template. Raises `UsageError` for a name that is a path."""
    if not VALID_NAME.fullmatch(name) or name.startswith('.'):
        raise UsageError(f'{name!r} cannot be the name of a template: use letters, digits, ".", "-" and "_"')
    return _find_folder() / f'{name}.toml'
