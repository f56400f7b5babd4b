"""The framework of every model behind an API, in this package or in yours.

Subclass `WireModel` for a wire format of your own, with a `ResponseDecoder` that fills a `ResponseDraft` by the five
verbs of its `PartsManager`; subclass `ChatModel`, with a `Dialect`, for a vendor that speaks Chat Completions with
differences. The guide is docs/new-vendor.md, with a complete package.

Reading order: `prepare` (messages, settings, profile and parameters become a `PreparedRequest`), `model` (request and
stream), `reader` and `decoder` (bytes become a response), `counts` (usage), `stream`, `files` (downloads), `serving`
and `block_stream` (the same API from the server's side).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..models.openai.chat.base import ChatModel
    from ..models.openai.chat.dialect import Dialect
    from ..streaming.draft import ResponseDraft
    from ..streaming.parts import LAST, PartsManager
    from .block_stream import BlockStreamEncoder, OpenBlock
    from .counts import decode_count, get_object
    from .decoder import ResponseDecoder
    from .model import WireModel
    from .prepare import PreparedRequest
    from .reader import ResponseReader
    from .serving import ServedRequest
    from .stream import WireStream

__all__ = (
    'LAST',
    'BlockStreamEncoder',
    'ChatModel',
    'Dialect',
    'OpenBlock',
    'PartsManager',
    'PreparedRequest',
    'ResponseDecoder',
    'ResponseDraft',
    'ResponseReader',
    'ServedRequest',
    'WireModel',
    'WireStream',
    'decode_count',
    'get_object',
)

HOMES: dict[str, tuple[str, ...]] = {
    '..models.openai.chat.base': ('ChatModel',),
    '..models.openai.chat.dialect': ('Dialect',),
    '..streaming.draft': ('ResponseDraft',),
    '..streaming.parts': ('LAST', 'PartsManager'),
    '.block_stream': ('BlockStreamEncoder', 'OpenBlock'),
    '.counts': ('decode_count', 'get_object'),
    '.decoder': ('ResponseDecoder',),
    '.model': ('WireModel',),
    '.prepare': ('PreparedRequest',),
    '.reader': ('ResponseReader',),
    '.serving': ('ServedRequest',),
    '.stream': ('WireStream',),
}
"""The modules that define the names above. They are imported when a name is used: most programs need a few of them."""

_MODULES = {name: module for module, names in HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = globals()[name] = getattr(import_module(_MODULES[name], __package__), name)
    return value


def __dir__() -> list[str]:
    return [*__all__]
