"""The likely reasons for a connection that fails, and the text of a web page in place of an error. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import cast

__all__ = ('explain_failure', 'find_reason', 'iterate_details', 'summarize_page')

REASONS: tuple[tuple[str, str | None, str], ...] = (
    (r'proxy|\b407\b', None, 'look at the proxy in HTTP_PROXY and HTTPS_PROXY, and at NO_PROXY'),
    (r'refused|connect call failed|Errno 111|Errno 61\b', 'connection refused', 'is {server} running there?'),
    (
        r'name or service|nodename|getaddrinfo|name resolution|address associated|resolve host',
        None,
        'is the host in base_url= right, and does this machine reach a name server (DNS)?',
    ),
    (
        r'certificate.verify.failed|self.signed|unable to get local issuer',
        None,
        'is its certificate that of a company? Name it by SSL_CERT_FILE',
    ),
    (
        r'wrong.version.number|record.layer|unknown.protocol|http.request|packet.length',
        None,
        'does the server speak TLS? Without it, base_url= begins with http://',
    ),
    (r'unreachable|no route to host', None, 'is this machine connected to the network?'),
    (r'all connection attempts failed', None, 'is {server} running there?'),
    (r'\bReadError\b', 'the server closed the connection', 'does it speak this API?'),
)
"""A pattern of the texts of the exceptions; the words for it, or `None` for those of the exception; what to look at."""

SERVERS = {'ollama': 'Ollama', 'lmstudio': 'LM Studio', 'vllm-server': 'vLLM', 'llamacpp': 'llama.cpp'}
"""The providers that are usually on the user's own machine -> their names."""


def explain_failure(text: str, chain: Iterable[BaseException], address: str, provider_name: str) -> str:
    """Return a sentence about a connection that failed: what happened, where, and what to look at.

    `text` is the text of the exception, `chain` the exceptions with the details of it.
    """
    words, advice = find_reason(text, chain)
    server = SERVERS.get(provider_name, 'a server')
    return f'{words}{address}; {advice.format(server=server)}' if advice else f'{words}{address}'


def find_reason(text: str, chain: Iterable[BaseException]) -> tuple[str, str | None]:
    """Return words for a connection that failed, and what to look at; for another exception its text alone."""
    details = ' '.join([text, *(f'{type(link).__name__} {link}' for link in chain)])
    for pattern, words, advice in REASONS:
        if re.search(pattern, details, re.IGNORECASE):
            return words or text, advice
    return text, None


def iterate_details(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything below it, also what its traceback does not show.

    httpcore2's pool raises the error of a connection `from None`; anyio has a group with an error for each address.
    """
    pending = [error]
    seen: set[int] = set()
    while pending:
        link = pending.pop(0)
        if id(link) not in seen:
            yield link
            seen.add(id(link))
            members = cast('tuple[BaseException, ...]', getattr(link, 'exceptions', ()))
            pending += [below for below in (link.__cause__ or link.__context__, *members) if below is not None]


PAGE = re.compile(r'\s*(?:<!doctype html|<html|<head|<body)\b', re.IGNORECASE)
HIDDEN = re.compile(r'<(script|style|head)\b.*?(?:</\1\s*>|\Z)', re.IGNORECASE | re.DOTALL)
TITLE = re.compile(r'<title[^>]*>(.*?)</title', re.IGNORECASE | re.DOTALL)
TAG = re.compile(r'<[^>]*>')

MAX_PAGE = 20_000
"""The number of characters of a page that are read."""

MAX_PAGE_LENGTH = 200
"""The maximum length of the text of a page in a message."""


def summarize_page(body: str) -> str:
    """Return the title and the first words of a web page, which a proxy sends in place of an error; else the body."""
    if not PAGE.match(body):
        return body
    body = body[:MAX_PAGE]
    found = TITLE.search(body)
    title = _read_text(found[1]) if found else ''
    words = _read_text(HIDDEN.sub(' ', body))
    text = words if words.startswith(title) else f'{title}: {words}'
    return f'a web page, not an error of the API: {text[:MAX_PAGE_LENGTH] or "without text"}'


def _read_text(markup: str) -> str:
    from html import unescape  # which takes two milliseconds to import

    return ' '.join(unescape(TAG.sub(' ', markup)).split())
