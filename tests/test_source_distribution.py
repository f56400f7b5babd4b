"""The source distribution has what its tests, its documentation and its make targets need."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

OF_THE_REPOSITORY = {'pyproject.toml'}
"""Files that hatchling adds itself."""


def test_everything_in_the_repository_is_in_the_source_distribution() -> None:
    listing = subprocess.run(['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip('not a git repository, such as a source distribution')
    tracked = {path.partition('/')[0] for path in listing.stdout.splitlines()}
    options = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['tool']['hatch']['build']
    included = {path.lstrip('/') for path in options['targets']['sdist']['include']}
    assert included == {name for name in tracked - OF_THE_REPOSITORY if not name.startswith('.')}
