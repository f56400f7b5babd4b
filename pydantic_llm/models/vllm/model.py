"""The model class and its options: how the model is loaded, and how many requests may wait."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from os import PathLike
from typing import Any, ClassVar, Unpack, cast

from ...settings import ModelSettings
from ..local import (
    SHARED_SETTINGS,
    Adapters,
    LocalModel,
    LocalOptions,
    QueueOptions,
    Sampling,
    WhenFull,
    decode_adapters,
    decode_place,
    key_of,
)
from ..local.engine import Loaded
from .engine import VLLMEngine
from .load import VLLMSource
from .sampling import VLLMSampling, resolve_sampling
from .settings import VLLMModelSettings

__all__ = ('VLLMModel',)


class VLLMModel(LocalModel):
    """A model that vLLM runs, many requests at once.

    `model_name` is a name on the Hugging Face hub or the path of a folder; `model_kwargs` are the fields of vLLM's
    `AsyncEngineArgs`: `tensor_parallel_size`, `pipeline_parallel_size` and `distributed_executor_backend='ray'` spread
    the weights over GPUs and machines. Model objects with the same name and the same loading options share one engine.
    The model is loaded by the first request, or by `load()`.

    vLLM starts processes that import your script: put what the script runs below `if __name__ == '__main__':`.
    """

    supported_settings: ClassVar[frozenset[str]] = SHARED_SETTINGS | {'logprobs', 'top_logprobs'}
    settings_prefix = 'vllm_'
    settings_type: ClassVar[type | None] = VLLMModelSettings

    def __init__(
        self,
        model_name: str | PathLike[str] | None = None,
        *,
        model_kwargs: Mapping[str, Any] | None = None,
        trust_remote_code: bool = False,
        adapters: Adapters | None = None,
        max_queue: int = 1024,
        when_full: WhenFull = 'wait',
        progress: Callable[[str], None] | None = None,
        **options: Unpack[LocalOptions],
    ) -> None:
        super().__init__(model_name, **options)
        self.adapters: Mapping[str, str] = decode_adapters(adapters)
        self._source = VLLMSource(
            name=decode_place('model_name', self.model_name),
            trust_remote_code=trust_remote_code,
            adapters=self.adapters,
            model_kwargs=model_kwargs,
            progress=progress,
        )
        self._queue = QueueOptions(max_queue=max_queue, when_full=when_full)

    def engine_key(self) -> Hashable:
        source = self._source
        options = (source.trust_remote_code, source.adapters, source.model_kwargs or {})
        return key_of('vllm', source.name, *options, self._queue)

    def make_engine(self) -> VLLMEngine:
        return VLLMEngine(self._source, self._queue)

    def sampling(self, settings: ModelSettings, loaded: Loaded) -> Sampling:
        return resolve_sampling(settings, cast('VLLMSampling', loaded.sampling), loaded.vocabulary_size)

    def cleanup(self) -> None:
        """Release the engine; the same as `aclose`, for callers that cannot await."""
        if (engine := self._release_engine()) is not None:
            engine.close()
