"""`TestEmbeddingModel`: an embedding model for tests, whose vectors depend on the texts alone."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import shake_256
from math import sqrt

from ..usage import RequestUsage
from .model import EmbeddingModel, check_input_type
from .result import EmbeddingResult, EmbedInputType
from .settings import EmbeddingSettings

__all__ = ('TestEmbeddingModel',)


class TestEmbeddingModel(EmbeddingModel):
    """Returns a vector of the length 1 for each text. Equal texts have equal vectors; others are not alike.

    It uses no network, so it ignores `ALLOW_MODEL_REQUESTS`. Usage is a count of words.
    `provider_name` is another name of `system`.
    """

    __test__ = False

    last_settings: EmbeddingSettings | None = None
    """The settings of the newest call, merged with those of the model."""

    def __init__(
        self,
        model_name: str = 'test',
        *,
        system: str = 'test',
        provider_name: str | None = None,
        dimensions: int = 8,
        settings: EmbeddingSettings | None = None,
    ) -> None:
        super().__init__(settings=settings)
        self._model_name = model_name
        self._system = system if provider_name is None else provider_name
        self.dimensions = dimensions

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return self._system

    async def embed(
        self,
        inputs: str | Sequence[str],
        *,
        input_type: EmbedInputType,
        settings: EmbeddingSettings | None = None,
    ) -> EmbeddingResult:
        check_input_type(input_type)
        texts, merged = self.prepare_embed(inputs, settings)
        self.last_settings = merged
        dimensions = merged.get('dimensions', self.dimensions)
        return EmbeddingResult(
            [_embed(text, dimensions) for text in texts],
            inputs=texts,
            input_type=input_type,
            model_name=self.model_name,
            provider_name=self.system,
            usage=RequestUsage(input_tokens=sum(map(_count_words, texts)), estimated=('input_tokens',)),
        )

    async def max_input_tokens(self) -> int | None:
        return 1024

    async def count_tokens(self, text: str) -> int:
        return _count_words(text)


def _embed(text: str, dimensions: int) -> list[float]:
    bytes_of_text = shake_256(text.encode(errors='surrogatepass')).digest(dimensions)
    values = [value - 127.5 for value in bytes_of_text]
    length = sqrt(sum(value * value for value in values))
    return [value / length for value in values]


def _count_words(text: str) -> int:
    return len(text.split())
