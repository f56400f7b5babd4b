"""`LLMServer`: a server on this machine whose models and faults a test sets."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from starlette.types import ASGIApp, Receive, Scope, Send

from .._type_checks import check_type
from ..agent import Agent
from ..models import Model
from ..models.test import TestModel
from ..serve import Fault, FaultPlan, LocalServer, create_app

__all__ = ('LLMServer',)


class LLMServer:
    """Serves a model with the protocols of the vendors: the fixture `llm_server`.

    `model` (a model or an agent, under any name) and `models` (several, under their names) replace each other. `faults`
    is a `Fault` for every response, the faults of the next responses in order (`None` is a response without one), or a
    function that takes the body of a request.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server = LocalServer(self)
        self.requests: list[Mapping[str, Any]] = []
        """The bodies of the requests so far."""
        self.reset()

    def reset(self) -> None:
        """Serve a `TestModel` without faults, and forget the requests."""
        self.model = TestModel()
        self.faults = None
        self.requests.clear()

    @property
    def url(self) -> str:
        """The URL of the server, without a path: OpenAI's API is below `/v1`."""
        return self._server.url

    @property
    def model(self) -> Model | Agent[Any, Any]:
        """The model that responds, whatever name a request has."""
        return self._model

    @model.setter
    def model(self, model: Model | Agent[Any, Any]) -> None:
        check_type(model, (Model, Agent), parameter='model', expected='a Model or an Agent', required=True)
        self._app: ASGIApp = create_app(model, faults=self._choose_fault)
        self._model = model

    @property
    def models(self) -> Mapping[str, Model | Agent[Any, Any]]:
        """The models by the names that requests have; empty if there is one for all of them."""
        return self._models

    @models.setter
    def models(self, models: Mapping[str, Model | Agent[Any, Any]]) -> None:
        self._app = create_app(models, faults=self._choose_fault)
        self._models = models

    @property
    def faults(self) -> FaultPlan | None:
        """The function that chooses the fault of a response."""
        return self._faults

    @faults.setter
    def faults(self, faults: Fault | Iterable[Fault | None] | FaultPlan | None) -> None:
        if faults is None or callable(faults):
            self._faults: FaultPlan | None = faults
        elif isinstance(faults, Fault):
            self._faults = lambda body: faults
        else:
            check_type(faults, (Iterable,), parameter='faults', expected='a Fault, several, or a function')
            upcoming: Iterator[Fault | None] = iter(faults)
            self._faults = lambda body: next(upcoming, None)

    def _choose_fault(self, body: Mapping[str, Any]) -> Fault | None:
        with self._lock:
            self.requests.append(body)
            return self._faults(body) if self._faults is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.stop()
