"""The model class and its options: how the model is loaded, and how responses share the engine."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar, Unpack

from ..local import (
    Adapters,
    BatchingOptions,
    LocalModel,
    LocalOptions,
    WhenFull,
    decode_adapters,
    decode_place,
    key_of,
)
from ..local.options import LIMITS
from .engine import LlamaCppEngine
from .files import LlamaCppSource
from .settings import LlamaCppModelSettings

__all__ = ('LlamaCppModel',)


@dataclass(frozen=True, kw_only=True)
class LlamaCppBatching(BatchingOptions):
    """The options that decide how responses share forward passes."""

    # `LLAMA_MAX_SEQ` in src/llama-cparams.h
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {**LIMITS, 'max_batch_size': (1, 256)}


class LlamaCppModel(LocalModel):
    """A model in a GGUF file that llama.cpp runs in this process, many requests at once.

    `model_name` is the path of a file, of a folder with one, or a name on the Hugging Face hub (`Qwen/Qwen3-0.6B-GGUF`,
    `unsloth/Qwen3-8B-GGUF:Q4_K_M`). Model objects with the same name and the same loading options share one engine: its
    weights and its context. They are loaded by the first request, or by `load()`.
    """

    settings_prefix = 'llamacpp_'
    settings_type: ClassVar[type | None] = LlamaCppModelSettings

    def __init__(
        self,
        model_name: str | PathLike[str] | None = None,
        *,
        filename: str | None = None,
        revision: str | None = None,
        adapter: str | PathLike[str] | None = None,
        adapter_scale: float = 1.0,
        adapters: Adapters | None = None,
        n_ctx: int | None = None,
        n_gpu_layers: int = -1,
        n_threads: int | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        context_kwargs: Mapping[str, Any] | None = None,
        max_batch_size: int = 32,
        prefill_tokens: int = 512,
        max_queue: int = 1024,
        when_full: WhenFull = 'wait',
        progress: Callable[[str], None] | None = None,
        **options: Unpack[LocalOptions],
    ) -> None:
        super().__init__(model_name, **options)
        self.adapters: Mapping[str, str] = decode_adapters(adapters)
        self._source = LlamaCppSource(
            name=decode_place('model_name', self.model_name),
            filename=filename,
            revision=revision,
            adapter=None if adapter is None else decode_place('adapter', adapter),
            adapter_scale=adapter_scale,
            adapters=self.adapters,
            n_ctx=n_ctx,
            n_gpu_layers=n_gpu_layers,
            n_threads=n_threads,
            model_kwargs=model_kwargs,
            context_kwargs=context_kwargs,
            progress=progress,
        )
        self._batching = LlamaCppBatching(
            max_batch_size=max_batch_size, prefill_tokens=prefill_tokens, max_queue=max_queue, when_full=when_full
        )

    @property
    def system(self) -> str:
        """The name of the engine in responses. `llamacpp` is that of llama.cpp's server."""
        return 'llamacpp-local'

    def engine_key(self) -> Hashable:
        source = self._source
        file = (source.name, source.filename, source.revision)
        adapters = (source.adapter, source.adapter_scale, source.adapters)
        options = (
            source.n_ctx,
            source.n_gpu_layers,
            source.n_threads,
            source.model_kwargs or {},
            source.context_kwargs or {},
        )
        return key_of('llamacpp-local', *file, *adapters, *options, self._batching)

    def make_engine(self) -> LlamaCppEngine:
        return LlamaCppEngine(self._source, self._batching)
