"""Makes an HTTP client with the settings of a boto3 client: timeouts, certificates, proxies, kept connections."""

from __future__ import annotations

import ssl
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from .spread import POOLS, SpreadTransport

__all__ = ('make_http_client',)

MIN_KEPT = 1000
"""The minimum number of connections to keep open. boto3 sets `max_pool_connections`, whose default is 10."""

KEEPALIVE_EXPIRY = 30.0
"""Seconds that an idle connection is kept open."""


def make_http_client(aws: Any) -> httpx2.AsyncClient:
    """Return an HTTP client for the endpoint and with the settings of a boto3 client."""
    config, session = aws.meta.config, aws._endpoint.http_session
    context = _make_tls_context(session._verify, config.client_cert)
    proxy = _find_proxy(aws.meta.endpoint_url, config, session)
    kept = ceil(max(config.max_pool_connections, MIN_KEPT) / POOLS)
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=kept, keepalive_expiry=KEEPALIVE_EXPIRY)

    def pool() -> httpx2.AsyncHTTPTransport:
        return httpx2.AsyncHTTPTransport(verify=context, proxy=proxy, limits=limits)

    timeout = httpx2.Timeout(config.read_timeout, connect=config.connect_timeout)
    transport: Any = SpreadTransport(pool)
    return httpx2.AsyncClient(transport=transport, timeout=timeout)


def _make_tls_context(verify: bool | str, client_cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    """Return a TLS context.

    `verify` is whether to check certificates, or a file or folder of trusted ones. `client_cert` is a file, or a pair
    of certificate and key.
    """
    if isinstance(verify, str):
        folder = Path(verify).is_dir()
        context = ssl.create_default_context(capath=verify if folder else None, cafile=None if folder else verify)
    else:
        context = httpx2.create_ssl_context(verify=verify)
    if client_cert is not None:
        context.load_cert_chain(*([client_cert] if isinstance(client_cert, str) else client_cert))
    return context


def _find_proxy(url: str, config: Any, session: Any) -> httpx2.Proxy | None:
    """Return the proxy for a URL, from the client's configuration or the environment; `None` without a proxy."""
    proxies = config.proxies
    if proxies is None:
        proxies = import_module('botocore.utils').get_environ_proxies(url)
    proxy_url = proxies.get(urlsplit(url).scheme)
    if not proxy_url:
        return None
    own: dict[str, Any] = config.proxies_config or {}
    context = None
    if own.get('proxy_ca_bundle') or own.get('proxy_client_cert'):
        context = _make_tls_context(own.get('proxy_ca_bundle') or True, own.get('proxy_client_cert'))
    return httpx2.Proxy(session._proxy_config._fix_proxy_url(proxy_url), ssl_context=context)
