"""Where the recordings are, and the modules that come with them.

They are not part of the project. They are read from the folder that `PYDANTIC_LLM_WIRE` names, or from `shared/wire`
beside the repository; where neither is there, the tests say so and are skipped.
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
MISSING = f'{FOLDER} holds no recorded exchanges; PYDANTIC_LLM_WIRE can name another folder'


@cache
def shared(name: str) -> Any:
    """A module that comes with the recordings, imported without leaving its folder on the path."""
    before = list(sys.path)
    sys.path.insert(0, str(FOLDER))
    try:
        return import_module(name)
    finally:
        sys.path[:] = before
