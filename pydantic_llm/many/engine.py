"""`Engine`: the place that requests are sent from: this process (`LocalEngine`) or a cluster (`ray.RayEngine`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from ..models import Model, infer_model
from .requests import RowRequests, RowRunner
from .results import MapResult

__all__ = ('Engine', 'LocalEngine', 'ModelSource', 'RunsRows', 'build_model')

ModelSource = Model | str | Callable[[], Model]
"""A model, its name, or a function that makes it."""


class RunsRows(Protocol):
    """Sends the request of one row at a time; several calls run at the same time."""

    async def run(self, index: int, row: object) -> MapResult[Any]:
        """Return the result of a row."""
        ...


class Engine(ABC):
    """The place that requests are sent from."""

    @abstractmethod
    def open(
        self, model: ModelSource, requests: RowRequests, *, concurrency: int
    ) -> AbstractAsyncContextManager[RunsRows]:
        """Return a context in which rows can be run, at most `concurrency` at a time."""


class LocalEngine(Engine):
    """Sends requests from this process."""

    @asynccontextmanager
    async def open(self, model: ModelSource, requests: RowRequests, *, concurrency: int) -> AsyncGenerator[RunsRows]:
        """Build the model if it is not one, and close it afterwards."""
        opened = build_model(model)
        try:
            yield RowRunner(opened, requests)
        finally:
            if opened is not model:
                await opened.aclose()


def build_model(model: ModelSource) -> Model:
    """Return the model itself, the one with this name, or the one that the function makes."""
    if isinstance(model, (Model, str)) or not callable(model):
        return infer_model(model)
    return infer_model(model())
