"""Fetch a file that a vendor cannot fetch itself.

Only addresses that a stranger on the internet could reach are fetched, each redirect is checked again, and size and
time are limited: an address comes from a conversation, and a conversation may come from anybody. The address that was
checked is the one that is connected to, so that a name cannot resolve to another one in between.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ..exceptions import UserError

if TYPE_CHECKING:
    import httpx2

__all__ = ('fetch',)

MAX_BYTES = 50 * 1024 * 1024
"""A larger file is refused."""
MAX_REDIRECTS = 5
"""A longer chain is refused."""
TIMEOUT = 60.0
"""Seconds until the whole file must be here."""


@dataclass(frozen=True, slots=True)
class _Target:
    """An address that may be connected to."""

    url: str
    headers: Mapping[str, str]
    extensions: Mapping[str, Any]


async def fetch(url: str, *, allow_local: bool = False) -> tuple[bytes, str | None]:
    """The bytes of a file and the media type that its server names.

    Raises `UserError` for an address that may not be fetched (not http or https, private, too large, too slow) and for
    an answer that is not the file. `allow_local` permits addresses of this machine and its network.
    """
    import httpx2

    try:
        async with asyncio.timeout(TIMEOUT), httpx2.AsyncClient(follow_redirects=False) as client:
            return await _follow(client, url, allow_local=allow_local)
    except TimeoutError:
        raise UserError(f'{url!r} could not be downloaded within {TIMEOUT:g} s') from None
    except (httpx2.HTTPError, OSError) as error:
        raise UserError(f'{url!r} could not be downloaded: {error}') from error


async def _follow(client: httpx2.AsyncClient, url: str, *, allow_local: bool) -> tuple[bytes, str | None]:
    location = url
    for _ in range(MAX_REDIRECTS + 1):
        target = await _check(location, allow_local=allow_local)
        request = client.build_request('GET', target.url, headers=target.headers, extensions=dict(target.extensions))
        response = await client.send(request, stream=True)
        try:
            if not response.is_redirect:
                return await _read(response, url)
            location = urljoin(location, response.headers.get('location', ''))
        finally:
            await response.aclose()
    raise UserError(f'{url!r} redirects more than {MAX_REDIRECTS} times')


async def _read(response: httpx2.Response, url: str) -> tuple[bytes, str | None]:
    if response.status_code != 200:
        raise UserError(f'{url!r} could not be downloaded: its server answered {response.status_code}')
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            raise UserError(f'{url!r} is larger than {MAX_BYTES} bytes')
    media_type = response.headers.get('content-type', '').partition(';')[0].strip().lower()
    return bytes(data), media_type or None


async def _check(url: str, *, allow_local: bool) -> _Target:
    """Resolve an address, and refuse it unless everything that it resolves to may be reached."""
    parts = urlsplit(url)
    if parts.scheme not in ('http', 'https') or not parts.hostname:
        raise UserError(f'{url!r} cannot be downloaded: only http and https addresses can')
    port = parts.port or (443 if parts.scheme == 'https' else 80)
    found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]).partition('%')[0] for entry in found]
    if not allow_local:
        for address in addresses:
            if not ip_address(address).is_global or ip_address(address).is_multicast:
                raise UserError(
                    f'{url!r} leads to {address}, which is not an address of the public internet; '
                    "set force_download='allow-local' if it is meant"
                )
    chosen = f'[{addresses[0]}]' if ':' in addresses[0] else addresses[0]
    pinned = parts._replace(netloc=f'{chosen}:{port}', fragment='').geturl()
    return _Target(pinned, {'Host': parts.netloc.rpartition('@')[2]}, {'sni_hostname': parts.hostname})
