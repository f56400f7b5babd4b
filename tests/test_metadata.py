"""The source distribution is complete, and the first page of the documentation names every extra."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
METADATA = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))

OF_THE_REPOSITORY = {'pyproject.toml'}
"""Files that hatchling adds itself."""


def test_everything_in_the_repository_is_in_the_source_distribution() -> None:
    if not (ROOT / '.git').exists():
        pytest.skip('not a git repository, such as a source distribution')
    listing = subprocess.run(['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {path.partition('/')[0] for path in listing.stdout.splitlines()}
    included = {path.lstrip('/') for path in METADATA['tool']['hatch']['build']['targets']['sdist']['include']}
    assert included == {name for name in tracked - OF_THE_REPOSITORY if not name.startswith('.')}


def test_the_table_of_extras_is_complete() -> None:
    page = (ROOT / 'docs' / 'start.md').read_text(encoding='utf-8')
    first_columns = ' '.join(line.split('|')[1] for line in page.splitlines() if line.startswith('| `'))
    vendors = {'groq', 'mistral', 'cohere', 'huggingface'}  # the "..." of the table's first row
    assert set(re.findall('`([^`]+)`', first_columns)) == METADATA['project']['optional-dependencies'].keys() - vendors
