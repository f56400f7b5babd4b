"""`Gateway`: what the paths of an app share: its models, keys, limits, measurements, and its end."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from .._type_checks import check_callable
from ..agent import Agent
from ..embeddings.model import EmbeddingModel
from ..messages import ModelResponse
from ..models import Model
from .access import Access
from .access_log import AccessLog
from .admission import Admission, Admissions
from .bodies import BodyReader
from .catalog import Catalog
from .costs import PriceList, PricesOfModel
from .drain import Drain
from .faults import FaultPlan
from .keys import GatewayKey, check_keys
from .metrics import Metrics
from .record import RequestRecord

__all__ = ('Gateway',)

logger: logging.Logger = logging.getLogger('pydantic_llm.serve')


class Gateway:
    """The models of an app, the checks that every request must pass, and what is measured of it."""

    def __init__(
        self,
        models: Model | Agent[Any, Any] | Mapping[str, Model | Agent[Any, Any]],
        *,
        embeddings: EmbeddingModel | Mapping[str, EmbeddingModel],
        keys: Sequence[GatewayKey],
        state: str | Path | None,
        aliases: Mapping[str, str],
        prices: Mapping[str, PricesOfModel],
        faults: FaultPlan | None,
        max_body_bytes: int,
        allowed_hosts: Collection[str],
        access_log: str | None,
    ) -> None:
        check_callable(faults, parameter='faults')
        check_keys(keys)
        self.catalog: Catalog = Catalog(models, aliases, embeddings)
        for key in keys:
            self.catalog.check_key(key)
        self.prices: PriceList = PriceList({**self.catalog.models, **self.catalog.embeddings}, prices)
        self.access: Access = Access(keys, allowed_hosts)
        self.keys: dict[str, GatewayKey] = {key.name: key for key in keys}
        self.admissions: Admissions = Admissions(keys, self.prices, state)
        self.faults = faults
        self.bodies: BodyReader = BodyReader(max_body_bytes)
        self.drain: Drain = Drain()
        self.metrics: Metrics = Metrics(self.drain)
        self._log = None if access_log is None else AccessLog(access_log)

    @property
    def logs_requests(self) -> bool:
        """True if the app writes an access log itself."""
        return self._log is not None

    @contextmanager
    def track(self, record: RequestRecord) -> Generator[None]:
        """Count a request as in progress during the block, then add it to the metrics and to the log."""
        with self.drain.hold():
            try:
                yield
            finally:
                self.finish(record)

    def finish(self, record: RequestRecord) -> None:
        """Add a request that has ended to the metrics and to the log."""
        record.finish()
        try:
            self.add_cost(record)
            self.metrics.add(record)
            if self._log is not None:
                self._log.write(record)
        except Exception:  # the request itself has not failed
            logger.exception('The request %s could not be measured', record.request_id)

    def add_cost(self, record: RequestRecord) -> None:
        """Add the price of the response to the record of its request, once: it takes as long as a tenth of a request.

        It is needed before the end of the response only if a budget is settled with it.
        """
        response = record.take_response()
        if response is not None and response.usage.has_values():
            record.cost = self.prices.find_cost(record.model, response)

    async def account(self, record: RequestRecord, admission: Admission | None, response: ModelResponse) -> None:
        """Measure a response, and settle what was reserved for it."""
        record.add_response(response)
        if admission is not None:
            self.add_cost(record)
            await admission.settle_response(response)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncGenerator[None]:
        """Keep the models and the toolsets of agents open while the app runs."""
        self.drain.reset()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.admissions.aclose)
            opened: list[Model | EmbeddingModel] = [*self.catalog.models.values(), *self.catalog.embeddings.values()]
            for model in reversed(opened):  # closed in their order
                await stack.enter_async_context(model)
            yield
