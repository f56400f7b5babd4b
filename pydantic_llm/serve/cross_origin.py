"""CORS: which web pages may use an app with a key. https://developer.mozilla.org/docs/Web/HTTP/Guides/CORS."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from .._type_checks import check_type, raise_wrong_type
from ..exceptions import UserError
from .record import REQUEST_ID_HEADER

__all__ = ('allow_origins',)

MAX_AGE = 600
"""Seconds for which a browser may remember what is allowed."""


def allow_origins(origins: Collection[str], *, has_keys: bool) -> list[Middleware]:
    """Return the middleware that lets pages of these origins use the app. Raises `UserError` without keys."""
    if isinstance(origins, str) or not isinstance(cast('object', origins), Collection):
        raise_wrong_type('allowed_origins', 'a list of origins', origins)
    for origin in cast('Collection[object]', origins):
        check_type(origin, str, parameter='allowed_origins', expected='a list of origins', required=True)
        _check_origin(cast('str', origin))
    if not origins:
        return []
    if not has_keys:
        raise UserError('allowed_origins= needs keys: any page of these origins could use an app without a key')
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=['GET', 'POST'],
            allow_headers=['*'],
            expose_headers=[REQUEST_ID_HEADER, 'retry-after'],
            max_age=MAX_AGE,
        )
    ]


def _check_origin(origin: str) -> None:
    scheme, separator, host = origin.partition('://')
    if origin != '*' and not (scheme and separator and host and '/' not in host):
        example = "such as 'https://app.example'"
        raise UserError(f'allowed_origins holds {origin!r}: an origin is a scheme, a host and a port, {example}')
