"""The fields of a served request that its decoder does not know: they are sent on, and replace nothing.

`extra_body` is the caller's own, and may replace any field of a body. A gateway fills it with the unknown fields of its
clients, and names them with `keep_encoded` while it calls a model. `add_extra_body` builds the body of a request.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from ..exceptions import UserError
from ..json_types import Json

__all__ = ('add_extra_body', 'find_foreign_fields', 'fold_name', 'keep_encoded')

_served: ContextVar[frozenset[str]] = ContextVar('served_fields', default=frozenset())
_owner: ContextVar[str | None] = ContextVar('served_fields_owner', default=None)


@contextmanager
def keep_encoded(names: Collection[str], *, owner: str | None = None) -> Generator[None]:
    """Until the block ends, fields of `extra_body` with these names replace nothing that was encoded.

    `owner` is the prefix of the settings of the only API that they are sent to: `'anthropic_'`. `None` is every API.
    """
    tokens = _served.set(frozenset(names)), _owner.set(owner)
    try:
        yield
    finally:
        _served.reset(tokens[0])
        _owner.reset(tokens[1])


def find_foreign_fields(extra: Mapping[str, Any], settings_prefix: str | None) -> frozenset[str]:
    """Return the names of the served fields that are not sent to the API with these settings."""
    owner = _owner.get()
    return frozenset() if owner in (None, settings_prefix) else _served.get() & extra.keys()


def fold_name(name: str) -> str:
    """Return a name without case and underscores, since Google reads `tool_config` and servers in Go read `Tools`.

    https://protobuf.dev/programming-guides/json/, https://pkg.go.dev/encoding/json#Unmarshal
    """
    return name.replace('_', '').lower()


def add_extra_body(body: Json, extra: Mapping[str, Any]) -> Json:
    """Return the body with the fields of `extra_body`. Raises `UserError` if a served field would replace one."""
    extended = body | {**extra}
    if served := _served.get() & extra.keys():
        encoded = {fold_name(name): name for name in body}
        for name in served:
            if (own_name := encoded.get(fold_name(name))) is not None:
                extended[name] = _join(name, body[own_name] if own_name == name else None, extra[name])
    return extended


def _join(name: str, encoded: Any, served: Any) -> Json:
    """Return an object with the fields of both, such as Gemini's `generationConfig` with a field that is new."""
    if isinstance(encoded, dict) and isinstance(served, dict):
        known, added = cast('Json', encoded), cast('Json', served)
        if not {*map(fold_name, known)} & {*map(fold_name, added)}:
            return {**known, **added}
    raise UserError(f'{name!r} is not known here and would replace a field of the request to the model: remove it')
