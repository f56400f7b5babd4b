"""`RayEngine`: send requests from the nodes of a Ray cluster (extra `ray`).

Each worker is an actor that builds the model itself, from its name or by a function, with the keys of its own
environment: no key is in the object store. Rows are sent one at a time, and only as many as are under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from .._checks import check_number
from .._extras import import_extra
from .._type_checks import check_type
from ..exceptions import UserError
from ..models import Model
from .engine import Engine, ModelSource, RunsRows, build_model
from .requests import RowRequests, RowRunner
from .results import MapResult, RowError

__all__ = ('RayEngine',)

DEFAULTS: dict[str, Any] = {'num_cpus': 0, 'scheduling_strategy': 'SPREAD'}
"""The options of actors by default: a worker waits for responses most of the time, so it reserves no core."""

DEFAULT_WORKERS = 2

ATTEMPTS = 2
"""The number of workers that a row is given to: if the first one dies, one more."""


@dataclass(frozen=True, kw_only=True)
class RayEngine(Engine):
    """Sends requests from the workers of a Ray cluster. `concurrency` is the number of requests of all workers."""

    workers: int | None = None
    """The number of workers: processes, on any nodes of the cluster. By default 2, or as many as have GPUs."""
    address: str | None = None
    """The address of the cluster, as `ray.init` takes it. By default the one that Ray finds, or one on this machine."""
    gpus: int = 0
    """The number of GPUs that each worker gets for a model that spreads itself over them, as vLLM does."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options of the actors, such as `{'num_cpus': 0.5, 'resources': {'near_the_server': 1}}`."""

    def __post_init__(self) -> None:
        check_number('workers', self.workers, least=1, whole=True)
        check_number('gpus', self.gpus, least=0, whole=True, required=True)
        check_type(self.address, str, parameter='address', expected='the address of a cluster')
        check_type(self.options, Mapping, parameter='options', expected='a dict', required=True)

    @asynccontextmanager
    async def open(self, model: ModelSource, requests: RowRequests, *, concurrency: int) -> AsyncGenerator[RunsRows]:
        """Start the workers, which build their models, and end them afterwards. Raises `UserError` for a model object.

        A cluster that was not connected to before is disconnected afterwards.
        """
        if isinstance(model, Model):
            raise UserError(
                'A model object is not sent to other processes, since it holds keys and connections: give the name of '
                'the model, or a function that makes it there'
            )
        ray: Any = import_extra('ray', extra='ray', what='The engine of Ray')
        was_connected = ray.is_initialized()
        if not was_connected:
            await asyncio.to_thread(ray.init, address=self.address, logging_level='warning', log_to_driver=False)
        try:
            pool = _Pool(ray, self, (model, requests), concurrency)
            try:
                await pool.start()
                yield pool
            finally:
                pool.stop()
        finally:
            if not was_connected:
                await asyncio.to_thread(ray.shutdown)


class _Pool:
    """The workers of a job, and the number of rows under way on each."""

    def __init__(self, ray: Any, engine: RayEngine, recipe: tuple[ModelSource, RowRequests], concurrency: int) -> None:
        self._ray = ray
        self._recipe = recipe
        count = _count_workers(ray, engine)
        self._options = {**DEFAULTS, **engine.options, 'max_concurrency': -(-concurrency // count) + 1}
        self._groups = [_reserve_gpus(ray, engine.gpus) for _ in range(count)]
        self._workers = [self._make_worker(group) for group in self._groups]
        self._under_way = [0] * count

    async def start(self) -> None:
        """Wait until every worker has built its model. Raises the errors of that."""
        for worker in self._workers:
            await self._fetch(worker.prepare.remote())

    def stop(self) -> None:
        """End the processes of the workers."""
        for worker, group in zip(self._workers, self._groups, strict=True):
            self._ray.kill(worker)
            if group is not None:
                self._ray.util.remove_placement_group(group)

    async def run(self, index: int, row: object) -> MapResult[Any]:
        """Run a row on the worker with the fewest rows. If this worker dies, run it once more on another one."""
        failure = None
        for _ in range(ATTEMPTS):
            number = self._under_way.index(min(self._under_way))
            worker = self._workers[number]
            self._under_way[number] += 1
            try:
                result: MapResult[Any] = await self._fetch(worker.run.remote(index, row))
                return result
            except self._ray.exceptions.RayActorError as error:
                if self._workers[number] is worker:
                    self._workers[number] = self._make_worker(self._groups[number])
                failure = RowError(type(error).__name__, f'The worker ended, {ATTEMPTS} times: {error}', retryable=True)
            finally:
                self._under_way[number] -= 1
        return MapResult(index=index, row=row, error=failure)

    def _make_worker(self, group: Any) -> Any:
        options = self._options
        if group is not None:
            strategy = self._ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy
            scheduling = strategy(group, placement_group_bundle_index=0, placement_group_capture_child_tasks=True)
            options = {**options, 'num_cpus': 1, 'scheduling_strategy': scheduling}
        return self._ray.remote(_Worker).options(**options).remote(*self._recipe)

    async def _fetch(self, reference: Any) -> Any:
        """Return the value of a reference. Raises the error of the worker as it was raised there."""
        try:
            return await reference
        except self._ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from None


def _count_workers(ray: Any, engine: RayEngine) -> int:
    """Return the number of workers. Raises `UserError` if the cluster has too few GPUs for them."""
    if not engine.gpus:
        return engine.workers or DEFAULT_WORKERS
    found, least = int(ray.cluster_resources().get('GPU', 0)), engine.gpus * (engine.workers or 1)
    if found < least:
        raise UserError(
            f'{engine.workers or 1} workers with {engine.gpus} GPUs each need {least}; the cluster has {found}'
        )
    return engine.workers or found // engine.gpus


def _reserve_gpus(ray: Any, gpus: int) -> Any:
    """Return a placement group with one bundle for each GPU, in which vLLM starts its own workers; `None` without.

    vLLM takes the group of the actor that it runs in: vllm/v1/executor/ray_utils.py, initialize_ray_cluster.
    """
    if not gpus:
        return None
    return ray.util.placement_group([{'CPU': 1, 'GPU': 1}] * gpus, strategy='PACK')


class _Worker:
    """The actor: builds the model in its own process, and runs rows."""

    def __init__(self, model: ModelSource, requests: RowRequests) -> None:
        self._recipe = (model, requests)
        self._runner: RowRunner | None = None

    async def prepare(self) -> None:
        """Build the model. An error of that is raised in the process of the job too."""
        self._find_runner()

    async def run(self, index: int, row: object) -> MapResult[Any]:
        return await self._find_runner().run(index, row)

    def _find_runner(self) -> RowRunner:
        if self._runner is None:
            model, requests = self._recipe
            self._runner = RowRunner(build_model(model), requests)
        return self._runner
