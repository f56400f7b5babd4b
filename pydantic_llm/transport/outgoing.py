"""The requests that a client of ours sends, prepared as httpx2 prepares its own: `OutgoingRequest`. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import httpx2

from ..exceptions import UserError
from .client_errors import INVALID_HEADER
from .file_body import FileBody
from .guard import ACCEPTED_ENCODINGS

__all__ = (
    'CONTENT_LENGTH',
    'OutgoingRequest',
    'Target',
    'complete_headers',
    'find_target',
    'merge_headers',
)

HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
"""RFC 9110, section 5.6.2: the names that h11, below httpx2, sends."""

HEADER_VALUE = re.compile(r'([^\0\s]+([ \t]+[^\0\s]+)*)?')
"""The values that h11 sends: without a space at either end, and without a line break."""


ENCODING = 'accept-encoding'

CONTENT_LENGTH = 'Content-Length'
"""The name of the header with the size of the body."""


@dataclass(frozen=True, slots=True)
class Target:
    """The address of a request, with all that depends on the URL alone."""

    parsed: httpx2.URL = field(repr=False)
    """The URL as httpx2 reads it."""
    url: str
    """The URL as httpx2 sends it, without the user's name and password."""
    host: str
    """The value of the `Host` header."""
    authorization: str | None = field(repr=False)
    """The `Authorization` header for the user's name and password in the URL."""


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request with all of its headers, in the order in which they are sent."""

    method: str
    target: Target
    fields: Mapping[str, str] = field(repr=False)
    """The headers, with their names as they are sent."""
    body: bytes | FileBody = field(repr=False)

    @property
    def headers(self) -> httpx2.Headers:
        """The headers, with case-insensitive names."""
        return httpx2.Headers(self.fields)

    @property
    def url(self) -> str:
        """The URL, for messages about errors."""
        return self.target.url


@lru_cache(maxsize=256)
def find_target(url: str) -> Target:
    """Return the target for a URL. Raises `httpx2.InvalidURL` or `httpx2.UnsupportedProtocol`."""
    parsed = httpx2.URL(url)
    host = parsed.netloc.decode('ascii')
    if parsed.scheme not in ('http', 'https') or not host:
        raise httpx2.UnsupportedProtocol(f'the URL {url!r} has no host, or a scheme other than http and https')
    authorization = None
    if parsed.userinfo:
        authorization = f'Basic {b64encode(f"{parsed.username}:{parsed.password}".encode()).decode()}'
    return Target(parsed, f'{parsed.scheme}://{host}{parsed.raw_path.decode("ascii")}', host, authorization)


def merge_headers(*groups: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of all groups. A later one replaces an earlier one of the same name in any case."""
    return dict(_merge_by_name(groups).values())


def complete_headers(
    groups: Iterable[Mapping[str, str]], *, user_agent: str, target: Target, has_body: bool
) -> dict[str, str]:
    """Return the headers of all groups with those that httpx2 adds. The value of `CONTENT_LENGTH` is empty.

    Raises `UserError` for a header that HTTP does not allow, and `UnicodeEncodeError` for one that is not ASCII.
    """
    first = {'Host': target.host, 'Accept': '*/*', ENCODING: '', 'Connection': 'keep-alive', 'User-Agent': user_agent}
    merged = _merge_by_name((first, *groups, {CONTENT_LENGTH: ''} if has_body else {}))
    merged[ENCODING] = ENCODING, ACCEPTED_ENCODINGS
    if target.authorization is not None:
        merged['authorization'] = 'Authorization', target.authorization
    for name, value in merged.values():
        value.encode('ascii')
        if HEADER_NAME.fullmatch(name) is None or HEADER_VALUE.fullmatch(value) is None:
            raise UserError(INVALID_HEADER)
    return dict(merged.values())


def _merge_by_name(groups: Iterable[Mapping[str, str]]) -> dict[str, tuple[str, str]]:
    """Return the headers of all groups, with their names in lower case as keys, in the order of their last values."""
    merged: dict[str, tuple[str, str]] = {}
    for group in groups:
        for name, value in group.items():
            key = name.lower()
            merged.pop(key, None)
            merged[key] = name, value
    return merged
