"""Check that pyright knows the type of every public symbol: `python tools/verify_types.py`. Exits with 1 if not.

`pyright --verifytypes` reads installed packages only, and none that is installed for editing. So a temporary
environment gets a copy of the package, and a path to the packages of this interpreter.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / 'pydantic_llm'


def verify(folder: Path) -> str:
    """Return the report of pyright about a copy of the package in an environment inside `folder`."""
    venv.create(folder, with_pip=False)
    [packages] = folder.glob('lib/*/site-packages')
    packages.joinpath('others.pth').write_text(sysconfig.get_paths()['purelib'])
    shutil.copytree(PACKAGE, packages / PACKAGE.name, ignore=shutil.ignore_patterns('__pycache__'))
    environment = {**os.environ, 'PATH': f'{folder / "bin"}{os.pathsep}{os.environ["PATH"]}'}
    command = [sys.executable, '-m', 'pyright', '--verifytypes', PACKAGE.name, '--ignoreexternal']
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = verify(Path(folder)).replace(f'{folder}/', '')
    score = re.search(r'Type completeness score: (.*)%', report)
    if score is None or score[1] != '100':
        print(*re.findall(r'.*error: .*(?:\n    .*)*', report), sep='\n')
        sys.exit(f'pyright knows {score[1] if score else 0}% of the public symbols')
    print('pyright knows the types of all public symbols')


if __name__ == '__main__':
    main()
