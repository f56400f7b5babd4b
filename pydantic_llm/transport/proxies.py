"""The proxies that the environment names, for a client that is not httpx2's: `Proxies`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.request import getproxies

import httpx2

__all__ = ('Proxies',)

SUPPORTED = ('http', 'https')
"""The schemes of the proxies that aiohttp can use."""


class Proxies:
    """The proxies of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, read once, when the object is made.

    The decision for each URL is that of httpx2, made by httpx2's own functions. They are private, so they are imported
    only if the environment names a proxy. Raises `ImportError` if they are missing.
    """

    def __init__(self) -> None:
        self._by_pattern: Mapping[Any, str | None] = _read_environment() if getproxies() else {}

    @property
    def unsupported_scheme(self) -> str | None:
        """The scheme of the first proxy that is not in `SUPPORTED`, such as `'socks5'`; `None` if there is no such."""
        schemes = [proxy.partition('://')[0].lower() for proxy in self._by_pattern.values() if proxy is not None]
        return next((scheme for scheme in schemes if scheme not in SUPPORTED), None)

    def find(self, url: httpx2.URL) -> str | None:
        """Return the URL of the proxy for a URL; `None` for a direct connection."""
        return next((proxy for pattern, proxy in self._by_pattern.items() if pattern.matches(url)), None)


def _read_environment() -> Mapping[Any, str | None]:
    """Return proxies by pattern, the most specific pattern first: `Client.__init__` in httpx2/_client.py."""
    from httpx2._utils import URLPattern, get_environment_proxies

    by_pattern = {URLPattern(pattern): proxy for pattern, proxy in get_environment_proxies().items()}
    return dict(sorted(by_pattern.items()))
