"""Imports the framework of a bridge. Without it the bridge can be imported, but no object of it can be made."""

from __future__ import annotations

from typing import Any, NoReturn

from .._extras import import_extra
from ..exceptions import UserError

__all__ = ('import_framework',)


def import_framework(module: str, *, extra: str, what: str) -> Any:
    """Import a module of a framework. `extra` installs the framework, `what` is the bridge's name.

    If the framework is not installed, returns a stand-in: its classes can be subclassed, and raise `UserError`, with
    the extra to install, when an object is made.
    """
    try:
        return import_extra(module, extra=extra, what=what)
    except UserError as error:
        return _MissingFramework(str(error))


class _MissingFramework:
    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, name: str) -> type:
        message = self._message

        def refuse(cls: type, *args: object, **kwargs: object) -> NoReturn:
            raise UserError(message)

        return type(name, (), {'__new__': refuse, '__doc__': message})
