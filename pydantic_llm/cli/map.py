"""`pydantic-llm map`: send a request for each row of a file, and write the results as rows of another file.

`MapJob` prepares a job (everything that can be wrong is found before anything is sent) and runs it.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from ..exceptions import UserError
from ..many.columns import Columns, list_output_columns
from ..many.engine import Engine, LocalEngine
from ..many.input_file import InputFile, InputSummary
from ..many.map_requests import check_first, map_rows
from ..many.requests import RowRequests
from ..many.results_file import ResultsFile
from .choice import resolve_name
from .errors import UsageError
from .map_models import ModelRecipe, VLLMRecipe
from .map_progress import MapProgress, format_counts, format_duration
from .notes import print_note
from .schema import read_schema
from .settings import read_settings

__all__ = ('map',)


def map(arguments: Namespace) -> None:
    """Send a request for each row that has no result yet. Exits with 1 if rows failed."""
    _check_paths(arguments)
    job = MapJob(arguments)
    try:
        asyncio.run(job.run())
        job.finish()
    finally:
        job.close()
    if job.results.counts.errors:
        raise SystemExit(1)


def _check_paths(arguments: Namespace) -> None:
    if arguments.output.resolve() == arguments.input.resolve():
        raise UsageError('--output is the file of --input: name another one')
    if arguments.batch and arguments.engine != 'local':
        raise UsageError(f'--batch and --engine {arguments.engine} do not go together')
    if arguments.engine == 'vllm' and (arguments.base_url or len(arguments.model or []) != 1):
        raise UsageError('--engine vllm needs one -m, a repository or a folder, and no --base-url')


class MapJob:
    """One job of `map`."""

    def __init__(self, arguments: Namespace) -> None:
        self._arguments = arguments
        settings = read_settings(arguments)
        output_type = str if arguments.schema is None else read_schema(arguments.schema)
        self._requests = RowRequests.check(arguments.prompt, arguments.system, settings, output_type, arguments.attach)
        self._recipe, name = _make_recipe(arguments)
        self._source = InputFile(arguments.input, arguments.limit)
        self._summary = self._source.check(self._requests, id_column=arguments.id)
        columns = Columns(_choose_columns(arguments.columns, self._summary), list_output_columns(output_type))
        self.results: ResultsFile = ResultsFile(arguments.output, columns, self._describe_options(name, columns))
        self._was_begun = self.results.open(retry_failed=arguments.retry_failed)

    def _describe_options(self, name: str, columns: Columns) -> Mapping[str, Any]:
        """Return the options that decide about the results, for the check of a later run."""
        return {
            **self._requests.describe(name),
            'columns': [*columns.copied],
            'content of the input': f'sha256:{self._summary.digest[:16]}',
        }

    async def run(self) -> None:
        """Send the requests of the rows without a result."""
        counts, total = self.results.counts, self._summary.count
        if self._was_begun:
            print_note(f'Going on with {self._arguments.output}: {counts.done:,} of {total:,} rows are there.')
        with MapProgress(total, counts) as progress:
            try:
                if counts.done < total:
                    await (self._run_batch(progress) if self._arguments.batch else self._run_rows(progress))
            finally:
                if 0 < counts.done < total:
                    progress.note(
                        f'{counts.done:,} of {total:,} rows are done; the same command goes on with the rest.'
                    )
        self._print_summary(progress.seconds)

    def finish(self) -> None:
        """Complete the file of results."""
        self.results.finish()

    def close(self) -> None:
        """Close the files."""
        self.results.close()

    async def _run_rows(self, progress: MapProgress) -> None:
        arguments, requests = self._arguments, self._requests
        engine = _make_engine(arguments)
        async with engine.open(self._recipe, requests, concurrency=arguments.concurrency) as runner:
            rows = check_first(self._source.stream_missing(self.results.is_done), runner, requests)
            found = map_rows(rows, runner, concurrency=arguments.concurrency, ordered=False)
            async with aclosing(found) as results:
                async for result in results:
                    self.results.add(result)
                    progress.update()

    async def _run_batch(self, progress: MapProgress) -> None:
        from ..many.batch_job import run_batch_job

        def report(text: str | None) -> None:
            if text is None:
                progress.update()
            else:
                progress.note(text)

        async with self._recipe() as model:
            await run_batch_job(
                model, self._source, self._requests, self.results, poll_every=self._arguments.poll, on_change=report
            )

    def _print_summary(self, seconds: float) -> None:
        counts = self.results.counts
        print_note(f'{format_counts(counts, self._summary.count)}, {format_duration(seconds)}')
        if counts.errors:
            kinds = ', '.join(f'{number:,} {name}' for name, number in counts.errors.most_common())
            print_note(f'Failed: {kinds}. --retry-failed sends these rows again.')


def _make_recipe(arguments: Namespace) -> tuple[ModelRecipe | VLLMRecipe, str]:
    """Return what builds the model, and the name of the model."""
    if arguments.engine == 'vllm':
        name = arguments.model[0].removeprefix('vllm:')
        return VLLMRecipe(name=name, tensor_parallel_size=arguments.tensor_parallel_size), f'vllm:{name}'
    share = arguments.workers or 2 if arguments.engine == 'ray' else 1
    requests, tokens = arguments.requests_per_minute, arguments.tokens_per_minute
    recipe = ModelRecipe(
        names=[*dict.fromkeys(resolve_name(name, arguments.base_url) for name in arguments.model or [None])],
        base_url=arguments.base_url,
        requests_per_minute=requests and requests / share,
        tokens_per_minute=tokens and tokens / share,
    )
    return recipe, ' + '.join(recipe.names)


def _make_engine(arguments: Namespace) -> Engine:
    if arguments.engine == 'local':
        return LocalEngine()
    from ..many.ray import RayEngine

    gpus = arguments.tensor_parallel_size if arguments.engine == 'vllm' else 0
    return RayEngine(workers=arguments.workers, address=arguments.ray_address, gpus=gpus)


def _choose_columns(names: str | None, summary: InputSummary) -> Mapping[str, Any]:
    """Return the columns of the input to copy, all of them by default."""
    if names is None:
        return summary.kinds
    chosen = [name.strip() for name in names.split(',') if name.strip()]
    if unknown := next((name for name in chosen if name not in summary.kinds), None):
        known = ', '.join(repr(name) for name in summary.kinds)
        raise UserError(f'--columns has {unknown!r}, which the input does not have: it has {known}')
    return {name: summary.kinds[name] for name in chosen}
