"""Import llama-cpp-python when it is needed, and route llama.cpp's log. It is optional, and untyped here."""

from __future__ import annotations

import logging
import re
from collections import deque
from functools import cache
from typing import Any

from ..._extras import import_extra

__all__ = ('import_llama_cpp', 'import_numpy', 'take_errors')

logger: logging.Logger = logging.getLogger('pydantic_llm.local')

ERROR = 4
"""The level of errors in llama.cpp's log (`ggml_log_level` in ggml/include/ggml.h)."""

FUNCTION = re.compile(r'^\w+: ')
"""The name of the function of llama.cpp that an entry of the log begins with."""

_errors: deque[str] = deque(maxlen=20)
"""The newest errors in llama.cpp's log, which has the reason for a failure: its functions return a number or NULL."""


def import_llama_cpp() -> Any:
    """Import `llama_cpp`. Raises `UserError` with the command that installs it.

    From then on, llama.cpp's log goes to the logger `pydantic_llm.local`: it is global, and goes to stderr otherwise.
    """
    library = import_extra('llama_cpp', extra='llamacpp', what='LlamaCppModel')
    _initialize(library)
    return library


def import_numpy() -> Any:
    """Import `numpy`, which llama-cpp-python requires."""
    return import_extra('numpy', extra='llamacpp', what='LlamaCppModel')


def take_errors() -> str:
    """Return the errors in llama.cpp's log since the last call, the oldest first."""
    texts = [_errors.popleft() for _ in range(len(_errors))]
    return '; '.join(text for text in texts if text)


@cache
def _initialize(library: Any) -> Any:
    """Replace the function that gets llama.cpp's log, which the cache keeps alive, and start the library."""

    def record(level: int, text: bytes, _: Any) -> None:
        sentence = text.decode('utf-8', 'replace').strip()
        logger.debug('llama.cpp: %s', sentence)
        if level == ERROR:
            _errors.append(FUNCTION.sub('', sentence))

    callback = library.llama_log_callback(record)
    library.llama_log_set(callback, None)
    library.llama_backend_init()
    return callback
