"""`Service`, a row of the registry: one OpenAI-compatible service as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..profiles import ModelProfile
from ..profiles.compatible import plain_profile
from .credentials import MissingVariableError, read_variable

__all__ = ('Service',)


@dataclass(frozen=True, slots=True)
class Service:
    """A service that speaks OpenAI's Chat Completions API. Give it to `register_service`."""

    name: str
    """The name of the provider, which is also the prefix of model strings: `'acme'` for `'acme:some-model'`."""
    title: str
    """The service's own name, as its documentation writes it: `'Acme AI'`."""
    base_url: str
    """The URL that `/chat/completions` is appended to. Only a built-in row may have a `{placeholder}` in it."""
    key_variables: tuple[str, ...]
    """The environment variables that may hold the key; the first that is set is used."""
    profile: Callable[[str], ModelProfile] = plain_profile
    """A function from a model's name to what the model supports and the server accepts."""
    needs_key: bool = True
    """True if the server refuses requests without a key."""
    url_variables: tuple[str, ...] = ()
    """The environment variables that may hold another base URL."""
    place_variables: tuple[str, ...] = ()
    """The environment variables that may hold the value of the `{placeholder}` in `base_url`."""

    @property
    def placeholder(self) -> str:
        """The name between braces in `base_url`; or an empty string."""
        return self.base_url.partition('{')[2].partition('}')[0]

    def address(self, place: str | None = None) -> str:
        """Return `base_url`, with `place` or the first of `place_variables` that is set for the `{placeholder}`."""
        placeholder = self.placeholder
        if not placeholder:
            return self.base_url
        place = place or read_variable(self.place_variables)
        if not place:
            names = ' or '.join(self.place_variables)
            raise MissingVariableError(
                f'The address of {self.name!r} is not known: set the environment variable {names}, or give '
                f'{placeholder}= or base_url='
            )
        return self.base_url.replace(f'{{{placeholder}}}', place)

    def with_path(self, url: str) -> str:
        """Return the URL, with the path of `base_url` if it has none."""
        return url if urlsplit(url).path.strip('/') else url.rstrip('/') + urlsplit(self.base_url).path
