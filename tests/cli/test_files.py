"""The files that the command line reads."""

from __future__ import annotations

from pathlib import Path

from pydantic_llm.cli.ask import read_file


def test_a_file_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / 'alpha.py').write_text('x = 1')
    (tmp_path / 'notes.unknown').write_text('Hello')
    files = [read_file(tmp_path / name) for name in ('alpha.py', 'notes.unknown')]
    assert [(file.identifier, file.media_type) for file in files] == [
        ('alpha.py', 'text/x-python'),
        ('notes.unknown', 'text/plain'),
    ]
