"""`Store`: the files and the jobs of a server, on disk. A job is written down at each change of its status."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal, TypeVar
from weakref import finalize

from pydantic import TypeAdapter, ValidationError

from ...exceptions import ModelHTTPError, NotFoundError, UserError
from .options import BatchOptions

__all__ = ('INLINE', 'Job', 'JobStatus', 'Store', 'StoredFile', 'make_id')

JobStatus = Literal['validating', 'in_progress', 'cancelling', 'completed', 'failed', 'expired', 'cancelled']
"""The state of a job: OpenAI's words."""

ENDED: frozenset[JobStatus] = frozenset({'completed', 'failed', 'expired', 'cancelled'})

ID = re.compile('[A-Za-z0-9_-]{1,100}')
"""The form of an id. It is part of a path on disk."""

INLINE = 'inline'
"""The purpose of a file with requests that a client sent with the batch itself."""

OWNER_ALONE = 0o600
"""The mode of files: they hold prompts and responses."""

SWEEP_EVERY = 60.0
"""Seconds between two searches for what is to be deleted."""


@dataclass(slots=True, kw_only=True)
class StoredFile:
    """A file that a client uploaded, or one with results."""

    id: str
    owner: str
    """The name of the key that it belongs to."""
    name: str
    purpose: str
    created: float
    size: int = 0
    content_type: str = 'application/jsonl'
    is_complete: bool = True
    """False while more of it is to come."""


