from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Callable
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.transport import download
from pydantic_llm.transport.download import fetch
from pydantic_llm.wire.files import download_files
from tests.transport.conftest import Serve
from tests.transport.server import Exchange

Resolve = Callable[[dict[str, list[str]]], list[str]]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Set the addresses of host names; returns the list of resolved names. Must be called inside the loop."""

    def install(names: dict[str, list[str]]) -> list[str]:
        loop = asyncio.get_running_loop()
        real, asked = loop.getaddrinfo, list[str]()

        async def answer(host: str, port: Any, **more: Any) -> Any:
            asked.append(host)
            if host not in names:
                return await real(host, port, **more)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, '', (address, port or 0)) for address in names[host]]

        monkeypatch.setattr(loop, 'getaddrinfo', answer)
        return asked

    return install


async def picture(exchange: Exchange) -> None:
    await exchange.respond(b'a picture', headers={'content-type': 'Image/PNG; charset=binary'})


def redirect_to(location: str, status: int = 302) -> Any:
    async def redirect(exchange: Exchange) -> None:
        await exchange.respond(b'', status=status, headers={'location': location})

    return redirect


# ---------------------------------------------------------------------- permitted addresses


@pytest.mark.parametrize(
    'address',
    [
        '127.0.0.1',
        '127.8.8.8',
        '0.0.0.0',
        '10.0.0.1',
        '172.16.0.1',
        '192.168.1.1',
        '169.254.1.1',
        '100.64.0.1',
        '192.0.0.8',
        '198.18.0.1',
        '224.0.0.1',
        '240.0.0.1',
        '255.255.255.255',
        '::1',
        '::',
        '::127.0.0.1',
        '::ffff:127.0.0.1',
        '::ffff:10.0.0.1',
        '64:ff9b::7f00:1',
        '64:ff9b::a00:1',
        '64:ff9b:1::1',
        '2002:7f00:1::',
        '2001:0:7f00:1::',
        'fc00::1',
        'fd12::1',
        'fe80::1',
        'fec0::1',
        'ff02::1',
        '::ffff:0:127.0.0.1',
        '192.88.99.1',
        '3fff::1',
        '5f00::1',
    ],
)
async def test_an_address_of_a_network_that_is_not_public_is_refused(resolve: Resolve, address: str) -> None:
    resolve({'files.example': [address], address: [address]})
    with pytest.raises(UserError, match='which is not an address of the public internet') as caught:
        await fetch('http://files.example/a.png')
    assert "set force_download='allow-local' if it is meant" in str(caught.value)
    host = f'[{address}]' if ':' in address else address
    with pytest.raises(UserError, match='which is not an address of the public internet'):
        await fetch(f'http://{host}/a.png')


@pytest.mark.parametrize('name', ['localhost', '127.1', '127.0.1'])
async def test_any_name_of_this_machine_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r'leads to (127\.0\.0\.1|::1), which is not an address of the public internet'):
        await fetch(f'http://{name}:1/a.png')


async def test_one_private_address_among_public_ones_is_refused(resolve: Resolve) -> None:
    resolve({'files.example': ['8.8.8.8', '10.0.0.1']})
    with pytest.raises(UserError, match=r"'http://files\.example/' leads to 10\.0\.0\.1"):
        await fetch('http://files.example/')


@pytest.mark.parametrize(
    'address',
    [
        *('169.254.169.254', '169.254.170.2', '169.254.170.23', '100.100.100.200', '168.63.129.16', '192.0.0.192'),
        *('169.254.0.23', '169.254.42.42', 'fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe'),
        *('fd00:42::42', 'fe80::a9fe:a9fe', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', '2002:a9fe:a9fe::'),
        *('::ffff:0:169.254.169.254', '::169.254.169.254'),
    ],
)
async def test_credential_servers_are_refused_with_allow_local_too(resolve: Resolve, address: str) -> None:
    resolve({'metadata.example': [address]})
    for allow_local in (False, True):
        with pytest.raises(UserError, match='where a cloud keeps credentials: it is never downloaded'):
            await fetch('http://metadata.example/latest', allow_local=allow_local)


@pytest.mark.parametrize(
    ('url', 'shown'),
    [
        ('ftp://files.example/a', "'ftp://files.example/a' cannot be downloaded: only http and https addresses can"),
        ('file:///etc/passwd', "'file:/etc/passwd' cannot be downloaded: only http and https addresses can"),
        ('gopher://x', "'gopher://x' cannot be downloaded: only http and https addresses can"),
        ('data:image/png;base64,AA', "'data:image/png;base64,AA' cannot be downloaded: only http"),
        ('/etc/passwd', "'/etc/passwd' cannot be downloaded: only http"),
        ('http://', "'http:' cannot be downloaded: only http"),
        ('', "'' cannot be downloaded: only http"),
        ('http://127.0.0.1\n/', "'http://127.0.0.1\\n/' could not be downloaded: Invalid non-printable"),
        ('http://127.0.0.1:99999/', "'http://127.0.0.1:99999/' cannot be downloaded: only http"),
        ('data:' + 'x' * 9999, f"'data:{'x' * 195}…' cannot be downloaded: only http"),
        (f'http://{"a" * 64}.example/', f"'http://{'a' * 64}.example/' could not be downloaded: "),
    ],
)
async def test_a_url_that_is_not_http_is_refused(url: str, shown: str) -> None:
    with pytest.raises(UserError) as caught:
        await fetch(url)
    assert str(caught.value).startswith(shown)


async def test_an_unknown_host_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, 'Name or service not known')

    monkeypatch.setattr(asyncio.get_running_loop(), 'getaddrinfo', fail)
    with pytest.raises(UserError, match=r'could not be downloaded: .*Name or service not known'):
        await fetch('http://nowhere.example/')


# ---------------------------------------------------------------------- files


async def test_a_file_is_returned_with_its_media_type(serve: Serve) -> None:
    server = await serve(picture)
    assert await fetch(f'{server.url}/a.png?size=big', allow_local=True) == (b'a picture', 'image/png')
    assert server.requests[0].path == '/a.png?size=big'
    assert server.requests[0].headers['user-agent'] == 'pydantic-llm'
    await server.wait_until_closed()


async def test_a_missing_media_type_is_none(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(b'x', headers={'content-type': ''})

    server = await serve(answer)
    assert await fetch(server.url, allow_local=True) == (b'x', None)


async def test_a_compressed_file_is_decompressed(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(gzip.compress(b'x' * 99), headers={'content-encoding': 'gzip', 'content-type': 'text/x'})

    server = await serve(answer)
    assert await fetch(server.url, allow_local=True) == (b'x' * 99, 'text/x')


async def test_the_request_goes_to_the_checked_address_with_the_name_as_host(serve: Serve, resolve: Resolve) -> None:
    server = await serve(picture)
    asked = resolve({'files.example': ['127.0.0.1']})
    await fetch(f'http://files.example:{server.port}/a.png', allow_local=True)
    assert server.requests[0].headers['host'] == f'files.example:{server.port}'
    assert asked == ['files.example']


async def test_a_name_with_non_ascii_letters_is_encoded(serve: Serve, resolve: Resolve) -> None:
    server = await serve(picture)
    asked = resolve({'xn--bcher-kva.example': ['127.0.0.1']})
    await fetch(f'http://bücher.example:{server.port}/', allow_local=True)
    assert server.requests[0].headers['host'] == f'xn--bcher-kva.example:{server.port}'
    assert asked == ['xn--bcher-kva.example']


async def test_tls_uses_the_name_and_not_the_address(resolve: Resolve) -> None:
    hello: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello.set_result(await reader.read(4096))
        writer.close()

    resolve({'files.example': ['127.0.0.1']})
    async with await asyncio.start_server(listen, '127.0.0.1', 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UserError, match='could not be downloaded'):
            await fetch(f'https://files.example:{port}/', allow_local=True)
    assert b'files.example' in await hello


async def test_a_password_in_the_url_is_sent_and_not_shown(serve: Serve) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.respond(b'', status=401 if 'authorization' in exchange.headers else 400)

    server = await serve(refuse)
    with pytest.raises(UserError) as caught:
        await fetch(f'http://me:secret@127.0.0.1:{server.port}/a?signature=secret#secret', allow_local=True)
    assert str(caught.value) == f"'{server.url}/a' could not be downloaded: its server answered 401"


# ---------------------------------------------------------------------- redirects


@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(serve: Serve, status: int) -> None:
    target = await serve(picture)
    server = await serve(redirect_to(f'{target.url}/b.png', status))
    assert await fetch(server.url, allow_local=True) == (b'a picture', 'image/png')
    await server.wait_until_closed()


async def test_a_redirect_can_be_a_path(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        await (picture if exchange.path == '/x/b' else redirect_to('b'))(exchange)

    server = await serve(answer)
    assert await fetch(f'{server.url}/x/a', allow_local=True) == (b'a picture', 'image/png')


@pytest.mark.parametrize(
    ('location', 'message'),
    [
        ('http://169.254.169.254/latest', 'where a cloud keeps credentials'),
        ('ftp://files.example/', 'only http and https addresses can'),
        ('file:///etc/passwd', 'only http and https addresses can'),
        ('http://127.0.0.1:99999/', 'only http and https addresses can'),
    ],
)
async def test_the_target_of_a_redirect_is_checked_too(
    serve: Serve, resolve: Resolve, location: str, message: str
) -> None:
    server = await serve(redirect_to(location))
    resolve({'169.254.169.254': ['169.254.169.254']})
    with pytest.raises(UserError, match=message):
        await fetch(server.url, allow_local=True)


async def test_a_redirect_from_a_public_address_to_a_private_one_is_refused(
    serve: Serve, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.2 replaces the public internet, which no test can reach."""
    inside = await serve(picture)
    server = await serve(redirect_to(f'{inside.url}/secret'))
    is_public = download._is_public  # pyright: ignore[reportPrivateUsage] -- makes one more address public
    monkeypatch.setattr(download, '_is_public', lambda address: str(address) == '127.0.0.2' or is_public(address))
    resolve({'files.example': ['127.0.0.2']})
    listener = await asyncio.start_server(server._serve, '127.0.0.2', 0)  # pyright: ignore[reportPrivateUsage]
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(UserError, match=r"secret' leads to 127\.0\.0\.1, which is not an address of the public"):
            await fetch(f'http://files.example:{port}/')
    assert len(server.requests) == 1
    assert inside.requests == []


