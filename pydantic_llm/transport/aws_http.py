"""An HTTP client that is set up as a boto3 client is: timeouts, certificates, proxies, kept connections."""

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

KEPT = 1000
"""How many connections are kept where boto3's client says less; its default is 10."""

KEEPALIVE_EXPIRY = 30.0
"""Seconds that a connection without a request is kept."""


def make_http_client(aws: Any) -> httpx2.AsyncClient:
    """A client for the address that a boto3 client has."""
    config, session = aws.meta.config, aws._endpoint.http_session
    context = _tls(session._verify, config.client_cert)
    proxy = _proxy(aws.meta.endpoint_url, config, session)
    kept = ceil(max(config.max_pool_connections, KEPT) / POOLS)
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=kept, keepalive_expiry=KEEPALIVE_EXPIRY)

    def pool() -> httpx2.AsyncHTTPTransport:
        return httpx2.AsyncHTTPTransport(verify=context, proxy=proxy, limits=limits)

    timeout = httpx2.Timeout(config.read_timeout, connect=config.connect_timeout)
    transport: Any = SpreadTransport(pool)
    return httpx2.AsyncClient(transport=transport, timeout=timeout)


def _tls(verify: bool | str, client_cert: str | tuple[str, str] | None) -> ssl.SSLContext:
    """The certificates: which ones to believe (all, those of this machine, those of a file or folder), and our own."""
    if isinstance(verify, str):
        folder = Path(verify).is_dir()
        context = ssl.create_default_context(capath=verify if folder else None, cafile=None if folder else verify)
    else:
        context = httpx2.create_ssl_context(verify=verify)
    if client_cert is not None:
        context.load_cert_chain(*([client_cert] if isinstance(client_cert, str) else client_cert))
    return context


def _proxy(address: str, config: Any, session: Any) -> httpx2.Proxy | None:
    """The proxy for the address: of the configuration, or of the environment."""
    proxies = config.proxies
    if proxies is None:
        proxies = import_module('botocore.utils').get_environ_proxies(address)
    url = proxies.get(urlsplit(address).scheme)
    if not url:
        return None
    own: dict[str, Any] = config.proxies_config or {}
    context = None
    if own.get('proxy_ca_bundle') or own.get('proxy_client_cert'):
        context = _tls(own.get('proxy_ca_bundle') or True, own.get('proxy_client_cert'))
    return httpx2.Proxy(session._proxy_config._fix_proxy_url(url), ssl_context=context)