@dataclass(slots=True, kw_only=True)
class Job:
    """A batch."""

    id: str
    owner: str
    dialect: str
    """The name of the vendor whose API the client uses."""
    protocol: str
    """The name of the protocol of its requests."""
    input_file: str
    created: float
    expires: float
    model: str | None = None
    """The model of requests that name none."""
    output_file: str | None = None
    error_file: str | None = None
    status: JobStatus = 'validating'
    started: float | None = None
    cancelling: float | None = None
    ended: float | None = None
    total: int = 0
    succeeded: int = 0
    errored: int = 0
    expired: int = 0
    cancelled: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the client sent with the batch, for its own use."""

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    @property
    def failed(self) -> int:
        """The number of requests without a response."""
        return self.errored + self.expired + self.cancelled


Stored = TypeVar('Stored', Job, StoredFile)

_jobs: TypeAdapter[Job] = TypeAdapter(Job)
_files: TypeAdapter[StoredFile] = TypeAdapter(StoredFile)


class Store:
    """The files and jobs of a server."""

    def __init__(self, options: BatchOptions) -> None:
        self._options = options
        self._folder: Path | None = None
        self._jobs: dict[str, Job] = {}
        self._files: dict[str, StoredFile] = {}
        self._next_sweep = 0.0
        self._delete_folder: finalize[..., Store] | None = None

    def open(self) -> None:
        """Read what is in the folder. Called again, this does nothing."""
        if self._folder is not None:
            return
        given = self._options.folder
        self._folder = Path(tempfile.mkdtemp(prefix='pydantic_llm_')) if given is None else Path(given)
        if given is None:
            self._delete_folder = finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._jobs = {job.id: job for job in _read_all(self._folder, '*.job', _jobs)}
        self._files = {file.id: file for file in _read_all(self._folder, '*.file', _files)}

    def close(self) -> None:
        """Delete a temporary folder; forget what is in any other one."""
        folder, self._folder = self._folder, None
        self._jobs, self._files = {}, {}
        if folder is not None and self._delete_folder is not None:
            self._delete_folder()

    # ------------------------------------------------------------------ files

    def create_file(self, file: StoredFile) -> Path:
        """Add an empty file, and return its path."""
        self.sweep()
        self._files[file.id] = file
        path = self.get_path(file.id)
        path.touch(OWNER_ALONE)
        self.save_file(file)
        return path

    def save_file(self, file: StoredFile) -> None:
        """Write down the size of a file, and what is known about it."""
        path = self.get_path(file.id)
        file.size = path.stat().st_size
        _replace_file(path.with_suffix('.file'), _files.dump_json(file))

    def check_room(self, size: int) -> None:
        """Raise `ModelHTTPError` if a file of this size is too large, or if there is no room for it."""
        if size > self._options.max_file_bytes:
            raise ModelHTTPError(413, '', message=f'The file is larger than {self._options.max_file_bytes} bytes')
        if self._count_bytes() + size > self._options.max_stored_bytes:
            raise ModelHTTPError(413, '', message='The files of this server have too many bytes: delete some')

    def find_file(self, id: str, owner: str) -> StoredFile:
        """Return a file. Raises `NotFoundError` if the owner has none with this id."""
        return _find_owned(self._files, id, owner, 'file')

    def get_path(self, id: str) -> Path:
        """Return the path of the content of a file."""
        assert ID.fullmatch(id), 'made by this server'
        return self._open_folder() / f'{id}.data'

    def delete_file(self, file: StoredFile) -> None:
        """Delete a file. Raises `UserError` if a batch that has not ended needs it."""
        for job in self._jobs.values():
            if not job.has_ended and file.id in (job.input_file, job.output_file, job.error_file):
                raise UserError(f'The batch {job.id!r} needs the file {file.id!r}: wait for its end, or cancel it')
        self._remove_file(file)

    def _remove_file(self, file: StoredFile) -> None:
        self._files.pop(file.id, None)
        path = self.get_path(file.id)
        path.unlink(missing_ok=True)
        path.with_suffix('.file').unlink(missing_ok=True)

    def _count_bytes(self) -> int:
        return sum(file.size for file in self._files.values())

    # ------------------------------------------------------------------ jobs

    def save_job(self, job: Job) -> None:
        """Add a job, or write down its new state."""
        self._jobs[job.id] = job
        _replace_file(self._open_folder() / f'{job.id}.job', _jobs.dump_json(job))

    def has_job(self, job: Job) -> bool:
        """Return whether the job was not deleted."""
        return job.id in self._jobs

    def find_job(self, id: str, owner: str) -> Job:
        """Return a job. Raises `NotFoundError` if the owner has none with this id."""
        return _find_owned(self._jobs, id, owner, 'batch')

    def list_jobs(self, owner: str | None = None) -> Sequence[Job]:
        """Return the jobs of an owner, or of all, the newest first."""
        jobs = [job for job in self._jobs.values() if owner is None or job.owner == owner]
        return sorted(jobs, key=lambda job: job.created, reverse=True)

    def delete_job(self, job: Job) -> None:
        """Delete a job with its results, and with its requests if they were no file of the client."""
        self._jobs.pop(job.id, None)
        (self._open_folder() / f'{job.id}.job').unlink(missing_ok=True)
        for id in (job.input_file, job.output_file, job.error_file):
            file = None if id is None else self._files.get(id)
            if file is not None and (id != job.input_file or file.purpose == INLINE):
                self._remove_file(file)

    def sweep(self) -> None:
        """Delete what is older than `keep_for`."""
        now = time.time()
        if now < self._next_sweep:
            return
        self._next_sweep = now + min(SWEEP_EVERY, self._options.keep_for)
        for job in [*self._jobs.values()]:
            if job.ended is not None and job.ended + self._options.keep_for < now:
                self.delete_job(job)
        needed = {id for job in self._jobs.values() for id in (job.input_file, job.output_file, job.error_file)}
        for file in [*self._files.values()]:
            if file.id not in needed and file.created + self._options.keep_for < now:
                self._remove_file(file)

    def _open_folder(self) -> Path:
        self.open()
        assert self._folder is not None, 'opened'
        return self._folder


def make_id(prefix: str) -> str:
    """Return a new id."""
    return f'{prefix}{token_hex(12)}'


def _find_owned(known: dict[str, Stored], id: str, owner: str, what: str) -> Stored:
    found = known.get(id)
    if found is None or found.owner != owner:
        raise NotFoundError(404, '', message=f'There is no {what} {id[:100]!r}')
    return found


def _read_all(folder: Path, pattern: str, adapter: TypeAdapter[Stored]) -> Iterator[Stored]:
    """Yield what was written down. A truncated file is skipped."""
    for path in folder.glob(pattern):
        try:
            yield adapter.validate_json(path.read_bytes())
        except ValidationError:
            continue


def _replace_file(path: Path, data: bytes) -> None:
    """Write a file as a whole, or not at all."""
    draft = path.with_suffix(path.suffix + '.new')
    draft.touch(OWNER_ALONE)
    draft.write_bytes(data)
    draft.replace(path)
