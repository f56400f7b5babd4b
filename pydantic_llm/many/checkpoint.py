"""`Checkpoint`: the results of `map_requests` in a file, from which a later process goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter

from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..models import Model
from ..models.description import encode_description
from .encoding import encode_json
from .job_file import JobFile
from .journal import Journal
from .requests import RowRequests, name_row
from .results import MapResult, RowError

__all__ = ('Checkpoint',)


class Checkpoint:
    """A file of JSON lines with the complete results. The options of the job are in a second file, `<name>.job`."""

    def __init__(self, path: Path, model: Model | str, requests: RowRequests, *, retry_failed: bool) -> None:
        self._output = _make_output_adapter(requests.output_type)
        self._responses = TypeAdapter(list[ModelResponse])
        self._job = JobFile(path, requests.describe(model if isinstance(model, str) else model.model_id))
        self._journal = Journal(path)
        self._retry_failed = retry_failed

    def open(self) -> None:
        """Open both files. Raises `UserError` if they belong to a job with other options."""
        self._job.open()
        try:
            if self._retry_failed:
                self._journal.remove(lambda record: record.get('error') is not None)
            for _ in self._journal.open():
                pass
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._journal.close()
        self._job.close(delete=not self._journal.path.exists())

    def find(self, index: int, row: object) -> MapResult[Any] | None:
        """Return the stored result of a row, or `None`. Raises `UserError` if it is that of another row."""
        if index not in self._journal:
            return None
        record = self._journal.read(index)
        if record.get('key') != hash_row(row):
            raise UserError(
                f'{name_row(index)} is not the row that {str(self._journal.path)!r} has the result of: give the same '
                'rows in the same order, or another checkpoint'
            )
        error = record.get('error')
        return MapResult(
            index=index,
            row=row,
            output=None if error else self._output.validate_python(record['output']),
            error=RowError(**error) if error else None,
            responses=tuple(self._responses.validate_python(record['responses'])),
            is_restored=True,
        )

    def add(self, result: MapResult[Any]) -> None:
        """Store a result, which `find` returns from now on."""
        record: dict[str, Any] = {
            'key': hash_row(result.row),
            'output': None if result.error else self._output.dump_python(result.output, mode='json'),
            'error': asdict(result.error) if result.error else None,
            'responses': self._responses.dump_python([*result.responses], mode='json'),
        }
        self._journal.add(result.index, record)


def hash_row(row: object) -> str:
    """Return a hash of a row, which does not depend on when its messages were made."""
    if isinstance(row, ModelRequest):
        row = [row]
    if isinstance(row, (list, tuple)) and any(isinstance(each, ModelRequest) for each in cast('list[object]', row)):
        data = encode_description(cast('Sequence[ModelMessage]', row), {}, {})
    else:
        data = encode_json(row)
    return blake2b(data, digest_size=8).hexdigest()


def _make_output_adapter(output_type: Any) -> TypeAdapter[Any]:
    """Return what stores outputs. Raises `UserError` if they cannot be stored."""
    try:
        return TypeAdapter(output_type)
    except Exception as error:
        raise UserError(
            f'checkpoint= needs an output_type that can be stored, such as a model or a dataclass, not {output_type!r}'
        ) from error