async def test_endless_redirects_are_refused(serve: Serve) -> None:
    server = await serve(redirect_to('/again'))
    with pytest.raises(UserError, match=r'redirects more than 5 times'):
        await fetch(server.url, allow_local=True)
    assert len(server.requests) == 6


async def test_a_redirect_without_a_target_is_refused(serve: Serve) -> None:
    server = await serve(redirect_to(''))
    with pytest.raises(UserError, match='its server answered 302'):
        await fetch(server.url, allow_local=True)


# ---------------------------------------------------------------------- limits and failures


@pytest.mark.parametrize('status', [204, 206, 400, 403, 404, 500])
async def test_a_response_without_the_file_is_refused(serve: Serve, status: int) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(b'' if status == 204 else b'x', status=status)

    server = await serve(answer)
    with pytest.raises(UserError, match=f'its server answered {status}'):
        await fetch(server.url, allow_local=True)


async def test_a_file_that_is_too_large_is_refused_while_it_arrives(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def flood(exchange: Exchange) -> None:
        await exchange.begin('image/png')
        while True:
            await exchange.chunk(b'x' * 1000)

    monkeypatch.setattr(download, 'MAX_BYTES', 10_000)
    server = await serve(flood)
    with pytest.raises(UserError, match='is larger than 10000 bytes'):
        await fetch(server.url, allow_local=True)
    await server.wait_until_closed()


async def test_a_small_response_that_decompresses_to_a_large_one_is_refused(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bomb(exchange: Exchange) -> None:
        await exchange.respond(gzip.compress(b'x' * 1_000_000), headers={'content-encoding': 'gzip'})

    monkeypatch.setattr(download, 'MAX_BYTES', 10_000)
    server = await serve(bomb)
    with pytest.raises(UserError, match='is larger than 10000 bytes'):
        await fetch(server.url, allow_local=True)


async def test_a_file_of_the_maximum_size_is_fetched(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, 'MAX_BYTES', 9)
    server = await serve(picture)
    assert await fetch(server.url, allow_local=True) == (b'a picture', 'image/png')


@pytest.mark.parametrize('begins', [False, True])
async def test_a_download_that_takes_too_long_is_closed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    async def hang(exchange: Exchange) -> None:
        if begins:
            await exchange.begin('image/png')
            await exchange.chunk(b'x')
        await exchange.wait_until_gone()

    monkeypatch.setattr(download, 'TIMEOUT', 0.1)
    server = await serve(hang)
    with pytest.raises(UserError, match=r'could not be downloaded within 0\.1 s'):
        await fetch(server.url, allow_local=True)
    await server.wait_until_closed()


async def test_asyncio_timeout_around_a_download_works(serve: Serve) -> None:
    async def hang(exchange: Exchange) -> None:
        await exchange.wait_until_gone()

    server = await serve(hang)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fetch(server.url, allow_local=True), 0.05)
    await server.wait_until_closed()


async def test_a_refused_connection_says_so() -> None:
    with pytest.raises(UserError, match=r'could not be downloaded: connection refused$'):
        await fetch('http://127.0.0.1:9/', allow_local=True)


async def test_a_connection_error_has_its_cause(serve: Serve) -> None:
    async def drop(exchange: Exchange) -> None:
        exchange.drop()

    server = await serve(drop)
    with pytest.raises(UserError, match='could not be downloaded: Server disconnected') as caught:
        await fetch(server.url, allow_local=True)
    assert caught.value.__cause__ is not None


# ---------------------------------------------------------------------- files of a history


def local(path: str, url: str, **more: Any) -> ImageUrl:
    return ImageUrl(f'{url}{path}', force_download='allow-local', **more)


async def test_urls_of_a_history_are_replaced_by_files_in_a_copy(serve: Serve) -> None:
    server = await serve(picture)
    image = local('/a', server.url, vendor_metadata={'detail': 'high'}, identifier='it')
    kept = ImageUrl('https://files.example/b.png')
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart('Hi')]),
        ModelResponse([TextPart('Hello')]),
        ModelRequest([UserPromptPart(['Look:', image, kept]), ToolReturnPart('see', image, 'c1')]),
        ModelRequest([ToolReturnPart('see', ['two', image], 'c2')]),
    ]
    before = [repr(message) for message in history]
    found = await download_files(history, lambda url: False)
    file = BinaryContent(b'a picture', media_type='image/png', vendor_metadata={'detail': 'high'}, identifier='it')
    [first, second, third, fourth] = found
    assert (first, second) == (history[0], history[1])
    assert isinstance(third, ModelRequest)
    assert isinstance(fourth, ModelRequest)
    [prompt, one] = third.parts
    [several] = fourth.parts
    assert isinstance(prompt, UserPromptPart)
    assert isinstance(one, ToolReturnPart)
    assert isinstance(several, ToolReturnPart)
    assert prompt.content == ['Look:', file, kept]
    assert one.content == file
    assert several.content == ['two', file]
    assert [repr(message) for message in history] == before
    assert len(server.requests) == 1


