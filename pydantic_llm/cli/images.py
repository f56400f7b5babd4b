"""Saves the files that a model makes, and shows images on terminals that can: kitty's protocol, or iTerm2's.

https://sw.kovidgoyal.net/kitty/graphics-protocol/ and https://iterm2.com/documentation-images.html
"""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Iterator
from mimetypes import guess_extension
from pathlib import Path

from ..messages import BinaryContent, ModelResponse

__all__ = ('save_files', 'show_image')

CHUNK = 4096
"""The most characters of base64 in one escape code of kitty's protocol."""

ITERM_PROGRAMS = ('iTerm.app', 'WezTerm', 'vscode', 'mintty')
"""The values of `TERM_PROGRAM` of terminals with iTerm2's protocol."""

KITTY_TERMS = ('xterm-kitty', 'xterm-ghostty')
"""The values of `TERM` of terminals with kitty's protocol."""


def save_files(response: ModelResponse, folder: Path) -> list[Path]:
    """Save the files of a response in a folder, show images, and print the paths. Return the paths."""
    paths: list[Path] = []
    for file in response.files:
        path = _find_free_path(folder, _choose_name(file))
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        paths.append(path)
    return paths


def show_image(file: BinaryContent) -> bool:
    """Show an image on the terminal. Return False if the terminal cannot."""
    if not file.is_image or not sys.stdout.isatty():
        return False
    if os.environ.get('TERM') in KITTY_TERMS or os.environ.get('KITTY_WINDOW_ID'):
        if file.media_type != 'image/png':  # the protocol's only compressed format
            return False
        sys.stdout.write(''.join(_encode_for_kitty(file.data)) + '\n')
    elif os.environ.get('TERM_PROGRAM') in ITERM_PROGRAMS or os.environ.get('LC_TERMINAL') == 'iTerm2':
        sys.stdout.write(f'\x1b]1337;File=inline=1;size={len(file.data)}:{b64encode(file.data).decode()}\a\n')
    else:
        return False
    sys.stdout.flush()
    return True


def _encode_for_kitty(data: bytes) -> Iterator[str]:
    """Yield the escape codes of a PNG image: `f=100` is its format, `a=T` shows it, `m=1` announces another code."""
    text = b64encode(data).decode()
    chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    for number, chunk in enumerate(chunks):
        control = f'{"f=100,a=T," if number == 0 else ""}m={int(number < len(chunks) - 1)}'
        yield f'\x1b_G{control};{chunk}\x1b\\'


def _choose_name(file: BinaryContent) -> str:
    kind = file.media_type.partition('/')[0]
    extension = guess_extension(file.media_type) or f'.{file.format}'
    return f'{kind if kind in ("image", "audio", "video") else "file"}-{file.identifier}{extension}'


def _find_free_path(folder: Path, name: str) -> Path:
    """Return a path in the folder that does not exist yet."""
    path = folder / Path(name).name
    number = 1
    while path.exists():
        number += 1
        path = folder / f'{Path(name).stem}-{number}{Path(name).suffix}'
    return path
