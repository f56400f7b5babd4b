"""`Catalog`: the models of an app by their names, and the aliases of these names."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, cast

from .._type_checks import raise_wrong_type
from ..agent import Agent, AgentModel
from ..embeddings.model import EmbeddingModel
from ..exceptions import NotFoundError, UserError
from ..json_types import Json
from ..models import Model
from .keys import GatewayKey

__all__ = ('Catalog', 'Choice')


class Choice(NamedTuple):
    """A model, and the name by which the app knows it."""

    name: str
    model: Model


class EmbeddingChoice(NamedTuple):
    """An embedding model, and the name by which the app knows it."""

    name: str
    model: EmbeddingModel


class Catalog:
    """The models of an app. `aliases` are other names of them; one with `*` or `?` is a pattern."""

    def __init__(
        self,
        models: Model | Agent[Any, Any] | Mapping[str, Model | Agent[Any, Any]],
        aliases: Mapping[str, str],
        embeddings: EmbeddingModel | Mapping[str, EmbeddingModel],
    ) -> None:
        _check_models(models)
        self.embeddings: dict[str, EmbeddingModel] = _read_embeddings(embeddings)
        self._embeds_any_name = isinstance(embeddings, EmbeddingModel)
        self._accepts_any_name = not isinstance(models, Mapping)
        if isinstance(models, Mapping):
            self.models: dict[str, Model] = {name: _to_model(model) for name, model in models.items()}
        else:
            model = _to_model(models)
            self.models = {model.model_name: model}
        if not (self.models or self.embeddings):
            raise UserError('models= is empty: pass at least one model')
        if twice := self.models.keys() & self.embeddings.keys():
            raise UserError(f'{min(twice)!r} is both a model and an embedding model: give each its own name')
        if not isinstance(cast('object', aliases), Mapping):
            raise_wrong_type('aliases', 'a dict of other names and the names of models', aliases)
        self._aliases = dict(aliases)
        for alias, name in aliases.items():
            self._check_name(name, f'The alias {alias!r}')

    def check_key(self, key: GatewayKey) -> None:
        """Raise `UserError` if a key may use a model that there is not."""
        for name in key.models or ():
            self._check_name(name, f'The key {key.name!r}')

    def find(self, name: str) -> Choice:
        """Return the model with this name or alias, or with this name without its prefix, if that is unique.

        An app with one model returns it for any name. Raises `NotFoundError` if no model matches.
        """
        if name in self.models:
            return Choice(name, self.models[name])
        if self._accepts_any_name:
            return Choice(*next(iter(self.models.items())))
        if (meant := self._resolve_alias(name)) in self.models:
            return Choice(meant, self.models[meant])
        matches = [known for known in self.models if known.partition(':')[2] == name]
        if len(matches) != 1:
            known = ', '.join(map(repr, self.models))
            raise NotFoundError(404, name, message=f'There is no model {name!r}; there are {known}')
        return Choice(matches[0], self.models[matches[0]])

    def find_embedding(self, name: str) -> EmbeddingChoice:
        """Return the embedding model with this name, or an alias of it. Raises `NotFoundError` if none matches."""
        known = self.embeddings
        meant = next(iter(known)) if self._embeds_any_name else name if name in known else self._resolve_alias(name)
        if meant not in known:
            shown = f'there are {", ".join(map(repr, known))}' if known else 'this server has none'
            raise NotFoundError(404, name, message=f'There is no embedding model {name!r}; {shown}')
        return EmbeddingChoice(meant, known[meant])

    def list_names(self, key: GatewayKey | None) -> list[str]:
        """Return the names that a key may use, with the aliases that are not patterns."""
        names = [name for name in (*self.models, *self.embeddings) if key is None or key.allows(name)]
        return [*names, *(alias for alias, name in self._aliases.items() if name in names and not _is_pattern(alias))]

    def _resolve_alias(self, name: str) -> str | None:
        """Return the name that belongs to an alias. An equal alias goes before patterns, and these in their order."""
        if name in self._aliases:
            return self._aliases[name]
        matches = (meant for alias, meant in self._aliases.items() if _is_pattern(alias) and fnmatchcase(name, alias))
        return next(matches, None)

    def _check_name(self, name: str, what: str) -> None:
        if name not in self.models and name not in self.embeddings:
            known = ', '.join(map(repr, (*self.models, *self.embeddings)))
            raise UserError(f'{what} names the model {name!r}, which there is not; there are {known}')


def describe_model(name: str) -> Json:
    """Describe a model with the fields of both OpenAI's and Anthropic's lists of models."""
    openai = {'object': 'model', 'created': 0, 'owned_by': 'pydantic_llm'}
    anthropic = {'type': 'model', 'display_name': name, 'created_at': '1970-01-01T00:00:00Z'}
    return {'id': name, **openai, **anthropic}


def _is_pattern(alias: str) -> bool:
    return '*' in alias or '?' in alias


def _to_model(model: Model | Agent[Any, Any]) -> Model:
    return AgentModel(model) if isinstance(model, Agent) else model


def _check_models(models: object) -> None:
    if isinstance(models, (Model, Agent)):
        return
    expected = 'a Model, an Agent, or a dict from names to these'
    if not isinstance(models, Mapping):
        raise_wrong_type('models', expected, models, _suggest_model(models))
    for name, model in cast('Mapping[object, object]', models).items():
        if not isinstance(name, str):
            raise_wrong_type('models', expected, name)
        if not isinstance(model, (Model, Agent)):
            raise_wrong_type('models', expected, model, _suggest_model(model))


def _read_embeddings(embeddings: object) -> dict[str, EmbeddingModel]:
    """Return embedding models by their names. Raises `UserError` for a value that is not one."""
    if isinstance(embeddings, EmbeddingModel):
        return {embeddings.model_name: embeddings}
    expected = 'an EmbeddingModel, or a dict from names to these'
    if not isinstance(embeddings, Mapping):
        raise_wrong_type('embeddings', expected, embeddings)
    for name, model in cast('Mapping[object, object]', embeddings).items():
        if not isinstance(name, str) or not isinstance(model, EmbeddingModel):
            raise_wrong_type('embeddings', expected, model if isinstance(name, str) else name)
    return {**cast('Mapping[str, EmbeddingModel]', embeddings)}


def _suggest_model(value: object) -> str | None:
    if isinstance(value, str):
        return f'pass infer_model({value!r})'
    return None
