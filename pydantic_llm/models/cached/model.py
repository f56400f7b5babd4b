"""A model whose responses are stored: the same request is sent once.

```python
model = CachedModel('openai:gpt-5.4-mini', 'sqlite:responses.db', ttl=86_400)
```
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..._checks import check_flag, check_number
from ...messages import ModelMessage, ModelResponse
from ...settings import ModelSettings
from .. import Model, ModelRequestParameters, StreamedResponse
from ..limits.deadlines import DeadlineName, WaitDeadlines
from ..wrapper import WrapperModel
from .flights import Flights
from .lookup import GuardedStore, Lookup, make_key
from .settings import CacheOptions, refuse_unknown
from .store import CacheStore, check_store
from .stream import RecordedStream, ReplayedStream

if TYPE_CHECKING:
    from ..known_names import KnownModelName

__all__ = ('CachedModel',)


class CachedModel(WrapperModel):
    """Returns the stored response to a request that was sent before; sends all other requests to a model.

    Requests are the same if the model sends the same to the same URL (`Model.describe_request`), whole or streamed.
    Complete responses are stored: none that is truncated, filtered, interrupted or empty. A response from the store has
    a usage of zero, and is marked by `ModelResponse.from_cache`.

    `store` is `'memory'`, `'sqlite:PATH'`, the URL of a Redis, or a `CacheStore`. If it fails, requests are sent. `ttl`
    is the time in seconds for which a response is stored (default: as long as there is room). With `single_flight`,
    equal requests at the same time are sent once: the others wait for the complete response. `CachedModelSettings` are
    the settings for one request.
    """

    def __init__(
        self,
        wrapped: Model | KnownModelName | str,
        store: CacheStore | str = 'memory',
        *,
        ttl: float | None = None,
        single_flight: bool = True,
    ) -> None:
        super().__init__(wrapped)
        check_number('ttl', ttl, above=0)
        check_flag('single_flight', single_flight)
        self.ttl = ttl
        self.store: CacheStore = check_store(store)
        """The store of the responses."""
        self._guarded = GuardedStore(self.store)
        self._flights = Flights() if single_flight else None

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Return the stored response, or send the request. Raises `UserError` for invalid settings of the cache."""
        lookup = self._new_lookup(messages, model_settings, model_request_parameters, ('timeout',))
        if lookup is None:
            return await super().request(messages, model_settings, model_request_parameters)
        if (found := await lookup.find()) is not None:
            return found
        passed = lookup.deadlines.settings_with_time_left(model_settings)
        with lookup.leading(), lookup.deadlines.track_time():
            response = await super().request(messages, passed, model_request_parameters)
            await lookup.keep(response)
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Stream the stored response, or that of the wrapped model, which is stored at its end."""
        names: Sequence[DeadlineName] = ('timeout', 'first_token_timeout')
        lookup = self._new_lookup(messages, model_settings, model_request_parameters, names)
        entry = None if lookup is None else await lookup.find_entry()
        if lookup is not None and entry is not None:
            replayed = ReplayedStream(lookup.to_response(entry), entry.fragments, model_request_parameters)
            try:
                yield replayed
            finally:
                await replayed.cancel()
        elif lookup is None:
            async with super().request_stream(messages, model_settings, model_request_parameters) as stream:
                yield stream
        else:
            passed = lookup.deadlines.settings_with_time_left(model_settings)
            with lookup.leading():
                async with super().request_stream(messages, passed, model_request_parameters) as inner:
                    yield RecordedStream(inner, lookup)

    async def aclose(self) -> None:
        """Close the wrapped model's connections, and those of the store."""
        await super().aclose()
        await self.store.aclose()

    def merged_settings(self, model_settings: ModelSettings | None) -> ModelSettings:
        """Return the settings of the model and of a request. Raises `UserError` for an unknown one of the cache."""
        refuse_unknown(model_settings)
        refuse_unknown(self.settings)
        return super().merged_settings(model_settings)

    def _new_lookup(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
        names: Sequence[DeadlineName],
    ) -> Lookup | None:
        """Return the lookup for a request; `None` if its mode is `bypass`."""
        merged = self.merged_settings(settings)
        options = CacheOptions.of(merged, self.ttl)
        if options.mode == 'bypass':
            return None
        description = self.describe_request(messages, settings, parameters)
        return Lookup(
            make_key(description.fingerprint, options.scope),
            self.model_name,
            options,
            description.warnings,
            WaitDeadlines(merged, names),
            self._guarded,
            self._flights,
        )

    def __repr__(self) -> str:
        return f'CachedModel({self.wrapped!r}, {self.store!r})'
