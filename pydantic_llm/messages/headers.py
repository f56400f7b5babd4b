"""`ResponseHeaders`: what a vendor's server reports about a response in its HTTP headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ('ResponseHeaders', 'find_request_id')

REQUEST_ID_HEADERS = (
    'x-request-id',  # OpenAI, Groq, xAI, Hugging Face, most compatible services
    'request-id',  # Anthropic
    'x-amzn-requestid',  # Bedrock
    'apim-request-id',  # Azure
    'mistral-correlation-id',
    'x-debug-trace-id',  # Cohere, in recorded errors of its SDK
    'x-typesense-request-id',
)
"""The headers in which vendors send their id of the request."""

SECRET_HEADERS = frozenset(
    {'set-cookie', 'cookie', 'authorization', 'proxy-authorization', 'x-api-key', 'api-key', 'x-goog-api-key'}
)
"""Response headers that a response and an exception must not contain, because a server could return secrets in them."""


class ResponseHeaders(Mapping[str, str]):
    """The headers of a response. Names are in lower case, and found in any case; those with secrets are left out.

    The client's own object is kept, not copied. A pickled or copied value holds a plain dict instead.
    """

    __slots__ = ('_headers',)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        if (plain := name.lower()) in SECRET_HEADERS:
            raise KeyError(name)
        return self._headers[plain]

    def __iter__(self) -> Iterator[str]:
        return (plain for name in self._headers if (plain := name.lower()) not in SECRET_HEADERS)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f'ResponseHeaders({dict(self)!r})'

    def __reduce__(self) -> tuple[type[ResponseHeaders], tuple[dict[str, str]]]:
        return ResponseHeaders, (dict(self),)


def find_request_id(headers: Mapping[str, str]) -> str | None:
    """Return the vendor's id of the request, if the headers contain one. Names are lower case."""
    return next((headers[name] for name in REQUEST_ID_HEADERS if headers.get(name)), None)
