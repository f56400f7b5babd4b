"""`pydantic-llm doctor`: check extras, keys and files, with one real request to each vendor that has a key.

Each check is a line. The exit code is 1 if a check failed; what is not installed or not configured is not a failure.
"""

from __future__ import annotations

import asyncio
import os
import platform
from argparse import Namespace
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from time import perf_counter
from typing import NamedTuple

from .. import __version__
from ..exceptions import LLMError, UserError
from ..messages import ModelRequest
from ..models import infer_model
from ..models.names import find_prefix
from ..settings import ModelSettings
from .choice import default_model_name
from .errors import describe_error
from .folders import home_folder
from .log import is_log_on
from .vendors import find_default_name, find_set_variable, key_variables

__all__ = ('doctor',)

PROMPT = 'Reply with OK.'

SETTINGS = ModelSettings(max_tokens=16, timeout=30, retries=0)
"""The settings of a request. A model that thinks may need more tokens for text; it has responded then, too."""

GOOD, BAD, ABSENT = 'ok', 'FAILED', '-'


class Check(NamedTuple):
    """The result of one check."""

    status: str
    name: str
    text: str


def doctor(arguments: Namespace) -> None:
    """Print the checks. Raises `SystemExit` with 1 if one failed."""
    for name in arguments.vendors:
        if find_prefix(name) is None and name != 'test':
            raise UserError(f'{name!r} is not a prefix of models: `pydantic-llm models` lists them')
    failed = False
    for title, checks in (
        ('Installation', _check_installation()),
        ('Extras', _check_extras()),
        ('Keys', _check_keys()),
        ('Requests', _check_requests(arguments)),
    ):
        print(f'{title}:')
        for check in checks:
            failed |= check.status == BAD
            print(f'  {check.status:7} {check.name:18} {check.text}'.rstrip(), flush=True)
    if failed:
        raise SystemExit(1)


def _check_installation() -> Iterator[Check]:
    yield Check(GOOD, 'pydantic-llm', f'{__version__}, Python {platform.python_version()}')
    folder = home_folder()
    is_writable = os.access(folder if folder.exists() else next(p for p in folder.parents if p.exists()), os.W_OK)
    state = f'{folder}, the log is {"on" if is_log_on() else "off"}'
    yield Check(GOOD if is_writable else BAD, 'files', state if is_writable else f'{folder} cannot be written to')
    try:
        yield Check(GOOD, 'default model', default_model_name())
    except UserError:
        yield Check(ABSENT, 'default model', 'none: give -m, set PYDANTIC_LLM_MODEL, or `models default NAME`')


def _check_extras() -> Iterator[Check]:
    """Yield a check for each extra of the package, by the metadata of the installed packages."""
    for extra, packages in sorted(_read_extras().items()):
        found = [*map(_find_version, packages)]
        if all(found):
            yield Check(
                GOOD, extra, ', '.join(f'{name} {number}' for name, number in zip(packages, found, strict=True))
            )
        else:
            yield Check(ABSENT, extra, f"not installed: pip install 'pydantic-llm[{extra}]'")


def _read_extras() -> dict[str, list[str]]:
    """Return the packages of each extra, without those that other systems need."""
    extras: dict[str, list[str]] = {}
    for line in requires('pydantic-llm') or ():
        requirement, _, marker = line.partition(';')
        if 'extra ==' in marker and 'sys_platform' not in marker and 'pydantic-llm[' not in requirement:
            extra = marker.split('extra ==')[1].strip().strip('\'"()')
            extras.setdefault(extra, []).append(_read_package_name(requirement))
    extras.pop('all', None)
    return extras


def _read_package_name(requirement: str) -> str:
    end = next((index for index, character in enumerate(requirement) if character in ' [<>=!~('), len(requirement))
    return requirement[:end]


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _check_keys() -> Iterator[Check]:
    configured = [*_find_configured()]
    for prefix, variable in configured:
        yield Check(GOOD, prefix, variable)
    if not configured:
        yield Check(ABSENT, 'none', 'pydantic-llm keys set openai, or set OPENAI_API_KEY, ANTHROPIC_API_KEY, ...')


def _find_configured() -> Iterator[tuple[str, str]]:
    """Yield each vendor with a key once, by its first prefix, and the variable."""
    seen: set[tuple[str, ...]] = set()
    for prefix, variables in key_variables().items():
        used = find_set_variable(variables)
        if used is not None and variables not in seen:
            seen.add(variables)
            yield prefix, used


def _check_requests(arguments: Namespace) -> Iterator[Check]:
    prefixes: Iterable[str] = arguments.vendors or [prefix for prefix, _ in _find_configured()]
    if arguments.offline:
        yield Check(ABSENT, 'none', 'not sent, because of --offline')
        return
    if not prefixes:
        yield Check(ABSENT, 'none', 'no vendor has a key')
    for prefix in prefixes:
        name = 'test' if prefix == 'test' else find_default_name(prefix)
        if name is None:
            yield Check(ABSENT, prefix, f'no default model: pydantic-llm ask -m {prefix}:MODEL {PROMPT!r}')
        else:
            yield asyncio.run(_send(prefix, name))


async def _send(prefix: str, name: str) -> Check:
    started = perf_counter()
    try:
        async with infer_model(name) as model:
            response = await model.request([ModelRequest.user_text_prompt(PROMPT)], SETTINGS)
    except (LLMError, OSError) as error:
        return Check(BAD, prefix, f'{name}: {describe_error(error)}')
    return Check(GOOD, prefix, f'{response.model_name or name} in {perf_counter() - started:.1f} s')
