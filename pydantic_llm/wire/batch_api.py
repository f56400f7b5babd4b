"""`BatchApi`: how an API runs many requests later, as data. `pydantic_llm.batches` reads it.

A batch is created from rows, one per request: in a file that is uploaded before (`Upload`), or in the request that
creates the batch (`InlineRows`). `BatchJob` is its state at the vendor, `BatchRow` one result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic_core import to_json

from ..json_types import Json

__all__ = (
    'BatchApi',
    'BatchCounts',
    'BatchJob',
    'BatchRow',
    'BatchStatus',
    'InlineRows',
    'Upload',
    'find_status',
    'get_text',
    'quote_json',
)

BatchStatus = Literal['pending', 'running', 'cancelling', 'completed', 'failed', 'expired', 'cancelled']
"""The state of a batch. From `completed` on, it has ended."""

ENDED: tuple[BatchStatus, ...] = ('failed', 'expired', 'cancelled', 'completed')
"""The states of a batch that has ended, the worst first."""

RowOutcome = Literal['response', 'error', 'expired', 'cancelled']
"""The fate of a request. One that is `expired` or `cancelled` has no response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCounts:
    """The numbers of requests of a batch, as far as the vendor reports them: some do so only at the end."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    """Requests that failed, expired or were cancelled."""

    def __add__(self, other: BatchCounts) -> BatchCounts:
        return BatchCounts(
            total=self.total + other.total,
            succeeded=self.succeeded + other.succeeded,
            failed=self.failed + other.failed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJob:
    """The state of one batch at the vendor."""

    id: str
    status: BatchStatus
    vendor_status: str
    """The vendor's own word for the status."""
    counts: BatchCounts = BatchCounts()
    result_paths: tuple[str, ...] = ()
    """The paths of the results, as JSON Lines."""
    rows: Sequence[Json] = field(default=(), repr=False)
    """The results that are in the job itself."""
    stored_paths: tuple[str, ...] = ()
    """The paths of what the vendor stores for the batch, which can be deleted."""
    errors: Sequence[Json] = ()
    """The errors of the batch as a whole, with the field `line` if one is about a line of the file."""

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def rank(self) -> int:
        """A number that is smaller for a worse end."""
        return ENDED.index(self.status) if self.has_ended else len(ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """The result of one request, in the API's form."""

    id: str
    """The id of the request; empty if the vendor did not name it."""
    outcome: RowOutcome
    body: Json = field(default_factory=dict[str, object])
    """The body of the response or of the error."""
    status: int | None = None
    """The HTTP status of an error; `None` if the body has it."""
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """The upload of a file of rows."""

    path: str
    file_path: str
    """The path of an uploaded file, with `{id}`."""
    form: Mapping[str, str] | None = None
    """The other fields of the form; `None` for Google's resumable upload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineRows:
    """Rows inside the request that creates a batch."""

    encode_row: Callable[[str, bytes], bytes]
    """Returns the JSON of a row, from the id and the body of the request."""
    before: bytes
    """The JSON before the first row."""
    after: bytes
    """The JSON after the last row. Commas separate the rows."""
    max_bytes: int
    """The size of all rows up to which they stand in the request."""


@dataclass(frozen=True, kw_only=True)
class BatchApi:
    """The batch API of a vendor. All paths are below the provider's base URL."""

    path: str
    """The path of the request that creates a batch."""
    job_path: str
    """The path of a batch, with `{id}`."""
    cancel_path: str
    """The path of the request that cancels a batch, with `{id}`."""
    max_requests: int
    """The most requests of one batch."""
    max_bytes: int
    """The size of the largest file, or of the largest request that creates a batch."""
    id_pattern: str
    """The regular expression for ids of requests."""
    encode_row: Callable[[str, bytes], bytes] | None = None
    """Returns a line of the file, from the id and the body of the request; `None` if rows are never in a file."""
    encode_job: Callable[[str, str], Json] | None = None
    """Returns the body of the request that creates a batch, from the id of the file and the model's name."""
    upload: Upload | None = None
    inline: InlineRows | None = None
    decode_file_id: Callable[[Json], object] = lambda body: body.get('id')
    """Returns the id of the file from the response to its upload."""
    decode_job: Callable[[Json], BatchJob]
    decode_row: Callable[[Json], BatchRow]
    joined_headers: frozenset[str] = frozenset()
    """The headers, in lower case, that hold for all requests of a batch, and whose values are joined by commas."""
    dropped_settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """The settings that cannot work in a batch, each with the reason."""

    def accepts_id(self, id: str) -> bool:
        """Return whether a request may have this id."""
        return re.fullmatch(self.id_pattern, id) is not None


def find_status(statuses: Sequence[BatchStatus]) -> BatchStatus:
    """Return the status of a batch whose parts have these: that of a part that goes on, or the worst one."""
    distinct = {*statuses}
    if len(distinct) > 1 and 'pending' in distinct:
        return 'running'
    order: tuple[BatchStatus, ...] = ('running', 'cancelling', 'pending', *ENDED)
    return next(status for status in order if status in distinct)


def get_text(body: Json, name: str) -> str:
    """Return a field that must be a text. Raises `TypeError` for any other value."""
    value: object = body[name]
    if not isinstance(value, str):
        raise TypeError(f'{name!r} is {value!r}')
    return value


def quote_json(text: str) -> bytes:
    """Return a text as a JSON string."""
    return to_json(text)
