"""Keeps secrets out of recordings: credentials in headers, URLs and settings, and keys in any text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from ..._type_checks import raise_wrong_type
from ...transport.keys import HIDDEN, MIN_KEY_LENGTH, hide_keys

__all__ = ('Redact', 'Redactor', 'find_secrets')

Redact = Callable[[str], str]
"""A function that returns a text of a request or a response without what must not be recorded.

It gets each text by itself: the content of a part, a value in the arguments of a tool call, a header."""

CREDENTIAL = re.compile(
    r'authorization|cookie|credential|password|secret|signature|api[-_]?key|(^|[-_])(key|token)$', re.IGNORECASE
)
"""The names of headers and settings with credentials."""

CREDENTIAL_VARIABLE = re.compile(r'(api_?key|access_key(_id)?|secret|token|password)$', re.IGNORECASE)
"""The names of environment variables with credentials."""

CREDENTIAL_IN_URL = re.compile(
    r'([?&](?:key|api[-_]?key|(?:access_|auth_)?token|sig|signature|x-(?:amz|goog)-[a-z-]+)=)[^&\s"\'#<>]+'
    r'|(?<=://)[^/@\s"\']+:[^/@\s"\']+(?=@)',
    re.IGNORECASE,
)
"""A query parameter with a credential, or the user and the password of a URL."""

KEY = re.compile(
    r'(?<![A-Za-z0-9_-])(?:sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}|AIza[A-Za-z0-9_-]{35}|(?:gsk|hf|xai)[-_][A-Za-z0-9]{20,}|AKIA[A-Z0-9]{16})'
    r'|(?<=Bearer )[A-Za-z0-9._~+/=-]{16,}'
)
"""Keys by their form: of OpenAI and Anthropic, Google, Groq, Hugging Face, xAI and AWS, and any bearer token."""

ACCOUNT_HEADERS = frozenset({'openai-organization', 'openai-project', 'anthropic-organization-id'})
"""Response headers that name the account."""


class Redactor:
    """Hides secrets in JSON values. The same one must be used to record and to replay."""

    def __init__(self, hook: Redact | None = None, secrets: Iterable[str] = ()) -> None:
        self._hook = hook
        self._secrets = {secret for secret in secrets if len(secret) >= MIN_KEY_LENGTH}

    def with_secrets(self, secrets: Iterable[str]) -> Redactor:
        """Return a redactor that hides these texts too."""
        return Redactor(self._hook, {*self._secrets, *secrets})

    def redact(self, value: Any) -> Any:
        """Return a JSON value without secrets in its texts."""
        match value:
            case str():
                return self._redact_text(value)
            case list():
                return [self.redact(item) for item in cast('list[object]', value)]
            case dict():
                return {self._hide(name): self.redact(item) for name, item in cast('dict[str, Any]', value).items()}
            case _:
                return value

    def redact_fields(self, value: Any) -> Any:
        """Return headers, settings, a body or an error without secrets.

        The text of a field whose name is that of a credential is one, wherever in the value it occurs.
        """
        return self.with_secrets(_find_credentials(value))._redact_named(value)

    def _redact_named(self, value: Any) -> Any:
        match value:
            case list():
                return [self._redact_named(item) for item in cast('list[object]', value)]
            case dict():
                fields = cast('dict[str, Any]', value)
                return {self._hide(name): self._redact_field(name, item) for name, item in fields.items()}
            case _:
                return self.redact(value)

    def redact_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of a response without those that name the account, and without secrets."""
        kept = {name: value for name, value in headers.items() if name.lower() not in ACCOUNT_HEADERS}
        return cast('dict[str, str]', self.redact_fields(kept))

    def _redact_field(self, name: str, value: Any) -> Any:
        return HIDDEN if isinstance(value, str) and CREDENTIAL.search(name) else self._redact_named(value)

    def _redact_text(self, text: str) -> str:
        text = self._hide(text)
        if self._hook is None:
            return text
        hidden = cast('object', self._hook(text))
        if not isinstance(hidden, str):
            raise_wrong_type('redact', 'a function that returns a text', hidden)
        return hidden

    def _hide(self, text: str) -> str:
        """Return a text, or the name of a field, without keys."""
        text = hide_keys(text, self._secrets)
        text = CREDENTIAL_IN_URL.sub(lambda match: f'{match[1] or ""}{HIDDEN}', text)
        return KEY.sub(HIDDEN, text)


def _find_credentials(value: Any) -> Iterator[str]:
    """Yield the texts of the fields that have the name of a credential."""
    match value:
        case list():
            for item in cast('list[object]', value):
                yield from _find_credentials(item)
        case dict():
            for name, item in cast('dict[str, Any]', value).items():
                if isinstance(item, str) and CREDENTIAL.search(name):
                    yield item.rpartition(' ')[2]
                yield from _find_credentials(item)
        case _:
            pass


def find_secrets() -> set[str]:
    """Return the keys in the environment."""
    return {value for name, value in os.environ.items() if CREDENTIAL_VARIABLE.search(name)}
