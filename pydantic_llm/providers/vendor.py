"""`Vendor`: the headers that the default client of a vendor's SDK adds to a request, as data."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..exceptions import UserError
from ..transport.called_keys import CalledKey, KeyHeader
from ..transport.http import Access
from ..transport.outgoing import merge_headers

__all__ = ('Vendor', 'read_custom_headers')

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""https://www.rfc-editor.org/rfc/rfc9110#name-tokens"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """The URL and the headers of a vendor. `tests/providers/test_equal_requests.py` compares them with its SDK's."""

    name: str
    """The provider's name, for error messages."""
    base_url: str
    key_header: str = 'Authorization'
    """The header with the key."""
    key_form: str = 'Bearer {}'
    """The value of that header, with the key at `{}`."""
    headers: Mapping[str, str] = field(default_factory=lambda: {'Accept': 'application/json'})
    """The headers of every request."""
    header_variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further headers -> the environment variables with their values."""
    custom_headers_variable: str | None = None
    """The environment variable with headers of the user, a line `name: value` for each. They override all others."""

    def make_access(
        self,
        base_url: str | None,
        key: str | CalledKey | None = None,
        given: Mapping[str, str | None] | None = None,
        *,
        fixed: Mapping[str, str] | None = None,
        query: str = '',
    ) -> Access:
        """Return the access with a key. `given` are headers of parameters, which override those of variables, and
        `fixed` ones that nothing overrides.
        """
        headers = {**self.headers}
        called = KeyHeader(self.key_header, self.key_form, key) if isinstance(key, CalledKey) else None
        if isinstance(key, str):
            headers[self.key_header] = self.key_form.format(key)
        for name, variable in self.header_variables.items():
            parameter = (given or {}).get(name)
            value = os.environ.get(variable) if parameter is None else parameter
            if value is not None:
                where = variable if parameter is None else name
                headers[name] = _check_value(value, where=where, provider=self.name)
        if self.custom_headers_variable is not None:
            headers = merge_headers(headers, read_custom_headers(self.custom_headers_variable, provider=self.name))
        # the SDKs append paths to the URL with one slash between, and keep any further slash before it
        url = (base_url or self.base_url).removesuffix('/')
        return Access(url, merge_headers(headers, fixed or {}), query=query, key_header=called)


def read_custom_headers(variable: str, *, provider: str) -> dict[str, str]:
    """Return the headers in an environment variable. Raises a `UserError` for one that cannot be sent."""
    headers: dict[str, str] = {}
    for line in os.environ.get(variable, '').split('\n'):
        name, colon, value = (part.strip() for part in line.partition(':'))
        if colon:
            if not HEADER_NAME.fullmatch(name):
                raise UserError(f'{variable} of {provider!r} holds {name!r}, which is not the name of a header')
            headers[name] = _check_value(value, where=variable, provider=provider)
    return headers


def _check_value(value: str, *, where: str, provider: str) -> str:
    """Return the value of a header. The `UserError` for an invalid one does not show it, since it may be a secret."""
    if not (value.isascii() and value.isprintable()):
        raise UserError(f'{where} of {provider!r} holds a character that no header can carry: use printable ASCII')
    return value
