"""Distinguishes the settings of other APIs, which are skipped, from names that no API has.

A setting with another API's prefix is skipped silently, so that one set of settings can serve several models. A name
that no API declares is a mistake: it is reported, with the name that was probably meant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from importlib import import_module

from .._suggestions import suggest
from ..settings import ModelSettings

__all__ = (
    'EverySetting',
    'describe_drop',
    'register_setting_names',
    'suggest_foreign_name',
    'suggest_unknown',
)

REPLACEMENTS = {'stop_sequences': '; the text of the response is truncated at them here'}
"""Settings that this package replaces if the model refuses them -> the words for that."""

_registered: dict[str, set[str] | None] = {}
"""The prefixes of all classes of models that were imported, those of other packages included, and the names of their
settings; `None` if a class accepts every name with its prefix."""


def register_setting_names(prefix: str, names: Collection[str] | None) -> None:
    """Register the settings of a class of models."""
    known = _registered.get(prefix, set())
    _registered[prefix] = None if names is None or known is None else known | {*names}


def describe_drop(setting: str, reason: str) -> str:
    """Return the sentence for a setting that is not sent."""
    return f'{setting!r} was not sent: {reason}{REPLACEMENTS.get(setting, "")}'


def suggest_foreign_name(name: str) -> str | None:
    """Return `None` if the name is a setting of another API, else a "did you mean", which may be empty."""
    from ..models.names import SETTING_HOMES

    prefix = next((prefix for prefix in (*SETTING_HOMES, *_registered) if prefix and name.startswith(prefix)), None)
    if prefix is None:
        return ''
    registered = _registered.get(prefix, set())
    known = _load_names(prefix) | (registered or set())
    return None if registered is None or name in known else suggest(name, known)


def suggest_unknown(name: str) -> str | None:
    """Return `None` if any API has a setting of this name, else a "did you mean", which may be empty."""
    if name in ModelSettings.__annotations__ or (meant := suggest_foreign_name(name)) is None:
        return None
    return meant or suggest(name, ModelSettings.__annotations__)


class EverySetting(Collection[str]):
    """The names of the settings of all APIs: what a model for tests accepts."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and suggest_unknown(name) is None

    def __iter__(self) -> Iterator[str]:
        return iter(ModelSettings.__annotations__)

    def __len__(self) -> int:
        return len(ModelSettings.__annotations__)


@cache
def _load_names(prefix: str) -> frozenset[str]:
    """Return the names of the settings that the rooms of this package declare with a prefix."""
    from ..models.names import SETTING_HOMES

    names: set[str] = set()
    for home in SETTING_HOMES.get(prefix, ()):
        module, _, attribute = home.partition(':')
        declared = getattr(import_module(f'pydantic_llm.models.{module}'), attribute)
        names.update(declared.__annotations__ if isinstance(declared, type) else declared)
    return frozenset(names)
