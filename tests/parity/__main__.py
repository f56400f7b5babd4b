"""Runs the programs of this folder with pydantic-ai: `python -m tests.parity PYTHON [ARGUMENTS OF PYTEST]`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent
PROGRAMS = sorted(path for path in FOLDER.glob('*.py') if path.name not in ('__main__.py', 'test_names.py'))


def main(python: str, arguments: Sequence[str]) -> int:
    """Copy the programs with the other name in their imports, and run them. Return the exit status of pytest."""
    with TemporaryDirectory() as folder:
        package = Path(folder, 'tests', 'parity')
        package.mkdir(parents=True)
        for path in PROGRAMS:
            text = re.sub(r'(?m)^(\s*(?:from|import) )pydantic_llm\b', r'\1pydantic_ai', path.read_text())
            Path(package, path.name).write_text(text)
        command = [python, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *arguments, str(package)]
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2:]))
