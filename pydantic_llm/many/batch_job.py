"""`run_batch_job`: the rows of a job through the batch API of a vendor, which a later process can wait for too."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

from pydantic_core import from_json

from ..batches import Batch, BatchRequest, BatchResult, batch_requests, get_batch
from ..exceptions import LLMError
from ..models import Model
from .encoding import encode_json
from .input_file import InputFile
from .requests import RowRequests
from .results import MapResult, RowError
from .results_file import ResultsFile
from .structured import OutputParser

__all__ = ('run_batch_job',)

CREATED, READ = 'batch', 'read_batch'
"""The events of a job: a batch was created, and all its results were written. Their value is the id of the batch."""

PREFIX = 'row-'
"""The beginning of the ids of requests; the position of the row follows."""


async def run_batch_job(
    model: Model,
    source: InputFile,
    requests: RowRequests,
    results: ResultsFile,
    *,
    poll_every: float,
    on_change: Callable[[str | None], None],
) -> None:
    """Write the results of the batch that an earlier process created, then those of a new one with the missing rows.

    `on_change` is called after each result with `None`, and with a text when a batch was created or found. If this
    process ends, call it again: nothing that was sent is sent again.
    """
    job = _BatchJob(model, source, requests, results)
    for id in job.list_open_batches():
        batch = await get_batch(model, id, requests=job.make_requests())
        on_change(f'Waiting for the batch {id}, which an earlier run created')
        await job.read(batch, poll_every, on_change)
    if any(True for _ in job.make_requests()):
        batch = await batch_requests(model, job.make_requests())
        results.job.add({CREATED: batch.id})
        on_change(f'Created the batch {batch.id}; the same command waits for it if this one is stopped')
        await job.read(batch, poll_every, on_change)


class _BatchJob:
    """The rows of a job that have no result, and the batches for them."""

    def __init__(self, model: Model, source: InputFile, requests: RowRequests, results: ResultsFile) -> None:
        self._source = source
        self._requests = requests
        self._results = results
        self._output = OutputParser(requests.output_type, model.profile)
        self._rows = sqlite3.connect('')  # on disk if they are many
        self._rows.execute('CREATE TABLE rows (position INTEGER PRIMARY KEY, fields BLOB)')

    def list_open_batches(self) -> list[str]:
        """Return the ids of batches whose results were not all written."""
        events = self._results.job.events
        read = {event[READ] for event in events if READ in event}
        return [event[CREATED] for event in events if CREATED in event and event[CREATED] not in read]

    def make_requests(self) -> Iterator[BatchRequest]:
        """Yield the requests of the rows that have no result."""
        for index, name, row in self._source.read_missing(self._results.is_done):
            self._rows.execute('INSERT OR REPLACE INTO rows VALUES (?, ?)', (index, encode_json(row)))
            yield BatchRequest(
                self._requests.build_messages(row, name),
                settings=self._requests.settings,
                parameters=self._output.parameters,
                id=f'{PREFIX}{index}',
            )

    async def read(self, batch: Batch, poll_every: float, on_change: Callable[[str | None], None]) -> None:
        """Write the results of a batch, and delete its files at the vendor afterwards."""
        async with aclosing(batch.results(poll_every=poll_every, keep_files=True)) as found:
            async for result in found:
                index = int(result.id.removeprefix(PREFIX)) if result.id.startswith(PREFIX) else None
                if index is not None and not self._results.is_done(index):
                    self._results.add(self._make_result(index, result))
                    on_change(None)
        self._results.job.add({READ: batch.id})
        await batch.delete()

    def _make_result(self, index: int, result: BatchResult) -> MapResult[Any]:
        responses = (result.response,) if result.response is not None else ()
        found = self._rows.execute('SELECT fields FROM rows WHERE position = ?', (index,)).fetchone()
        row: object = from_json(found[0]) if found else {}
        try:
            return MapResult(index=index, row=row, output=self._output.read(result.get_response()), responses=responses)
        except LLMError as error:
            return MapResult(index=index, row=row, error=RowError.of(error), exception=error, responses=responses)
