"""`EmbeddingModel`: the contract of embedding models, and `WrapperEmbeddingModel`, a model around another one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, cast

from .._type_checks import raise_wrong_type
from ..exceptions import UserError
from .result import EmbeddingResult, EmbedInputType
from .settings import EmbeddingSettings, check_embedding_settings, merge_embedding_settings

__all__ = ('EmbeddingModel', 'WrapperEmbeddingModel')


class EmbeddingModel(ABC):
    """A model that turns texts into vectors. Subclasses implement `model_name`, `system` and `embed`."""

    settings_type: type = EmbeddingSettings
    """The `TypedDict` of the model's settings."""

    _settings: EmbeddingSettings | None = None

    def __init__(self, *, settings: EmbeddingSettings | None = None) -> None:
        merge_embedding_settings(None, settings)  # raises for a wrong type
        self._settings = settings

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The name of the model at its vendor."""

    @property
    @abstractmethod
    def system(self) -> str:
        """The name of the vendor."""

    @property
    def base_url(self) -> str | None:
        """The base URL of requests; `None` for a model in this process."""
        return None

    @property
    def settings(self) -> EmbeddingSettings | None:
        """The default settings of calls."""
        return self._settings

    @abstractmethod
    async def embed(
        self,
        inputs: str | Sequence[str],
        *,
        input_type: EmbedInputType,
        settings: EmbeddingSettings | None = None,
    ) -> EmbeddingResult:
        """Return one embedding for each text, in as many requests as the vendor's limits need.

        Raises `UserError` for invalid arguments, and the errors of `Model.request`.
        """

    async def max_input_tokens(self) -> int | None:
        """Return the maximum number of tokens of one text; `None` if it is not known."""
        return None

    async def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text. Raises `UserError` if the model cannot count."""
        raise UserError(f'{self.system}:{self.model_name} cannot count tokens')

    def prepare_embed(
        self, inputs: str | Sequence[str], settings: EmbeddingSettings | None = None
    ) -> tuple[list[str], EmbeddingSettings]:
        """Return the checked texts as a list, and the settings of the model with those of a call merged into them."""
        merged = merge_embedding_settings(self.settings, settings) or {}
        given = {name: value for name, value in merged.items() if value is not None}
        check_embedding_settings(given, self.settings_type)
        return check_inputs(inputs), cast('EmbeddingSettings', given)

    async def aclose(self) -> None:
        """Close the connections that this model opened. The default has none."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.model_name!r})'


class WrapperEmbeddingModel(EmbeddingModel):
    """Passes everything on to another model. A subclass overrides what it changes."""

    wrapped: EmbeddingModel

    def __init__(self, wrapped: EmbeddingModel | str) -> None:
        from .names import infer_embedding_model

        super().__init__()
        self.wrapped = infer_embedding_model(wrapped)

    @property
    def model_name(self) -> str:
        """The name of the wrapped model."""
        return self.wrapped.model_name

    @property
    def system(self) -> str:
        """The vendor of the wrapped model."""
        return self.wrapped.system

    @property
    def base_url(self) -> str | None:
        """The URL of the wrapped model."""
        return self.wrapped.base_url

    @property
    def settings(self) -> EmbeddingSettings | None:
        """The settings of the wrapped model."""
        return self.wrapped.settings

    async def embed(
        self,
        inputs: str | Sequence[str],
        *,
        input_type: EmbedInputType,
        settings: EmbeddingSettings | None = None,
    ) -> EmbeddingResult:
        """Return the embeddings of the wrapped model."""
        return await self.wrapped.embed(inputs, input_type=input_type, settings=settings)

    async def max_input_tokens(self) -> int | None:
        """Return the limit of the wrapped model."""
        return await self.wrapped.max_input_tokens()

    async def count_tokens(self, text: str) -> int:
        """Return what the wrapped model counts."""
        return await self.wrapped.count_tokens(text)

    async def aclose(self) -> None:
        """Close the wrapped model's connections."""
        await self.wrapped.aclose()


def check_input_type(value: object) -> None:
    """Raise `UserError` unless the value is `'query'` or `'document'`."""
    if value not in ('query', 'document'):
        raise UserError(f"input_type is 'query' or 'document', not {value!r}")


def check_inputs(inputs: object, *, parameter: str = 'inputs') -> list[str]:
    """Return the texts as a list. Raises `UserError` unless the value is a text or a sequence of texts, none empty."""
    texts = [inputs] if isinstance(inputs, str) else inputs
    if not isinstance(texts, (list, tuple)):
        raise_wrong_type(parameter, 'a text or a list of texts', inputs)
    checked: list[str] = []
    for index, text in enumerate(cast('Sequence[Any]', texts)):
        if not isinstance(text, str):
            raise_wrong_type(f'{parameter}[{index}]', 'a text', text)
        if not text:
            raise UserError(f'{parameter}[{index}] is an empty text, which no model embeds: leave it out')
        checked.append(text)
    if not checked:
        raise UserError(f'{parameter} is empty: give at least one text')
    return checked
