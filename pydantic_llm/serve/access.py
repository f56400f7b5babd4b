"""Checks which requests an app accepts: by its keys, or, without keys, by the `Host` and `Origin` of the request.

`Access.check` does both. `HideQueryKey` takes keys out of URLs, which servers log.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256
from ipaddress import ip_address
from typing import cast
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from .._type_checks import check_type, raise_wrong_type
from ..exceptions import AuthenticationError, UserError
from .keys import GatewayKey

__all__ = ('Access', 'HideQueryKey')

KEY_HEADERS = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key')
"""The headers in which clients send their key: those of OpenAI, Anthropic, Azure and Google."""

KEY_PARAMETER = 'key'
"""The parameter of a URL in which some of Google's clients send their key:
https://docs.cloud.google.com/docs/authentication/api-keys-use"""

SCOPE_KEYS = 'pydantic_llm.query_keys'
"""The entry of an ASGI scope with the keys that were in the URL."""

HIDDEN = 'hidden'
"""The text in place of a key."""

NAME = r'(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)\.?'
"""An IPv6 address, or a name or IPv4 address, which may end in the dot of the root."""

HOST = re.compile(NAME + r'(:[0-9]{0,5})?')
ORIGIN = re.compile(r'[a-z][a-z0-9+.-]*://' + NAME + r'(:[0-9]{0,5})?')
HOST_NAME = re.compile(NAME)


class Access:
    """Decides which requests an app accepts. It keeps the digests of keys only, so that nothing shows a key."""

    def __init__(self, keys: Sequence[GatewayKey], allowed_hosts: Collection[str]) -> None:
        self._keys = {_digest(key.key): replace(key, key=HIDDEN) for key in keys}
        self._allowed_hosts = _read_hosts(allowed_hosts)

    def check(self, request: HTTPConnection) -> GatewayKey | None:
        """Return the key of the request; `None` if the app has no keys and the request names a known host.

        Raises `AuthenticationError` for any other request.
        """
        if not self._keys:
            self._check_origin(request, self._check_host(request))
            return None
        # Clients may send two headers: Anthropic's do. The time of a search for a digest says nothing about a key.
        found = [self._keys.get(_digest(key)) for key in _find_keys(request)]
        known = next((key for key in found if key is not None), None)
        if known is None:
            raise AuthenticationError(401, '', message='The key of this server is missing from the request, or wrong')
        return known

    def _check_host(self, request: HTTPConnection) -> str:
        """Return the host's name. A host that is not known may be the name of a web page's own server.

        DNS rebinding: a page of evil.example reaches 127.0.0.1 by its own name, and browsers see one origin
        (https://developer.mozilla.org/docs/Glossary/DNS_rebinding). An IP address cannot be rebound.
        """
        hosts = request.headers.getlist('host')
        name = _find_name(HOST, hosts[0]) if len(hosts) == 1 else None
        if name is None or not (self._is_known(name) or _is_address(name)):
            shown = ', '.join(hosts)[:100]
            message = f'The server has no key and does not know the host {shown!r}: set a key, or allow the host'
            raise AuthenticationError(403, '', message=message)
        return name

    def _check_origin(self, request: HTTPConnection, host: str) -> None:
        """Refuse the requests that a browser sends for a page of another machine: it names the page's origin.

        https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Origin
        """
        for origin in request.headers.getlist('origin'):
            name = _find_name(ORIGIN, origin)
            if name is None or not (name == host or self._is_known(name) or _is_address(name, loopback=True)):
                shown = origin[:100]
                message = f'The server has no key and does not serve pages of {shown!r}: set a key, or allow the host'
                raise AuthenticationError(403, '', message=message)

    def _is_known(self, name: str) -> bool:
        return name == 'localhost' or name.endswith('.localhost') or name in self._allowed_hosts


class HideQueryKey:
    """An ASGI middleware that takes keys out of the URL before a server or a proxy in this process can log it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query: bytes = scope.get('query_string', b'')
        if query:
            pairs = parse_qsl(query.decode('latin-1'), keep_blank_values=True)
            scope[SCOPE_KEYS] = [value for name, value in pairs if name == KEY_PARAMETER]
            kept = [(name, value) for name, value in pairs if name != KEY_PARAMETER]
            scope['query_string'] = urlencode(kept).encode()
        await self._app(scope, receive, send)


def _find_keys(request: HTTPConnection) -> list[str]:
    """Return the keys in a request, at most one of each header and one of the URL. Raises `AuthenticationError`."""
    places = {name: request.headers.getlist(name) for name in KEY_HEADERS}
    places['authorization'] = [_strip_scheme(value) for value in places['authorization']]
    places[KEY_PARAMETER] = request.scope.get(SCOPE_KEYS, [])
    if repeated := next((name for name, keys in places.items() if len(keys) > 1), None):
        raise AuthenticationError(401, '', message=f'The request has several keys in {repeated!r}: send one')
    return [key for keys in places.values() for key in keys]


def _strip_scheme(authorization: str) -> str:
    scheme, _, key = authorization.partition(' ')
    return key.strip() if scheme.lower() == 'bearer' else authorization


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _read_hosts(hosts: object) -> frozenset[str]:
    """Return the names in lower case. Raises `UserError` for a value that is not the name of a host."""
    if isinstance(hosts, str) or not isinstance(hosts, Collection):
        raise_wrong_type('allowed_hosts', 'a list of names of hosts', hosts)
    names: set[str] = set()
    for host in cast('Collection[object]', hosts):
        check_type(host, str, parameter='allowed_hosts', expected='a list of names of hosts', required=True)
        name = _find_name(HOST_NAME, cast('str', host))
        if name is None:
            raise UserError(f'allowed_hosts= holds {host!r}: pass the name alone, without a scheme, a port or a path')
        names.add(name)
    return frozenset(names)


def _find_name(form: re.Pattern[str], value: str) -> str | None:
    """Return the name in the value of a `Host` or `Origin` header, in lower case, or None if it has another form."""
    found = form.fullmatch(value.lower())
    return found['name'].strip('[]') if found else None


def _is_address(name: str, *, loopback: bool = False) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not loopback
