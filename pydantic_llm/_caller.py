"""Finds the lines of the application on the stack: Python warnings and tracebacks of errors show these."""

from __future__ import annotations

import contextlib
import inspect
import os
import warnings
from contextvars import ContextVar
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from .exceptions import LLMError

__all__ = ('BLOCKING_CALLER', 'Caller', 'ShortTracebacks', 'find_caller', 'shorten_traceback', 'warn_caller')

SKIPPED = (str(Path(__file__).parent), '<frozen ')
LIBRARY = str(Path(contextlib.__file__).parent)
"""The folder of Python's own modules. That of installed packages may be inside it."""


class Caller(NamedTuple):
    """A line of the application."""

    file: str
    line: int
    module: dict[str, Any]
    """The global names of its module."""


BLOCKING_CALLER: ContextVar[Caller | None] = ContextVar('blocking_caller', default=None)
"""The line of a blocking call, whose work is done in another thread."""


def find_caller() -> Caller | None:
    """Return the innermost line on the stack outside of this package and of Python, or `None`."""
    frame = inspect.currentframe()
    while frame is not None:
        if _is_of_application(frame):
            return Caller(frame.f_code.co_filename, frame.f_lineno, frame.f_globals)
        frame = frame.f_back
    return None


def warn_caller(message: str, category: type[Warning]) -> None:
    """Issue a Python warning at the line of the application. A task has none: it is then issued at this one."""
    if (caller := find_caller() or BLOCKING_CALLER.get()) is None:
        warnings.warn(message, category, stacklevel=2)
        return
    registry: dict[Any, Any] = caller.module.setdefault('__warningregistry__', {})
    name = caller.module.get('__name__')
    warnings.warn_explicit(message, category, caller.file, caller.line, module=name, registry=registry)


def shorten_traceback(error: BaseException) -> None:
    """Drop the lines of this package and of Python from the traceback of an error that its message explains.

    The environment variable `PYDANTIC_LLM_FULL_TRACEBACKS` keeps them, for reports about this package.
    """
    if os.environ.get('PYDANTIC_LLM_FULL_TRACEBACKS'):
        return
    links: list[TracebackType] = []
    link = error.__traceback__
    while link is not None:
        if _is_of_application(link.tb_frame):
            links.append(link)
        link = link.tb_next
    shortened: TracebackType | None = None
    for link in reversed(links):
        shortened = TracebackType(shortened, link.tb_frame, link.tb_lasti, link.tb_lineno)
    error.__traceback__ = shortened


class ShortTracebacks:
    """A `with` block that shortens the tracebacks of this package's errors.

    It is not a `@contextmanager`: that one restores the traceback of an exception that passes through it.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, LLMError):
            shorten_traceback(error)


def _is_of_application(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    is_library = name.startswith(LIBRARY) and 'site-packages' not in name
    return not (is_library or name.startswith(SKIPPED))
