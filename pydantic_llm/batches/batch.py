"""`Batch`: a batch at a vendor, from its creation to its results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Self

from .._checks import check_flag, check_number
from ..exceptions import (
    BatchCancelledError,
    BatchExpiredError,
    BatchFailedError,
    LLMError,
    ModelAPIError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UserError,
)
from ..models import ModelRequestParameters
from ..wire.batch_api import BatchCounts, BatchJob, BatchRow, BatchStatus, find_status
from ..wire.model import WireModel
from .client import BatchClient
from .requests import BatchResult

__all__ = ('Batch', 'KnownRequest')

MAX_FAILED_POLLS = 10
"""The number of failed looks at a batch, one after the other, after which the error is raised. Each has its retries."""


@dataclass(frozen=True, slots=True)
class KnownRequest:
    """The facts about a request of a batch that its result needs."""

    warnings: Sequence[str]
    parameters: ModelRequestParameters


class Batch:
    """Requests that run in batches at a vendor: one, or several if they exceed its limits.

    `id` is a text that can be stored; `get_batch` finds the batch again by it.
    """

    def __init__(
        self,
        client: BatchClient,
        jobs: Sequence[BatchJob],
        *,
        known: Mapping[str, KnownRequest] | None = None,
        ids: Sequence[Sequence[str]] | None = None,
        uploaded: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._jobs = list(jobs)
        self._known = known
        self._ids = ids
        self._uploaded = uploaded
        self._is_deleted = False
        self._failed_polls = 0
        self.warnings: list[str] = []
        """One sentence for each file that could not be deleted at the vendor."""

    @property
    def id(self) -> str:
        """The id of the batch: the vendor's ids, separated by commas."""
        return ','.join(job.id for job in self._jobs)

    @property
    def model(self) -> WireModel[Any]:
        """The model that the requests were sent to."""
        return self._client.model

    @property
    def jobs(self) -> Sequence[BatchJob]:
        """The batches at the vendor, as they were when `refresh` or `results` last looked at them."""
        return tuple(self._jobs)

    @property
    def status(self) -> BatchStatus:
        """The status when `refresh` or `results` last looked at the batch."""
        return find_status([job.status for job in self._jobs])

    @property
    def has_ended(self) -> bool:
        """True if there is nothing more to wait for: all results are there."""
        return all(job.has_ended for job in self._jobs)

    @property
    def counts(self) -> BatchCounts:
        """The numbers of requests, as the vendor reported them last."""
        return sum((job.counts for job in self._jobs), BatchCounts())

    async def refresh(self) -> Self:
        """Look at the batch, and return it with its new status. Raises the errors of `Model.request`."""
        for index, job in enumerate(self._jobs):
            if not job.has_ended:
                self._jobs[index] = await self._client.fetch(job.id)
        return self

    async def cancel(self) -> None:
        """Cancel what has not run yet. The results of the rest are there once the status is `'cancelled'`."""
        for index, job in enumerate(self._jobs):
            if job.has_ended:
                continue
            try:
                await self._client.cancel(job.id)
            except ModelHTTPError:
                self._jobs[index] = await self._client.fetch(job.id)
                if not self._jobs[index].has_ended:
                    raise
            else:
                self._jobs[index] = await self._client.fetch(job.id)

    async def results(self, *, poll_every: float = 60.0, keep_files: bool = False) -> AsyncGenerator[BatchResult]:
        """Wait for the results and yield them, each once, in the vendor's order.

        `poll_every` is the time between two looks at the batch, in seconds. Vendors make the results of a batch
        available at its end; those of a batch in several parts are yielded as each part ends. When all results were
        yielded, the files at the vendor are deleted, unless `keep_files` is true; a reader that stops earlier can read
        all results again. Raises the errors of `Model.request` if the vendor cannot be reached for long.
        """
        check_number('poll_every', poll_every, above=0, required=True)
        check_flag('keep_files', keep_files)
        if self._is_deleted:
            raise UserError(f'The results of batch {self.id!r} were deleted after they were read: use keep_files=True')
        waiting = [*range(len(self._jobs))]
        seen: set[str] = set()
        lost: list[LLMError] = []
        while waiting:
            for index in [*waiting]:
                if not (await self._poll(index)).has_ended:
                    continue
                waiting.remove(index)
                async with aclosing(self._read_results(index, seen, lost)) as results:
                    async for result in results:
                        yield result
                for result in self._find_missing(index, seen, is_last=not waiting):
                    yield result
            if waiting:
                await asyncio.sleep(poll_every)
        if lost:
            raise lost[0]
        if not keep_files:
            await self.delete()

    async def delete(self) -> None:
        """Delete the files at the vendor, with the results. What cannot be deleted is named in `warnings`.

        Raises `UserError` if the batch has not ended: cancel it first.
        """
        if not self.has_ended:
            raise UserError(f'Batch {self.id!r} is {self.status!r}: cancel it before you delete its files')
        self._is_deleted = True
        paths = [path for job in self._jobs for path in job.stored_paths]
        for path in dict.fromkeys([*self._uploaded, *paths]):
            if error := await self._client.delete(path):
                self.warnings.append(f'{path} was not deleted: {error}')

    def __repr__(self) -> str:
        return f'Batch(id={self.id!r}, status={self.status!r})'

    # ------------------------------------------------------------------ results

    async def _poll(self, index: int) -> BatchJob:
        """Return the newest state of a job; the last one known while the vendor fails for a short time."""
        job = self._jobs[index]
        if not job.has_ended:
            try:
                job = await self._client.fetch(job.id)
            except ModelAPIError as error:
                self._failed_polls += 1
                if not error.retryable or self._failed_polls >= MAX_FAILED_POLLS:
                    raise
            else:
                self._failed_polls = 0
                self._jobs[index] = job
        return job

    async def _read_results(self, index: int, seen: set[str], lost: list[LLMError]) -> AsyncGenerator[BatchResult]:
        """Yield the results of a job that has ended, and add their ids to `seen`.

        If the ids of its requests are not known and results are missing, an error is added to `lost`.
        """
        job, count = self._jobs[index], 0
        async with aclosing(self._client.read_rows(job)) as rows:
            async for row in rows:
                if row.id not in seen or not row.id:
                    seen.add(row.id)
                    count += 1
                    yield self._decode(row)
        is_empty = not count and job.status != 'completed'
        if self._known is None and (is_empty or count < job.counts.total):
            lost.append(self._make_missing_error(job))

    def _find_missing(self, index: int, seen: set[str], *, is_last: bool) -> Iterator[BatchResult]:
        """Yield an error for each request of a job that has no result.

        If it is not known which requests a job has, the last job yields those of all.
        """
        job = self._jobs[index]
        if self._ids is not None:
            ids = self._ids[index]
        else:
            ids = [*self._known] if self._known is not None and is_last else []
            job = min(self._jobs, key=lambda each: each.rank) if len(self._jobs) > 1 else job
        for position, id in enumerate(ids):
            if id not in seen:
                yield BatchResult(id, error=self._find_line_error(job, position) or self._make_missing_error(job))

    def _decode(self, row: BatchRow) -> BatchResult:
        known = (self._known or {}).get(row.id)
        if row.outcome == 'expired':
            return BatchResult(row.id, error=self._make_expired_error())
        if row.outcome == 'cancelled':
            return BatchResult(row.id, error=self._make_cancelled_error())
        try:
            response = self.model.decode_batch_row(
                row, known.warnings if known else (), known.parameters if known else None
            )
        except LLMError as error:
            return BatchResult(row.id, error=error)
        return BatchResult(row.id, response)

    # ------------------------------------------------------------------ requests without a result

    def _find_line_error(self, job: BatchJob, position: int) -> LLMError | None:
        """Return the vendor's error about one line of a file that it refused."""
        found = next((error for error in job.errors if error.get('line') == position + 1), None)
        if found is None:
            return None
        row = BatchRow(id='', outcome='error', body={'error': found}, status=400)
        try:
            self.model.decode_batch_row(row)
        except LLMError as error:
            return error
        return None

    def _make_missing_error(self, job: BatchJob) -> LLMError:
        match job.status:
            case 'expired':
                return self._make_expired_error()
            case 'cancelled':
                return self._make_cancelled_error()
            case 'failed':
                reasons = '; '.join(str(error.get('message') or error) for error in job.errors[:3])
                message = f'Batch {job.id!r} of {self.model.model_name} failed: {reasons or "no explanation"}'
                return BatchFailedError(
                    self.model.model_name,
                    message,
                    batch_id=job.id,
                    errors=job.errors,
                    provider_name=self.model.system,
                )
            case _:
                return UnexpectedModelBehavior(f'The results of batch {job.id!r} do not contain all requests')

    def _make_expired_error(self) -> BatchExpiredError:
        name = self.model.model_name
        message = f'{name} did not run the request before its batch expired'
        return BatchExpiredError(name, message, provider_name=self.model.system)

    def _make_cancelled_error(self) -> BatchCancelledError:
        name = self.model.model_name
        message = f'{name} did not run the request, since its batch was cancelled'
        return BatchCancelledError(name, message, provider_name=self.model.system)
