"""Names of a package that are imported from their modules on first use: `import_lazily`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ('import_lazily',)


def import_lazily(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return a `__getattr__` for a package. `modules` has the module of each name, relative to the package."""

    def import_name(name: str) -> object:
        if (module := modules.get(name)) is None:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        value: object = getattr(import_module(f'.{module}', package), name)
        setattr(sys.modules[package], name, value)
        return value

    return import_name
