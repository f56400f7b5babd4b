"""The files that the command line sends: their names, their kinds, and those that no model can read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pydantic_llm.messages import BinaryContent, ModelRequest, UserPromptPart, VideoUrl
from pydantic_llm.serve import LocalServer

from .conftest import Cli, Scripted

PNG = b'\x89PNG\r\n\x1a\n....'
ELF = b'\x7fELF\x02\x01\x01\x00'


def sent(script: Scripted) -> list[object]:
    """Return the contents of the last prompt; for a file its name, its media type and its bytes."""
    [request] = [message for message in script.last_request if isinstance(message, ModelRequest)]
    [part] = [part for part in request.parts if isinstance(part, UserPromptPart)]
    return [
        (item.identifier, item.media_type, item.data) if isinstance(item, BinaryContent) else item
        for item in part.items()
    ]


def test_files_are_sent_with_their_names(cli: Cli, scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / 'alpha.py').write_text('x = 1')
    (tmp_path / 'notes.unknown').write_text('Hello')
    (tmp_path / 'picture').write_bytes(PNG)
    run = cli(
        '-m', 'scripted:a', '-a', 'alpha.py', '-f', 'notes.unknown', '--file', 'picture', '--', 'Which is broken?'
    )
    assert run.code == 0
    assert sent(scripted) == [
        ('alpha.py', 'text/x-python', b'x = 1'),
        ('notes.unknown', 'text/plain', b'Hello'),
        'picture.png:',  # most APIs have no place for the name of an image
        ('picture.png', 'image/png', PNG),
        'Which is broken?',
    ]
    cli('-m', 'scripted:a', '-a', 'picture', 'What is this?')
    assert sent(scripted) == [('picture.png', 'image/png', PNG), 'What is this?']


def test_a_text_file_may_have_another_encoding(cli: Cli, scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / 'old.txt').write_bytes(b'caf\xe9')
    cli('-m', 'scripted:a', '-a', 'old.txt')
    assert sent(scripted) == [('old.txt', 'text/plain', 'café'.encode())]


@pytest.mark.parametrize('arguments', [['-a', '-'], []])
def test_a_file_can_be_piped_in(cli: Cli, scripted: Scripted, arguments: list[str]) -> None:
    assert cli('-m', 'scripted:a', 'What is it?', *arguments, stdin=PNG).code == 0
    assert sent(scripted) == [('stdin.png', 'image/png', PNG), 'What is it?']


@pytest.mark.parametrize(
    ('name', 'data', 'message'),
    [
        ('prog', ELF, "'prog' cannot be sent: it is not text, an image, audio, video or a document"),
        (
            'a.zip',
            b'PK\x03\x04\x00\x00',
            "'a.zip' cannot be sent: it is not text, an image, audio, video or a document",
        ),
    ],
)
def test_a_file_that_no_model_can_read_is_refused_by_its_name(
    cli: Cli, tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    run = cli('-m', 'test', '-a', name, 'What is it?')
    assert (run.code, run.out) == (1, '')
    assert run.err.startswith(f'pydantic-llm: {message}')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['-a', 'nothing.txt'], "'nothing.txt' cannot be used: No such file or directory"),
        (['-a', '.'], "'.' cannot be used: Is a directory"),
        (['-a', '-'], '-a - reads the standard input, which is empty'),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(cli: Cli, arguments: list[str], message: str) -> None:
    run = cli('-m', 'test', 'hi', *arguments)
    assert (run.code, run.out, run.err) == (1, '', f'pydantic-llm: {message}\n')


# ----------------------------------------------------------------------------------------------------------------- URLs


@pytest.fixture(scope='module')
def files_url() -> Iterator[str]:
    async def send(request: Request) -> Response:
        kinds = {'a.png': (PNG, 'image/png'), 'b c.py': (b'x = 1', 'text/plain'), 'page': (b'<p>', 'text/html')}
        data, kind = kinds.get(request.url.path.rpartition('/')[2], (b'', ''))
        return Response(data, media_type=kind) if kind else Response('missing', 404)

    with LocalServer(Starlette(routes=[Route('/{path:path}', send)])) as url:
        yield url


@pytest.mark.parametrize(
    ('path', 'file'),
    [
        ('x/a.png', ('a.png', 'image/png', PNG)),
        ('b%20c.py', ('b c.py', 'text/x-python', b'x = 1')),
        ('page', ('page', 'text/html', b'<p>')),
    ],
)
def test_a_url_is_downloaded_and_keeps_its_name(
    cli: Cli, scripted: Scripted, files_url: str, path: str, file: object
) -> None:
    assert cli('-m', 'scripted:a', '-a', f'{files_url}/{path}', '--', 'What is it?').code == 0
    assert sent(scripted) == [file, 'What is it?']


def test_a_url_that_cannot_be_downloaded_is_one_line(cli: Cli, files_url: str) -> None:
    run = cli('-m', 'test', 'hi', '-a', f'{files_url}/none.png')
    assert (run.code, run.err.count('\n')) == (1, 1)
    assert "/none.png' could not be downloaded: its server answered 404" in run.err


def test_a_video_of_youtube_stays_a_url(cli: Cli, scripted: Scripted) -> None:
    cli('-m', 'scripted:a', '-a', 'https://youtu.be/abc', '--', 'What is it?')
    [video, _] = sent(scripted)
    assert isinstance(video, VideoUrl)
    assert video.url == 'https://youtu.be/abc'
