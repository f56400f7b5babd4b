"""The model class and its options: how the model is loaded, and how responses share the engine."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from os import PathLike
from typing import Any, ClassVar, Unpack

from ..local import Adapters, BatchingOptions, LocalModel, LocalOptions, WhenFull, decode_adapters, decode_place, key_of
from .engine import MLXEngine
from .load import MLXSource
from .settings import MLXModelSettings

__all__ = ('MLXModel',)


class MLXModel(LocalModel):
    """A model that MLX runs in this process, many requests at once.

    `model_name` is a name on the Hugging Face hub or the path of a folder. Model objects with the same name and the
    same loading options share one engine: its weights and its batch. The weights are loaded by the first request, or
    by `load()`.
    """

    settings_prefix = 'mlx_'
    settings_type: ClassVar[type | None] = MLXModelSettings

    def __init__(
        self,
        model_name: str | PathLike[str] | None = None,
        *,
        trust_remote_code: bool = False,
        adapters: Adapters | None = None,
        load_kwargs: Mapping[str, Any] | None = None,
        max_batch_size: int = 32,
        prefill_tokens: int = 512,
        prefix_cache_bytes: int | None = None,
        max_queue: int = 1024,
        when_full: WhenFull = 'wait',
        progress: Callable[[str], None] | None = None,
        **options: Unpack[LocalOptions],
    ) -> None:
        super().__init__(model_name, **options)
        self.adapters: Mapping[str, str] = decode_adapters(adapters)
        self._source = MLXSource(
            name=decode_place('model_name', self.model_name),
            trust_remote_code=trust_remote_code,
            adapters=self.adapters,
            load_kwargs=load_kwargs,
            progress=progress,
        )
        self._batching = BatchingOptions(
            max_batch_size=max_batch_size,
            prefill_tokens=prefill_tokens,
            prefix_cache_bytes=prefix_cache_bytes,
            max_queue=max_queue,
            when_full=when_full,
        )

    def engine_key(self) -> Hashable:
        source = self._source
        options = (source.trust_remote_code, source.adapters, source.load_kwargs or {})
        return key_of('mlx', source.name, *options, self._batching)

    def make_engine(self) -> MLXEngine:
        return MLXEngine(self._source, self._batching)
