"""The settings of a request to a `CachedModel`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from ..._checks import check_number
from ..._suggestions import suggest, suggest_or_list
from ...exceptions import UserError
from ...settings import ModelSettings

__all__ = ('CacheMode', 'CacheOptions', 'CachedModelSettings', 'refuse_unknown')

CacheMode = Literal['default', 'bypass', 'refresh', 'only']
"""The use of the cache.

`default`: return the stored response, or send the request and store its response. `bypass`: do neither read nor store.
`refresh`: send the request, and replace the stored response. `only`: raise `CacheMissError` if nothing is stored."""

PREFIX = 'response_cache_'


class CachedModelSettings(ModelSettings, total=False):
    """Settings of a request to a `CachedModel`. They have nothing to do with `cache`, the vendor's cache of prompts."""

    response_cache_mode: CacheMode
    """The use of the cache. Default: `'default'`."""

    response_cache_ttl: float
    """Seconds for which the response is stored. A stored response that is older is not returned.
    Default: the `ttl` of the model."""

    response_cache_scope: str
    """A text that separates requests: those with another text do not get this response. For a tenant, a user, or the
    number of a sample."""


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """The settings of one request, checked."""

    mode: CacheMode = 'default'
    ttl: float | None = None
    scope: str = ''

    @classmethod
    def of(cls, settings: Mapping[str, Any], ttl: float | None) -> CacheOptions:
        """Return the options. `ttl` is the default. Raises `UserError` for an invalid value."""
        own = {name: value for name, value in settings.items() if name.startswith(PREFIX)}
        if not own:
            return cls(ttl=ttl)
        mode, scope = own.get('response_cache_mode', 'default'), own.get('response_cache_scope', '')
        if mode not in get_args(CacheMode):
            known = ', '.join(map(repr, get_args(CacheMode)))
            raise UserError(f'response_cache_mode is {mode!r}: give one of {known}{suggest(mode, get_args(CacheMode))}')
        if not isinstance(scope, str):
            raise UserError(f'response_cache_scope is {scope!r}: give a text')
        check_number('response_cache_ttl', own.get('response_cache_ttl'), above=0)
        return cls(cast('CacheMode', mode), own.get('response_cache_ttl', ttl), scope)


_NAMES = tuple(name for name in CachedModelSettings.__annotations__ if name.startswith(PREFIX))


def refuse_unknown(settings: object) -> None:
    """Raise `UserError` for a setting with the prefix of the cache that it does not have."""
    names = [*cast('Mapping[str, object]', settings)] if isinstance(settings, Mapping) else []
    if unknown := next((name for name in names if name.startswith(PREFIX) and name not in _NAMES), None):
        raise UserError(f'There is no setting {unknown!r}{suggest_or_list(unknown, _NAMES)}')
