"""`map_requests`: send a request for each of many rows, and yield the results."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from typing_extensions import TypeVar

from .._caller import ShortTracebacks
from .._checks import check_flag, check_number
from .._type_checks import check_type, raise_wrong_type
from ..messages import ModelMessage, ModelRequest
from ..models import Model, check_model
from ..settings import ModelSettings
from .checkpoint import Checkpoint
from .concurrent import run_concurrently
from .engine import Engine, LocalEngine, ModelSource, RunsRows
from .requests import RowRequests, RowRunner, name_row
from .results import MapResult

if TYPE_CHECKING:
    from ..agent.output_types import OutputSpec
    from ..models.known_names import KnownModelName

__all__ = ('check_first', 'map_requests', 'map_rows')

OutputT = TypeVar('OutputT')
Row = str | Mapping[str, Any] | ModelRequest | Sequence[ModelMessage]
Rows = Iterable[Row] | AsyncIterable[Row]

CONCURRENCY = 16
"""The number of requests at the same time by default."""


@overload
def map_requests(
    model: Model | KnownModelName | str | Callable[[], Model],
    rows: Rows,
    *,
    prompt: str | None = None,
    instructions: str | None = None,
    output_type: None = None,
    model_settings: ModelSettings | None = None,
    attachments: str | None = None,
    concurrency: int = CONCURRENCY,
    ordered: bool = True,
    checkpoint: str | PathLike[str] | None = None,
    retry_failed: bool = False,
    engine: Engine | Literal['ray'] | None = None,
) -> AsyncGenerator[MapResult[str]]: ...


@overload
def map_requests(
    model: Model | KnownModelName | str | Callable[[], Model],
    rows: Rows,
    *,
    prompt: str | None = None,
    instructions: str | None = None,
    output_type: OutputSpec[OutputT],
    model_settings: ModelSettings | None = None,
    attachments: str | None = None,
    concurrency: int = CONCURRENCY,
    ordered: bool = True,
    checkpoint: str | PathLike[str] | None = None,
    retry_failed: bool = False,
    engine: Engine | Literal['ray'] | None = None,
) -> AsyncGenerator[MapResult[OutputT]]: ...


def map_requests(
    model: Model | KnownModelName | str | Callable[[], Model],
    rows: Rows,
    *,
    prompt: str | None = None,
    instructions: str | None = None,
    output_type: Any = None,
    model_settings: ModelSettings | None = None,
    attachments: str | None = None,
    concurrency: int = CONCURRENCY,
    ordered: bool = True,
    checkpoint: str | PathLike[str] | None = None,
    retry_failed: bool = False,
    engine: Engine | Literal['ray'] | None = None,
) -> AsyncGenerator[MapResult[Any]]:
    """Send a request for each row, `concurrency` at a time, and yield one result for each row.

    A row is a text, a dict of fields for `prompt`, a `ModelRequest` or a conversation. Rows are taken as they are
    needed, also from a generator or an asynchronous iterator, and are not kept.

    A row that fails has a result with an `error`. An error that every further row would get too (the key, the name of
    the model, the quota of the account) is raised instead, when the requests under way have ended. Leaving the loop
    cancels the requests under way.

    Args:
        model: The model, its name such as `'openai:gpt-4o'`, or a function that makes it.
        rows: The rows, any number of them.
        prompt: The template of the prompt of rows that are dicts; `'{prompt}'` by default. `{name}` is a field.
        instructions: Text for the model, sent with every request.
        output_type: The type of structured outputs, as that of an `Agent`. By default, outputs are text.
        model_settings: Settings of each request, merged over those of the model.
        attachments: The field of rows with a path or a URL, or a list of them, of files to send with the prompt.
        concurrency: The number of requests at the same time.
        ordered: True to yield results in the order of the rows, false as they are completed.
        checkpoint: A file that keeps the results. The same call yields the results in it without sending a request.
        retry_failed: True to send the rows again whose results in the checkpoint are errors.
        engine: Where the requests are sent from: this process, or `'ray'` for the nodes of a Ray cluster.

    Raises `UserError` for invalid options, and if the first row cannot be sent.
    """
    _check_options(model, rows, concurrency, ordered, retry_failed)
    requests = RowRequests.check(prompt, instructions, model_settings, output_type, attachments)
    chosen = choose_engine(engine)
    saved = None
    if checkpoint is not None:
        check_type(checkpoint, (str, PathLike), parameter='checkpoint', expected='a path')
        saved = Checkpoint(Path(checkpoint), _describe_model(model), requests, retry_failed=retry_failed)
    return _yield_results(model, rows, requests, chosen, concurrency, ordered, saved)


async def _yield_results(
    model: ModelSource,
    rows: Rows,
    requests: RowRequests,
    engine: Engine,
    concurrency: int,
    ordered: bool,
    checkpoint: Checkpoint | None,
) -> AsyncGenerator[MapResult[Any]]:
    async with AsyncExitStack() as stack:
        stack.enter_context(ShortTracebacks())
        if checkpoint is not None:
            checkpoint.open()
            stack.callback(checkpoint.close)
        runner = await stack.enter_async_context(engine.open(model, requests, concurrency=concurrency))
        checked = check_first(number_rows(rows), runner, requests)
        if checkpoint is not None:
            runner = _CheckpointedRunner(runner, checkpoint)
        results = map_rows(checked, runner, concurrency=concurrency, ordered=ordered)
        async for result in await stack.enter_async_context(aclosing(results)):
            yield result


async def map_rows(
    rows: AsyncIterator[tuple[int, object]], runner: RunsRows, *, concurrency: int, ordered: bool
) -> AsyncGenerator[MapResult[Any]]:
    """Yield the results of numbered rows."""

    async def run(row: tuple[int, object]) -> MapResult[Any]:
        return await runner.run(*row)

    async with aclosing(run_concurrently(rows, run, concurrency=concurrency, ordered=ordered)) as results:
        async for result in results:
            yield result


async def check_first(
    rows: AsyncIterator[tuple[int, object]], runner: RunsRows, requests: RowRequests
) -> AsyncIterator[tuple[int, object]]:
    """Yield the rows. Raises `UserError` if the first one cannot be sent: then none can."""
    is_first = True
    async for index, row in rows:
        if is_first:
            messages = requests.build_messages(row, name_row(index))
            if isinstance(runner, RowRunner):
                runner.model.describe_request(messages, requests.settings)
            is_first = False
        yield index, row


async def number_rows(rows: Rows) -> AsyncIterator[tuple[int, object]]:
    """Yield rows with their positions, from 0."""
    index = 0
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield index, row
            index += 1
    else:
        for each in rows:
            yield index, each
            index += 1


class _CheckpointedRunner:
    """Takes results from a checkpoint, and adds new ones to it."""

    def __init__(self, runner: RunsRows, checkpoint: Checkpoint) -> None:
        self._runner = runner
        self._checkpoint = checkpoint

    async def run(self, index: int, row: object) -> MapResult[Any]:
        if (stored := self._checkpoint.find(index, row)) is not None:
            return stored
        result = await self._runner.run(index, row)
        self._checkpoint.add(result)
        return result


def choose_engine(engine: object) -> Engine:
    """Return the engine with this name, or the engine itself. Raises `UserError` for another value."""
    if engine is None:
        return LocalEngine()
    if engine == 'ray':
        from .ray import RayEngine

        return RayEngine()
    if not isinstance(engine, Engine):
        raise_wrong_type('engine', "'ray' or a RayEngine", engine)
    return engine


def _check_options(model: object, rows: object, concurrency: object, ordered: object, retry_failed: object) -> None:
    if not callable(model) or isinstance(model, type):
        check_model(model, parameter='model')
    if not isinstance(rows, (Iterable, AsyncIterable)) or isinstance(rows, (str, bytes, Mapping, ModelRequest)):
        raise_wrong_type('rows', 'a list of rows, a generator or an asynchronous iterator', cast('object', rows))  # type: ignore[redundant-cast]  # pyright needs it
    check_number('concurrency', concurrency, least=1, whole=True, required=True)
    check_flag('ordered', ordered)
    check_flag('retry_failed', retry_failed)


def _describe_model(model: ModelSource) -> Model | str:
    if isinstance(model, (Model, str)):
        return model
    return f'{getattr(model, "__module__", "")}.{getattr(model, "__qualname__", repr(type(model)))}'
