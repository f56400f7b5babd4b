"""The model class and its options: how the model is loaded, and how responses share the engine."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from os import PathLike
from typing import Any, ClassVar, Unpack

from ...exceptions import UserError
from ..local import Adapters, LocalModel, LocalOptions, WhenFull, decode_adapters, decode_place, key_of
from .engine import Batching, TransformersBatching, TransformersEngine
from .parts import TransformersSource
from .settings import TransformersModelSettings

__all__ = ('TransformersModel',)


class TransformersModel(LocalModel):
    """A model of the Hugging Face hub that runs in this process, many requests at once.

    `model_name` is a name on the hub or the path of a folder. Model objects with the same name and the same loading
    options share one engine: its weights and its batch. `device` is another name of `device_map`. The weights are
    loaded by the first request, or by `load()`.
    """

    settings_prefix = 'transformers_'
    settings_type: ClassVar[type | None] = TransformersModelSettings

    def __init__(
        self,
        model_name: str | PathLike[str] | None = None,
        *,
        device: Any = None,
        device_map: Any = None,
        torch_dtype: Any = 'auto',
        trust_remote_code: bool = False,
        revision: str | None = None,
        subfolder: str | None = None,
        gguf_file: str | None = None,
        adapter: str | PathLike[str] | None = None,
        adapters: Adapters | None = None,
        text_only: bool = False,
        quantization_config: Any = None,
        model_kwargs: Mapping[str, Any] | None = None,
        batching: Batching = 'auto',
        max_batch_size: int = 32,
        prefill_tokens: int = 512,
        cache_tokens: int | None = None,
        prefix_cache_bytes: int | None = None,
        max_queue: int = 1024,
        when_full: WhenFull = 'wait',
        progress: Callable[[str], None] | None = None,
        **options: Unpack[LocalOptions],
    ) -> None:
        super().__init__(model_name, **options)
        self.adapters: Mapping[str, str] = decode_adapters(adapters)
        others: dict[str, Any] = {'trust_remote_code': trust_remote_code, 'text_only': text_only, 'progress': progress}
        files: dict[str, Any] = {'revision': revision, 'subfolder': subfolder, 'gguf_file': gguf_file}
        self._source = TransformersSource(
            name=decode_place('model_name', self.model_name),
            adapter=None if adapter is None else decode_place('adapter', adapter),
            adapters=self.adapters,
            **files,
            **others,
            device_map=_choose_device(device, device_map),
            torch_dtype=torch_dtype,
            quantization_config=quantization_config,
            model_kwargs=model_kwargs,
        )
        self._batching = TransformersBatching(
            batching=batching,
            max_batch_size=max_batch_size,
            prefill_tokens=prefill_tokens,
            cache_tokens=cache_tokens,
            prefix_cache_bytes=prefix_cache_bytes,
            max_queue=max_queue,
            when_full=when_full,
        )

    def engine_key(self) -> Hashable:
        source = self._source
        weights = (source.device_map, f'{source.torch_dtype}', source.adapter, source.adapters, source.text_only)
        options = (*weights, source.trust_remote_code, source.options)
        return key_of('transformers', source.name, *options, self._batching)

    def make_engine(self) -> TransformersEngine:
        return TransformersEngine(self._source, self._batching)


def _choose_device(device: Any, device_map: Any) -> Any:
    if device is not None and device_map is not None:
        raise UserError('device and device_map both place the model: give one of them')
    return device if device_map is None else device_map
