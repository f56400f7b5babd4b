"""Both libraries use the proxies and the certificates that the environment names, in the same way."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pydantic_llm.exceptions import ModelConnectionError, UserError
from pydantic_llm.transport.clients import LIBRARY_VARIABLE, make_client
from pydantic_llm.transport.proxies import Proxies
from tests.transport.clients import KEY, raw_request
from tests.transport.conftest import LIBRARIES, ConnectOwn, Serve
from tests.transport.server import Exchange, send_completion

VARIABLES = [name for low in ('http_proxy', 'https_proxy', 'all_proxy', 'no_proxy') for name in (low, low.upper())]

ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {'HTTP_PROXY': 'http://a:1'},
    {'https_proxy': 'b:2'},
    {'ALL_PROXY': 'http://c:3', 'HTTPS_PROXY': 'https://u:p@d:4'},
    {'ALL_PROXY': 'http://c:3', 'NO_PROXY': '*'},
    {'ALL_PROXY': 'http://c:3', 'NO_PROXY': 'example.com, .example.org,127.0.0.1,localhost'},
    {'ALL_PROXY': 'http://c:3', 'NO_PROXY': '10.0.0.0/8,[::1],fe80::/10,https://example.com,example.org:8080'},
    {'HTTPS_PROXY': 'http://a:1', 'NO_PROXY': '*.example.com,//,[,300.1.1.1/99'},
    {'NO_PROXY': 'example.com'},
)

URLS = (
    'http://example.com',
    'https://example.com',
    'https://example.com:8443/v1',
    'https://www.example.com',
    'https://notexample.com',
    'https://example.org',
    'https://www.example.org:8080',
    'http://example.org:8080',
    'http://127.0.0.1:11434',
    'http://localhost:11434',
    'http://10.1.2.3',
    'https://[::1]:8000',
    'https://[fe80::1]',
)


@pytest.fixture(autouse=True)
def hide_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def proxy_of(transport: Any) -> str | None:
    """Return the proxy of a transport of httpx2."""
    url = getattr(transport._pool, '_proxy_url', None)
    return url and f'{url.scheme.decode()}://{url.host.decode()}:{url.port}'


@pytest.mark.parametrize('environment', ENVIRONMENTS, ids=str)
def test_the_proxy_for_a_url_is_that_of_httpx2(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client: Any = httpx2.AsyncClient()
    proxies = Proxies()
    expected = {url: proxy_of(client._transport_for_url(httpx2.URL(url))) for url in URLS}
    found = {url: proxies.find(httpx2.URL(url)) for url in URLS}
    assert {url: proxy and proxy.replace('u:p@', '') for url, proxy in found.items()} == expected


def test_a_proxy_that_aiohttp_cannot_use_leads_to_httpx2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ALL_PROXY', 'socks5://127.0.0.1:9')
    monkeypatch.setitem(sys.modules, 'socksio', None)
    with pytest.raises(ImportError, match='socksio'):  # httpx2 says what it needs
        make_client()


def test_a_proxy_that_aiohttp_cannot_use_is_a_user_error_if_aiohttp_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ALL_PROXY', 'socks5://me:secret@127.0.0.1:9')
    monkeypatch.setenv(LIBRARY_VARIABLE, 'aiohttp')
    with pytest.raises(UserError, match='it cannot use the socks5 proxy') as caught:
        make_client()
    assert 'secret' not in str(caught.value)


async def test_a_proxy_gets_the_same_request_from_both_libraries(
    connect_with: ConnectOwn,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = await serve(send_completion)
    monkeypatch.setenv('HTTP_PROXY', proxy.url.replace('//', '//me:pass%20word@'))
    for library in LIBRARIES:
        await connect_with(library, 'http://example.invalid/v1').send(raw_request())
    first, second = proxy.requests
    assert first.path == 'http://example.invalid/v1/chat'
    assert (second.path, second.headers, second.body) == (first.path, first.headers, first.body)
    assert first.headers['proxy-authorization'] == 'Basic bWU6cGFzcyB3b3Jk'


# ---------------------------------------------------------------------- certificates


@pytest.fixture(scope='session')
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1, in a file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'test')])
    now = datetime.now().astimezone()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address('127.0.0.1'))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = tmp_path_factory.mktemp('certificate') / 'test.pem'
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


@asynccontextmanager
async def serve_tls(certificate: Path, *, pause: bool = False) -> AsyncIterator[tuple[int, list[asyncio.StreamWriter]]]:
    """Respond to each request over TLS, with `pause` incompletely. Yield the port and the writers."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    writers: list[asyncio.StreamWriter] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while b'content-length' in (await reader.readuntil(b'\r\n\r\n')).lower():
                await reader.readexactly(len(raw_request().body))
                size = 100 if pause else 2
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n{}' % size)
        writer.close()

    async with await asyncio.start_server(respond, '127.0.0.1', 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1], writers
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def serve_tunnels() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Run a proxy that opens tunnels. Yield its port and the heads of its requests."""
    heads: list[bytes] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b'\r\n\r\n'))
        if b'proxy-authorization' not in heads[-1].lower():
            writer.write(b'HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n')
            writer.close()
            return
        host, _, port = heads[-1].split()[1].decode().rpartition(':')
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n')
        await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))

    async with await asyncio.start_server(tunnel, '127.0.0.1', 0) as server:
        yield server.sockets[0].getsockname()[1], heads


async def test_certificates_of_a_file_are_trusted(
    connect_own: ConnectOwn,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('SSL_CERT_FILE', str(certificate))
    async with serve_tls(certificate) as (port, _):
        connection = connect_own(f'https://127.0.0.1:{port}')
        assert (await connection.send(raw_request())).body == b'{}'
        assert (await connection.send(raw_request())).body == b'{}'
        await connection.aclose()


async def test_other_certificates_are_not_trusted(connect_own: ConnectOwn, certificate: Path) -> None:
    async with serve_tls(certificate) as (port, _):
        with pytest.raises(ModelConnectionError, match=r'(?i)certificate.verify.failed|self-signed certificate'):
            await connect_own(f'https://127.0.0.1:{port}').send(raw_request())


async def test_a_certificate_for_another_host_is_not_trusted(
    connect_own: ConnectOwn,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('SSL_CERT_FILE', str(certificate))
    async with serve_tls(certificate) as (port, _):
        with pytest.raises(ModelConnectionError, match=r'(?i)hostname'):
            await connect_own(f'https://localhost:{port}').send(raw_request())


async def test_a_request_goes_through_a_tunnel_of_a_proxy(
    connect_own: ConnectOwn,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('SSL_CERT_FILE', str(certificate))
    async with serve_tls(certificate) as (port, _), serve_tunnels() as (proxy_port, heads):
        monkeypatch.setenv('HTTPS_PROXY', f'http://me:secret@127.0.0.1:{proxy_port}')
        connection = connect_own(f'https://127.0.0.1:{port}')
        for _ in range(2):
            assert (await connection.send(raw_request())).body == b'{}'
        await connection.aclose()
        [head] = heads
    assert head.startswith(b'CONNECT 127.0.0.1:%d HTTP/1.1\r\n' % port)
    assert b'Basic bWU6c2VjcmV0' in head
    assert KEY.encode() not in head


async def test_a_proxy_that_refuses_is_a_connection_error(
    connect_own: ConnectOwn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serve_tunnels() as (proxy_port, _):
        monkeypatch.setenv('HTTPS_PROXY', f'http://127.0.0.1:{proxy_port}')
        with pytest.raises(ModelConnectionError, match='407') as caught:
            await connect_own('https://example.invalid').send(raw_request())
    assert KEY not in repr(caught.value.__cause__)


async def test_a_connection_with_tls_that_the_server_closed_is_not_used_again(
    connect_own: ConnectOwn,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('SSL_CERT_FILE', str(certificate))
    async with serve_tls(certificate) as (port, writers):
        connection = connect_own(f'https://127.0.0.1:{port}')
        await connection.send(raw_request())
        writers[0].close()
        await asyncio.sleep(0.1)
        assert (await connection.send(raw_request())).body == b'{}'
        assert len(writers) == 2
        await connection.aclose()


async def test_closing_a_stream_does_not_wait_for_the_end_of_tls(
    connect_own: ConnectOwn,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('SSL_CERT_FILE', str(certificate))
    async with serve_tls(certificate, pause=True) as (port, writers):
        connection = connect_own(f'https://127.0.0.1:{port}')
        stream = await connection.open(raw_request())
        assert await stream.read() == b'{}'
        await stream.aclose()
        async with asyncio.timeout(1):
            with suppress(ConnectionError):
                await writers[0].wait_closed()


async def test_a_status_of_a_proxy_is_an_error(
    connect_own: ConnectOwn,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.respond({'error': 'who are you'}, status=407)

    proxy = await serve(refuse)
    monkeypatch.setenv('HTTP_PROXY', proxy.url)
    with pytest.raises(Exception, match='answered 407'):
        await connect_own('http://example.invalid').send(raw_request())
