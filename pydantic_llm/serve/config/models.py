"""`ModelBuilder`: builds the models of a configuration file, which may use each other."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ... import exceptions
from ..._suggestions import suggest, suggest_or_list
from ...embeddings import EmbeddingModel, infer_embedding_model
from ...exceptions import LLMError, UserError
from ...models import Model, infer_model
from ...models.cached import CachedModel
from ...models.fallback import FallbackModel
from ...models.limits import ConcurrencyLimitedModel, RateLimitedModel
from ...models.names import find_prefix
from ...models.router import Deployment, RouterModel
from ...providers import infer_provider_class
from .problems import ConfigError, LineIndex
from .schema import (
    ConfigFile,
    DeploymentOptions,
    EmbeddingOptions,
    FallbackOptions,
    ModelOptions,
    RouterOptions,
)

__all__ = ('ModelBuilder',)

SOURCES = ('model', 'router', 'fallback')
"""The options of which a model has one."""

ONLY_OF_A_MODEL = ('provider', 'options')
"""The options that a router and a fallback do not have: their models have them."""


class ModelBuilder:
    """Builds each model of a file once."""

    def __init__(self, file: ConfigFile, index: LineIndex) -> None:
        self._options = file.models
        self._embeddings = file.embeddings
        self._index = index
        self._built: dict[str, Model] = {}
        self._building: list[str] = []

    def build_all(self) -> dict[str, Model]:
        """Return the models by their names. Raises `ConfigError` with the problem of each that cannot be built."""
        problems: list[str] = []
        for name in self._options:
            try:
                self._build(name)
            except UserError as error:
                found = error.problems if isinstance(error, ConfigError) else [self._describe_failure(name, error)]
                problems += [problem for problem in found if problem not in problems]
        if problems:
            raise ConfigError(problems)
        return {name: self._built[name] for name in self._options}

    def build_embeddings(self) -> dict[str, EmbeddingModel]:
        """Return the embedding models by their names. Raises `ConfigError` for the first that cannot be built."""
        return {name: self._build_embedding(name, options) for name, options in self._embeddings.items()}

    def _build_embedding(self, name: str, options: EmbeddingOptions) -> EmbeddingModel:
        given = _wrap_settings(options.settings)
        try:
            if options.provider:
                given['provider'] = _build_provider(options.model, options.provider)
            return infer_embedding_model(options.model, **given)
        except LLMError as error:
            raise ConfigError([f'{self._index.describe(("embeddings", name))}: {error}']) from error

    def _build(self, name: str) -> Model:
        if name in self._built:
            return self._built[name]
        if name in self._building:
            path = ' -> '.join([*self._building, name])
            raise ConfigError(
                [self._describe_failure(name, UserError(f'the models refer to each other in a circle: {path}'))]
            )
        self._building.append(name)
        try:
            self._built[name] = self._wrap(self._build_inner(self._options[name]), self._options[name])
        except ConfigError:
            raise
        except LLMError as error:
            raise ConfigError([self._describe_failure(name, error)]) from error
        finally:
            self._building.pop()
        return self._built[name]

    def _build_inner(self, options: ModelOptions) -> Model:
        given = [source for source in SOURCES if getattr(options, source) is not None]
        if len(given) != 1:
            raise UserError(f'give one of {", ".join(SOURCES)}' + (f', not {" and ".join(given)}' if given else ''))
        if given != ['model'] and (others := [name for name in ONLY_OF_A_MODEL if getattr(options, name)]):
            raise UserError(f'{others[0]} belongs to a model, and this is a {given[0]}')
        if options.router is not None:
            return self._build_router(options.router, options.settings)
        if options.fallback is not None:
            return self._build_fallback(options.fallback, options.settings)
        assert options.model is not None
        return _build_model(options.model, options)

    def _build_router(self, options: RouterOptions, settings: dict[str, Any]) -> Model:
        given = options.list_given()
        given['deployments'] = self._build_group(options.deployments)
        given['fallbacks'] = [self._build_group(group) for group in options.fallbacks]
        _read_exceptions(given)
        return RouterModel(**given, **_wrap_settings(settings))

    def _build_group(self, group: Sequence[DeploymentOptions]) -> list[Deployment]:
        deployments: list[Deployment] = []
        for each in group:
            given = each.list_given()
            if each.model in self._options:
                given.setdefault('name', each.model)
            given['model'] = self._refer(each.model)
            deployments.append(Deployment(**given))
        return deployments

    def _build_fallback(self, options: FallbackOptions, settings: dict[str, Any]) -> Model:
        given = options.list_given()
        first, *others = [self._refer(name) for name in given.pop('models')]
        _read_exceptions(given)
        return FallbackModel(first, *others, **given, **_wrap_settings(settings))

    def _refer(self, name: str) -> Model:
        """Return the model of the file with this name, or else that of a model string."""
        if name in self._options:
            return self._build(name)
        if ':' in name:
            return infer_model(name)
        if name != 'test' and (hint := suggest(name, self._options)):
            raise UserError(f'there is no model {name!r} in this file{hint}')
        try:
            return infer_model(name)
        except UserError as error:
            raise UserError(f'there is no model {name!r} in this file, and {error}') from error

    def _wrap(self, model: Model, options: ModelOptions) -> Model:
        queue: dict[str, Any] = {} if options.max_queue is None else {'max_queue': options.max_queue}
        if options.concurrency is not None:
            model = ConcurrencyLimitedModel(model, limit=options.concurrency, **queue)
        rates = {name: getattr(options, name) for name in ('requests_per_minute', 'tokens_per_minute')}
        if any(rates.values()):
            model = RateLimitedModel(model, **rates, **queue)
        if queue and options.concurrency is None and not any(rates.values()):
            raise UserError('max_queue needs concurrency, requests_per_minute or tokens_per_minute')
        return model if options.cache is None else CachedModel(model, **options.cache.list_given())

    def _describe_failure(self, name: str, error: Exception) -> str:
        return f'{self._index.describe(("models", name))}: {error}'


def _build_model(text: str, options: ModelOptions) -> Model:
    given = options.options | _wrap_settings(options.settings)
    if options.provider:
        given['provider'] = _build_provider(text, options.provider)
    try:
        return infer_model(text, **given)
    except TypeError as error:  # of the constructor: an option that the class does not have
        raise UserError(f'options of {text!r}: {error}') from error


def _wrap_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword of a class for settings; none if they are empty."""
    return {'settings': settings} if settings else {}


def _build_provider(text: str, options: dict[str, Any]) -> Any:
    """Build the provider of a model string. Raises `UserError` for an option that its class does not have."""
    prefix = find_prefix(text.partition(':')[0])
    if prefix is None or prefix.provider is None:
        raise UserError(f'provider: the model {text!r} has no provider with options')
    kind = infer_provider_class(prefix.provider)
    known = [name for name in inspect.signature(kind).parameters if not name.endswith('client')]
    for name in options:
        if name not in known:
            raise UserError(f'provider.{name} is unknown{suggest_or_list(name, known)}')
    return kind(**options)


def _read_exceptions(given: dict[str, Any]) -> None:
    """Replace the names in `fallback_on` by the exceptions."""
    names: list[str] | None = given.pop('fallback_on', None)
    if names is None:
        return
    known = [name for name in exceptions.__all__ if issubclass(getattr(exceptions, name), LLMError)]
    for name in names:
        if name not in known:
            raise UserError(f'fallback_on: {name!r} is not an exception of pydantic_llm{suggest_or_list(name, known)}')
    given['fallback_on'] = [getattr(exceptions, name) for name in names]
