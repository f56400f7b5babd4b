"""Downloads files that a vendor cannot download itself: `fetch`.

A URL comes from a conversation, and a conversation may come from an attacker. So only addresses of the public internet
are fetched, each redirect is checked again, and size and time are limited. The connection goes to the very address that
was checked, so that a name cannot resolve to another address after the check.
"""

from __future__ import annotations

import asyncio
import socket
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from ..exceptions import UserError
from .failure_reasons import find_reason, iterate_details

if TYPE_CHECKING:
    import ssl

    import httpx2

__all__ = ('USER_AGENT', 'fetch', 'redact_url')

MAX_BYTES = 50 * 1024 * 1024
MAX_REDIRECTS = 5
TIMEOUT = 60.0
"""Seconds until the complete file must have arrived."""

MAX_PORT = 0xFFFF

MAX_URL_LENGTH = 200
"""The number of characters of a URL in an error message."""

USER_AGENT = 'pydantic-llm'
"""The user agent. Some hosts refuse the default ones of HTTP libraries."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PRIVATE: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        *('192.0.0.0/24', '192.88.99.0/24', '::/96', '::ffff:0:0:0/96', 'fec0::/10', '64:ff9b:1::/48', '2002::/16'),
        *('3fff::/20', '5f00::/16'),  # documentation and SRv6: the registry of special-purpose addresses of IANA
    )
)
"""Networks that are not the public internet, but global for `ipaddress`: old forms, and tunnels into other networks."""

EMBEDDING = (IPv6Network('64:ff9b::/96'), IPv6Network('::ffff:0:0:0/96'), IPv6Network('::/96'))
"""Networks whose addresses hold an IPv4 address in their last 32 bits: RFC 6052, RFC 2765, RFC 4291 (deprecated)."""

CREDENTIAL_SERVERS: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        '169.254.169.254',  # most clouds
        'fd00:ec2::/32',  # Amazon: docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
        '169.254.170.0/24',  # Amazon ECS (.2) and EKS Pod Identity (.23; fd00:ec2::23)
        '168.63.129.16',  # Azure: learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        'fd20:ce::/32',  # Google Cloud: cloud.google.com/compute/docs/metadata/querying-metadata
        'fd00:c1::/32',  # Oracle: docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm
        '192.0.0.192',  # Oracle, the classic one
        '100.100.100.200',  # Alibaba Cloud
        '169.254.0.23',  # Tencent Cloud
        '169.254.42.42',  # Scaleway
        'fd00:42::/32',  # Scaleway
        'fe80::a9fe:a9fe',  # OpenStack: docs.openstack.org/nova/latest/user/metadata.html
    )
)
"""The addresses at which machines in a cloud get their credentials. Never fetched, not even with `allow_local`."""


async def fetch(url: str, *, allow_local: bool = False) -> tuple[bytes, str | None]:
    """Download a file, and return its bytes and the media type in the response.

    `allow_local` permits addresses of this machine and its network. Raises `UserError` if the URL may not be fetched
    (not http or https, private, too large, too slow) or if the response is not the file.
    """
    import httpx2

    label = redact_url(url)
    try:
        async with (
            asyncio.timeout(TIMEOUT),
            httpx2.AsyncClient(
                verify=_make_tls_context(), timeout=TIMEOUT, headers={'User-Agent': USER_AGENT}
            ) as client,
        ):
            return await _follow_redirects(client, httpx2.URL(url), label, allow_local=allow_local)
    except (TimeoutError, httpx2.TimeoutException):
        raise UserError(f'{label} could not be downloaded within {TIMEOUT:g} s') from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        reason, _ = find_reason(str(error) or type(error).__name__, iterate_details(error))
        raise UserError(f'{label} could not be downloaded: {reason}') from error


@cache
def _make_tls_context() -> ssl.SSLContext:
    """Return a shared TLS context: loading the certificates takes longer than most downloads."""
    import httpx2

    return httpx2.create_ssl_context()


async def _follow_redirects(
    client: httpx2.AsyncClient, url: httpx2.URL, label: str, *, allow_local: bool
) -> tuple[bytes, str | None]:
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(await _build_checked_request(client, url, allow_local=allow_local), stream=True)
        try:
            if not response.has_redirect_location:
                return await _read_file(response, label)
            url = url.join(response.headers['location'])
        finally:
            await response.aclose()
    raise UserError(f'{label} redirects more than {MAX_REDIRECTS} times')


async def _read_file(response: httpx2.Response, label: str) -> tuple[bytes, str | None]:
    if response.status_code != 200:
        raise UserError(f'{label} could not be downloaded: its server answered {response.status_code}')
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            raise UserError(f'{label} is larger than {MAX_BYTES} bytes')
    media_type = response.headers.get('content-type', '').partition(';')[0].strip().lower()
    return bytes(data), media_type or None


async def _build_checked_request(client: httpx2.AsyncClient, url: httpx2.URL, *, allow_local: bool) -> httpx2.Request:
    """Return a request to an address of the URL's host. Raises `UserError` unless all its addresses are permitted."""
    if url.scheme not in ('http', 'https') or not url.host or (url.port or 0) > MAX_PORT:
        raise UserError(f'{redact_url(str(url))} cannot be downloaded: only http and https addresses can')
    name = url.raw_host.decode('ascii')
    found = await asyncio.get_running_loop().getaddrinfo(name, url.port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]).partition('%')[0] for entry in found]
    for address in addresses:
        _check_address(ip_address(address), url, allow_local=allow_local)
    headers = {'Host': url.netloc.decode('ascii')}
    return client.build_request(
        'GET', url.copy_with(host=addresses[0]), headers=headers, extensions={'sni_hostname': name}
    )


def _check_address(address: Address, url: httpx2.URL, *, allow_local: bool) -> None:
    embedded = _unwrap_ipv4(address)
    if _is_in(address, CREDENTIAL_SERVERS) or _is_in(embedded, CREDENTIAL_SERVERS):
        raise UserError(
            f'{redact_url(str(url))} leads to {address}, where a cloud keeps credentials: it is never downloaded'
        )
    if not allow_local and not (_is_public(embedded) and not _is_in(address, PRIVATE)):
        raise UserError(
            f'{redact_url(str(url))} leads to {address}, which is not an address of the public internet; '
            "set force_download='allow-local' if it is meant"
        )


def _unwrap_ipv4(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 address, or the address itself."""
    if not isinstance(address, IPv6Address):
        return address
    if any(address in network for network in EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not _is_in(address, PRIVATE)


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def redact_url(url: str) -> str:
    """Return a URL for error messages, without its password and without its query, which may hold a signature."""
    scheme, separator, rest = url.partition('?')[0].partition('#')[0].partition('://')
    host, slash, path = rest.partition('/')
    short = f'{scheme}{separator}{host.rpartition("@")[2]}{slash}{path}'
    return repr(short if len(short) <= MAX_URL_LENGTH else f'{short[:MAX_URL_LENGTH]}…')
