"""`Runner`: runs the requests of jobs, as many at a time as the options allow, and writes their results to files."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, cast

from pydantic_core import from_json, to_json

from ...exceptions import UserError
from ...json_types import Json
from ...many.journal import remove_incomplete_end
from .dialects import DIALECTS, Dialect, Unrun, check_row
from .options import BatchOptions
from .store import Job, Store, StoredFile, make_id

__all__ = ('Runner', 'SendRow')

SendRow = Callable[[Job, Json, asyncio.Semaphore], Awaitable[tuple[int, Json]]]
"""Sends the body of one request of a job, in a slot. Returns the HTTP status and the body of the response or error."""

MAX_ERRORS = 100
"""The number of invalid rows that a failed job reports."""

YIELD_EVERY = 100
"""The number of rows that are validated at a time, so that other requests need not wait."""

logger: logging.Logger = logging.getLogger('pydantic_llm.serve')


class Runner:
    """Runs the jobs of a store."""

    def __init__(self, store: Store, options: BatchOptions, send_row: SendRow) -> None:
        self._store = store
        self._options = options
        self._send_row = send_row
        self._slots: asyncio.Semaphore | None = None  # of all jobs
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Go on with unfinished jobs, and stop them at the end of the block: the next start goes on with them."""
        self._store.open()
        for job in self._store.list_jobs():
            if not job.has_ended:
                self.start(job)
        try:
            yield
        finally:
            tasks = [*self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._store.close()
            self._slots = None  # it belongs to this event loop

    def start(self, job: Job) -> None:
        """Run a job in the background."""
        task = asyncio.create_task(self._run_job(job))
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    def cancel(self, job: Job) -> None:
        """Cancel the requests of a job that have not ended. Their rows are written soon."""
        if not job.has_ended and job.status != 'cancelling':
            job.status, job.cancelling = 'cancelling', time.time()
            self._store.save_job(job)
            if (task := self._tasks.get(job.id)) is not None:
                task.cancel()

    async def _run_job(self, job: Job) -> None:
        try:
            await self._run_to_end(job)
        except Exception:
            logger.exception('The batch %r failed', job.id)
            self._end(job, 'failed')

    async def _run_to_end(self, job: Job) -> None:
        results = _Results(self._store, job, DIALECTS[job.dialect])
        is_valid = job.status != 'validating'
        try:
            is_valid = is_valid or await self._validate(job)
            reason = await self._run_rows(job, results) if is_valid else None
        except asyncio.CancelledError:
            if job.status != 'cancelling':
                raise  # the server stops
            reason = 'cancelled'
        if job.has_ended or not self._store.has_job(job):
            return
        for id, _ in results.iterate_unfinished() if is_valid else ():
            results.add_unrun(id, reason or 'expired')
        results.close()
        self._end(job, reason or 'completed')

    async def _validate(self, job: Job) -> bool:
        """Check all rows, count them, and return whether all are valid."""
        seen: set[str] = set()
        dialect = DIALECTS[job.dialect]
        for line, row in enumerate(_iterate_rows(self._store.get_path(job.input_file)), 1):
            try:
                id, _ = check_row(dialect, row)
                if id in seen:
                    raise UserError(f'The id {id!r} occurs twice')
                seen.add(id)
            except UserError as error:
                job.errors.append({'code': 'invalid_request', 'line': line, 'message': error.message, 'param': None})
            if len(job.errors) >= MAX_ERRORS:
                break
            if line % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        job.total = len(seen)
        if not seen and not job.errors:
            job.errors.append({'code': 'empty_file', 'line': None, 'message': 'There are no requests', 'param': None})
        if job.errors:
            self._end(job, 'failed')
            return False
        job.status, job.started = 'in_progress', time.time()
        self._store.save_job(job)
        return True

    async def _run_rows(self, job: Job, results: _Results) -> Unrun | None:
        """Run the rows without a result. Return why some were not run, or `None` if all were."""
        if job.status == 'cancelling':
            return 'cancelled'
        slots = self._slots = self._slots or asyncio.Semaphore(self._options.concurrency)
        begun = asyncio.Semaphore(self._options.concurrency)  # of this job, also those that wait for their key
        try:
            async with asyncio.timeout(max(job.expires - time.time(), 0)), asyncio.TaskGroup() as group:
                for id, body in results.iterate_unfinished():
                    await begun.acquire()
                    task = group.create_task(self._run_row(job, results, id, body, slots))
                    task.add_done_callback(lambda _: begun.release())  # also if it was cancelled before it began
        except TimeoutError:
            return 'expired'
        return None

    async def _run_row(self, job: Job, results: _Results, id: str, body: Json, slots: asyncio.Semaphore) -> None:
        status, response = await self._send_row(job, body, slots)
        if self._store.has_job(job):
            results.add(id, status, response)

    def _end(self, job: Job, status: Literal['completed', 'failed', 'expired', 'cancelled']) -> None:
        """Write down the end of a job, unless it was deleted."""
        if self._store.has_job(job):
            job.status, job.ended = status, time.time()
            self._store.save_job(job)


class _Results:
    """The results of a job: those of an earlier run of the server, and new ones."""

    def __init__(self, store: Store, job: Job, dialect: Dialect) -> None:
        self._store = store
        self._job = job
        self._dialect = dialect
        self._done: set[str] = set()
        job.succeeded = job.errored = job.expired = job.cancelled = 0
        self._read_earlier()

    def iterate_unfinished(self) -> Iterator[tuple[str, Json]]:
        """Yield the ids and the bodies of requests without a result."""
        for row in _iterate_rows(self._store.get_path(self._job.input_file)):
            id, body = check_row(self._dialect, row)
            if id not in self._done:
                yield id, body

    def add(self, id: str, status: int, body: Json) -> None:
        """Write the result of a request."""
        if status < 400:
            self._job.succeeded += 1
        else:
            self._job.errored += 1
        self._write_row(id, self._dialect.encode_result(id, status, body), is_error=status >= 400)

    def add_unrun(self, id: str, reason: Unrun) -> None:
        """Write that a request was not run."""
        if reason == 'expired':
            self._job.expired += 1
        else:
            self._job.cancelled += 1
        self._write_row(id, self._dialect.encode_unrun(id, reason), is_error=True)

    def close(self) -> None:
        """Write down the sizes of the files."""
        for id in (self._job.output_file, self._job.error_file):
            if id is not None:
                self._store.save_file(self._store.find_file(id, self._job.owner))

    def _write_row(self, id: str, row: Json, *, is_error: bool) -> None:
        self._done.add(id)
        with self._open(is_error=is_error).open('ab') as file:
            file.write(to_json(row) + b'\n')

    def _open(self, *, is_error: bool) -> Path:
        """Return the path of the file for a result, which is created if need be."""
        job = self._job
        is_error = is_error and self._dialect.has_error_file
        id = job.error_file if is_error else job.output_file
        if id is not None:
            return self._store.get_path(id)
        name = f'{job.id}_{"error" if is_error else "output"}.jsonl'
        id = make_id('file-')
        new = StoredFile(id=id, owner=job.owner, name=name, purpose='batch_output', created=time.time())
        path = self._store.create_file(new)
        if is_error:
            job.error_file = id
        else:
            job.output_file = id
        self._store.save_job(job)
        return path

    def _read_earlier(self) -> None:
        """Read the results that were written before the server was started again. A truncated last line is removed."""
        for id in (self._job.output_file, self._job.error_file):
            if id is None:
                continue
            path = self._store.get_path(id)
            remove_incomplete_end(path)
            for row in _iterate_rows(path):
                fields = cast('Json', row)
                self._done.add(fields.get('custom_id') or fields['key'])
                if _is_success(fields):
                    self._job.succeeded += 1
                else:
                    self._job.errored += 1


def _is_success(row: Json) -> bool:
    match row:
        case {'response': {'status_code': int() as status}}:
            return bool(status < 400)
        case {'result': {'type': kind}}:
            return bool(kind == 'succeeded')
        case _:
            return 'response' in row


def _iterate_rows(path: Path) -> Iterator[object]:
    """Yield the parsed rows of a file, `None` for one that is not JSON. As in any request, NaN is not JSON."""
    with path.open('rb') as file:
        for line in file:
            if line.strip():
                try:
                    yield from_json(line, allow_inf_nan=False)
                except ValueError:
                    yield None