async def test_a_history_without_files_to_fetch_is_the_same_history() -> None:
    history: list[ModelMessage] = [ModelRequest([UserPromptPart(['Look:', ImageUrl('https://files.example/b.png')])])]
    assert await download_files(history, lambda url: False) is history


async def test_a_url_that_the_vendor_cannot_read_is_fetched_too() -> None:
    history: list[ModelMessage] = [ModelRequest([UserPromptPart([DocumentUrl('http://127.0.0.1/a.pdf')])])]
    with pytest.raises(UserError, match='not an address of the public internet'):
        await download_files(history, lambda url: isinstance(url, DocumentUrl))


async def test_a_given_media_type_overrides_the_servers(serve: Serve) -> None:
    server = await serve(picture)
    image = local('/a', server.url, media_type='image/webp')
    [message] = await download_files([ModelRequest([UserPromptPart([image])])], lambda url: False)
    [prompt] = message.parts
    assert isinstance(prompt, UserPromptPart)
    assert prompt.content == [BinaryContent(b'a picture', media_type='image/webp', identifier=image.identifier)]


async def test_a_file_of_unknown_media_type_is_refused(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(b'x', headers={'content-type': ''})

    server = await serve(answer)
    history: list[ModelMessage] = [ModelRequest([UserPromptPart([local('/a?secret', server.url)])])]
    with pytest.raises(UserError) as caught:
        await download_files(history, lambda url: False)
    assert str(caught.value) == f"The media type of '{server.url}/a' is not known: give media_type= to ImageUrl"


async def test_the_first_failed_download_ends_the_others(serve: Serve) -> None:
    hanging = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        if exchange.path == '/hangs':
            hanging.set()
            await exchange.wait_until_gone()
        else:
            await hanging.wait()
            await exchange.respond(b'', status=404)

    server = await serve(answer)
    urls = [local('/hangs', server.url), local('/missing', server.url)]
    with pytest.raises(UserError, match="missing' could not be downloaded: its server answered 404"):
        await download_files([ModelRequest([UserPromptPart(urls)])], lambda url: False)
    await server.wait_until_closed()
