"""Writes a request's body as JSON. `JsonItems` are a list in the body that was written, in part, before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import to_json

from ..exceptions import UserError
from ..json_types import Json


@dataclass(slots=True)
class JsonItems:
    """A list of JSON objects, some of which are written already."""

    before: Sequence[Json]
    """The objects at the beginning."""
    written: Sequence[bytes]
    """The JSON of the objects that follow: one or more objects each, separated by commas."""
    after: Sequence[Json] = ()
    """The objects at the end."""

    def write(self) -> bytes:
        """Return the list as JSON."""
        edges = [write_items(items) for items in (self.before, self.after)]
        return b'[%b]' % b','.join(filter(None, (edges[0], *self.written, edges[1])))


def write_json(value: object) -> bytes:
    """Return a value as JSON. Raises `UserError` if it cannot be written."""
    try:
        # JSON has no NaN or infinity (RFC 8259, section 6), and a vendor's own results may hold them
        return to_json(value, inf_nan_mode='strings')
    except ValueError as error:  # also what pydantic raises for a value that is part of itself
        raise UserError(f'The request cannot be written as JSON: {error}') from error


def write_items(items: Sequence[Json]) -> bytes:
    """Return the objects as JSON, separated by commas."""
    return write_json(items)[1:-1] if items else b''


def write_body(body: Json) -> bytes:
    """Return the body as JSON, with its fields in order."""
    pieces: list[bytes] = []
    fields: Json = {}
    for name, value in body.items():
        if type(value) is not JsonItems:
            fields[name] = value
        elif value.written:
            pieces += write_json(fields)[1:-1], write_json(name) + b':' + value.write()
            fields = {}
        else:
            fields[name] = [*value.before, *value.after]
    if not pieces:
        return write_json(fields)
    pieces.append(write_json(fields)[1:-1])
    return b'{%b}' % b','.join(filter(None, pieces))
