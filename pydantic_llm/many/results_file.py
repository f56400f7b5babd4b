"""`ResultsFile`: a file with one line for each row, which is complete and in order at the end of a job.

JSON lines are written to the file itself as rows are completed, and brought into order at the end. A table is written
at the end, from JSON lines in `<name>.rows`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .columns import Columns, read_outcome
from .files import find_format, import_parquet
from .job_file import JobFile
from .journal import Journal
from .results import MapResult
from .tables import write_table

__all__ = ('JobCounts', 'ResultsFile')


@dataclass
class JobCounts:
    """The numbers of a job so far."""

    done: int = 0
    """Rows with a result, also with an error."""
    errors: Counter[str] = field(default_factory=Counter[str])
    """The rows that failed, by the class of their error."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    """The known prices, in US dollars."""

    def add(self, record: Mapping[str, Any]) -> None:
        """Add the values of a row."""
        error, input_tokens, output_tokens, cost = read_outcome(record)
        self.done += 1
        if error is not None:
            self.errors[error] += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.cost += cost


class ResultsFile:
    """The results of a job in a file. A job that was interrupted, or killed, goes on with the rows that are missing."""

    def __init__(self, path: Path, columns: Columns, options: Mapping[str, Any]) -> None:
        self.path = path
        self.counts: JobCounts = JobCounts()
        self.job: JobFile = JobFile(path, options)
        """The options, and the events of the job."""
        self._columns = columns
        self._format = find_format(path, option='--output')
        if self._format == 'parquet':
            import_parquet()
        self._journal = Journal(path if self._format == 'jsonl' else path.with_name(f'{path.name}.rows'))

    def open(self, *, retry_failed: bool = False) -> bool:
        """Open the files, and count what is done. Return whether the job was begun before.

        Failed rows are removed if they are to be retried. Raises `UserError` if the file was made with other options.
        """
        was_begun = self.job.open()
        try:
            if retry_failed:
                self._journal.remove(lambda record: read_outcome(record)[0] is not None)
            for record in self._journal.open():
                self.counts.add(record)
        except BaseException:
            self.close()
            raise
        return was_begun

    def is_done(self, index: int) -> bool:
        """Return whether a row has a result."""
        return index in self._journal

    def add(self, result: MapResult[Any]) -> None:
        """Write the result of a row."""
        record = self._columns.make_record(result)
        self._journal.add(result.index, record)
        self.counts.add(record)

    def finish(self) -> None:
        """Bring the results into the order of their rows, and write the table if the file is one."""
        if self._format == 'jsonl':
            self._journal.sort()
        else:
            write_table(self.path, self._format, self._columns.kinds, self._journal.read_in_order())

    def close(self) -> None:
        self._journal.close()
        self.job.close(delete=not self._journal.path.exists())
