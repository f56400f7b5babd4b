"""The folder of the recordings, and the modules in it.

They are not part of the project. They are read from the folder in `PYDANTIC_LLM_WIRE`, or from `shared/wire` next to
the repository; if neither exists, the tests are skipped with a reason.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get('PYDANTIC_LLM_WIRE') or Path(__file__).parents[3] / 'shared' / 'wire')
FOUND = (FOLDER / 'compare.py').is_file()
MISSING = f'{FOLDER} has no recorded exchanges; PYDANTIC_LLM_WIRE can name another folder'


@cache
def shared(name: str) -> Any:
    """Import a module of the recordings, without leaving its folder on the path."""
    before = list(sys.path)
    sys.path.insert(0, str(FOLDER))
    try:
        return import_module(name)
    finally:
        sys.path[:] = before
