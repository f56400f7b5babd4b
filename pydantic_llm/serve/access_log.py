"""`AccessLog`: one line for each request to a model, as JSON or as `name=value` pairs. It holds no content."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from pydantic_core import to_json

from .._type_checks import check_choice
from .record import RequestRecord

__all__ = ('AccessLog',)

PLAIN = re.compile(r'[^\s"=\x00-\x1f\x7f]+')
"""A value that needs no quotes in a `name=value` pair."""


class AccessLog:
    """Writes records to a text stream, the standard output by default."""

    def __init__(self, form: str, stream: TextIO | None = None) -> None:
        check_choice(form, FORMS, parameter='access_log')
        self._format = FORMS[form]
        self._stream = stream

    def write(self, record: RequestRecord) -> None:
        """Write one line. It is flushed at once, so that none is lost when the process is killed."""
        stream = self._stream or sys.stdout
        stream.write(f'{self._format(_list_fields(record))}\n')
        stream.flush()


def _list_fields(record: RequestRecord) -> dict[str, Any]:
    usage = record.usage
    fields: dict[str, Any] = {
        'time': datetime.fromtimestamp(record.received, UTC).isoformat(timespec='milliseconds'),
        'request_id': record.request_id,
        'key': record.key_name or None,
        'model': record.model or None,
        'protocol': record.protocol,
        'stream': record.stream,
        'status': record.status,
        'error': record.error or None,
        'bytes_in': record.bytes_in,
        'bytes_out': record.bytes_out,
        'input_tokens': None if usage is None else usage.input_tokens,
        'output_tokens': None if usage is None else usage.output_tokens,
        'cost': None if record.cost is None else float(record.cost),
        'seconds': round(record.seconds, 6),
        'first_token': None if record.first_token is None else round(record.first_token, 6),
        'retries': record.retries or None,
        'fallbacks': record.fallbacks or None,
        'cache_hit': bool(record.cache_hits) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _write_json(fields: dict[str, Any]) -> str:
    return to_json(fields).decode()


def _write_pairs(fields: dict[str, Any]) -> str:
    """Write `name=value` pairs: https://brandur.org/logfmt."""
    return ' '.join(f'{name}={_quote(value)}' for name, value in fields.items())


def _quote(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if PLAIN.fullmatch(text) else to_json(text).decode()


FORMS: dict[str, Callable[[dict[str, Any]], str]] = {'json': _write_json, 'logfmt': _write_pairs}
"""The values of `access_log`."""
