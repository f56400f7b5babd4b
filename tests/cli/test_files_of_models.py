"""Images and other files that a model makes."""

from __future__ import annotations

import base64
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from pydantic_llm.cli.images import show_image
from pydantic_llm.messages import BinaryContent, FilePart, TextPart

from .conftest import Cli, Scripted

PNG = b'\x89PNG' + bytes(5000)
IMAGE = BinaryContent(PNG, media_type='image/png', identifier='abc')


def test_files_are_saved_and_their_paths_are_printed(cli: Cli, scripted: Scripted, tmp_path: Path) -> None:
    sound = BinaryContent(b'RIFF', media_type='audio/wav', identifier='../def')
    scripted.responses = [[FilePart(IMAGE), FilePart(sound)]] * 2
    run = cli('-m', 'scripted:a', 'Draw', '--no-stream')
    assert (run.code, run.err) == (0, '')
    assert run.out.splitlines()[0] == 'image-abc.png'
    assert (tmp_path / 'image-abc.png').read_bytes() == PNG
    assert {path.parent for path in tmp_path.rglob('*.wav')} == {tmp_path}
    assert cli('-m', 'scripted:a', 'Draw', '--no-stream').out.startswith('image-abc-2.png\n')


def test_text_comes_before_the_paths(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = [[TextPart('Here:'), FilePart(IMAGE)]] * 2
    assert cli('-m', 'scripted:a', 'Draw', '--no-stream').out == 'Here:\nimage-abc.png\n'
    shown = json.loads(cli('-m', 'scripted:a', 'Draw', '--no-stream', '--json', '--files-to', 'out').out)
    assert (shown['output'], shown['files']) == ('Here:', ['out/image-abc.png'])


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('TERM', 'TERM_PROGRAM', 'KITTY_WINDOW_ID', 'LC_TERMINAL'):
        monkeypatch.delenv(name, raising=False)


def shown(file: BinaryContent) -> str | None:
    """Return what a terminal gets for a file, or `None` if it cannot show it."""
    with redirect_stdout(Screen()) as screen:
        return screen.getvalue() if show_image(file) else None


def test_kitty_shows_a_png_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TERM', 'xterm-kitty')
    text = shown(IMAGE)
    assert text is not None
    codes = text.rstrip('\n').split('\x1b\\')[:-1]
    assert [code.partition(';')[0] for code in codes] == ['\x1b_Gf=100,a=T,m=1', '\x1b_Gm=0']
    assert base64.b64decode(''.join(code.partition(';')[2] for code in codes)) == PNG
    assert shown(BinaryContent(b'', media_type='image/jpeg')) is None


def test_iterm_shows_any_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TERM_PROGRAM', 'iTerm.app')
    text = shown(IMAGE)
    assert text is not None
    assert text.startswith(f'\x1b]1337;File=inline=1;size={len(PNG)}:')
    assert base64.b64decode(text.rpartition(':')[2].removesuffix('\a\n')) == PNG
    assert shown(BinaryContent(b'', media_type='audio/wav')) is None


def test_another_terminal_shows_no_image() -> None:
    assert shown(IMAGE) is None
