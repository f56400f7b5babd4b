"""Shows the progress of `map` on the standard error: a bar on a terminal, else a line every ten seconds."""

from __future__ import annotations

import sys
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from ..many.results_file import JobCounts

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ('MapProgress', 'format_counts', 'format_duration')

LINE_EVERY = 10.0
"""Seconds between two lines if there is no terminal."""

UNITS = ((1e9, 'G'), (1e6, 'M'), (1e4, 'k'))
"""The least numbers that are shortened, with their units."""


class MapProgress:
    """Shows how many of `total` rows are done, within a `with` block. Call `update` after each row."""

    def __init__(self, total: int, counts: JobCounts) -> None:
        self._total = total
        self._counts = counts
        self._started = monotonic()
        self._done_before = counts.done
        self._next_line = self._started + LINE_EVERY
        self._bar = _make_bar()
        self._task = None if self._bar is None else self._bar.add_task('', total=total, completed=counts.done, text='')

    def __enter__(self) -> MapProgress:
        if self._bar is not None:
            self._bar.start()
        self.update()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def seconds(self) -> float:
        """The seconds since the start of this process's part of the job."""
        return monotonic() - self._started

    def update(self) -> None:
        """Show the numbers of now."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._counts.done, text=self._format())
        elif monotonic() >= self._next_line:
            self._next_line = monotonic() + LINE_EVERY
            print(f'{self._format()}', file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.console.print(text, style='dim', markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def _format(self) -> str:
        new = self._counts.done - self._done_before
        text = format_counts(self._counts, self._total)
        if not new or self._counts.done >= self._total:
            return text
        rate = new / max(self.seconds, 1e-3)
        left = (self._total - self._counts.done) / rate
        return f'{text}, {rate:.{0 if rate >= 10 else 1}f} rows/s, {format_duration(left)} left'


def format_counts(counts: JobCounts, total: int) -> str:
    """Return the numbers of a job on one line: rows, failed rows, tokens and cost."""
    failed = f', {counts.errors.total():,} failed' if counts.errors else ''
    tokens = f'{format_number(counts.input_tokens)} tokens in, {format_number(counts.output_tokens)} out'
    cost = f', ${counts.cost:,.2f}' if counts.cost >= 1 else f', ${counts.cost:.2g}' if counts.cost else ''
    return f'{counts.done:,}/{total:,} rows{failed}, {tokens}{cost}'


def format_number(number: int) -> str:
    """Return a number with three digits that count, and the unit of a large one: '1.23M'."""
    for least, unit in UNITS:
        if number >= least:
            return f'{number / (1e3 if unit == "k" else least):.3g}{unit}'
    return f'{number:,}'


def format_duration(seconds: float) -> str:
    """Return a duration as `1:02:03`, `2:03` or `3 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f'{hours}:{minutes:02}:{rest:02}'
    return f'{minutes}:{rest:02}' if minutes else f'{rest} s'


def _make_bar() -> Progress | None:
    """Return a progress bar for a terminal; `None` without one, and without the extra `cli`."""
    if not sys.stderr.isatty():
        return None
    with suppress(ImportError):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        bar = BarColumn(bar_width=20)
        return Progress(bar, TextColumn('{task.fields[text]}'), console=Console(stderr=True), transient=True)
    return None
