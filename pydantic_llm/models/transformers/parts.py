"""Find the parts of a model: its configuration, tokenizer and processor, and the base model of an adapter (LoRA).

Start at `find_parts`. https://huggingface.co/docs/transformers/peft
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...exceptions import UserError
from ..local.adapters import ADAPTER_CONFIG
from ..local.load_errors import find_place_error
from ..local.loading import Source
from .library import import_transformers

__all__ = ('Parts', 'Place', 'TransformersSource', 'find_parts')

OF_FILES = ('cache_dir', 'force_download', 'local_files_only', 'token')
"""The options of `from_pretrained` for files of all repositories."""

OF_ADAPTER = ('revision', 'subfolder')
"""The options for one repository, be it that of a model or of an adapter."""

OF_MODEL = (*OF_ADAPTER, 'code_revision', 'gguf_file', 'trust_remote_code')
"""The options for one repository of a model, which all of its parts need."""

OWN_OPTIONS = ('revision', 'subfolder', 'gguf_file', 'quantization_config')
"""The arguments of `from_pretrained` that are options of the model object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformersSource(Source):
    """The model to load, and the options of transformers for it."""

    device_map: Any = None
    """The device of the weights, or a map of transformers; `None` takes the first accelerator, or the CPU."""
    torch_dtype: Any = 'auto'
    """The type of the weights; `auto` keeps the type they were saved in."""
    adapter: str | None = None
    """The name or folder of an adapter for the model."""
    adapters: Mapping[str, str] = field(default_factory=dict[str, str])
    """The name or folder of each adapter that a request can name."""
    text_only: bool = False
    """True to load a model that takes images for text alone."""
    revision: str | None = None
    """The branch, tag or commit of the repository."""
    subfolder: str | None = None
    gguf_file: str | None = None
    quantization_config: Any = None
    model_kwargs: Mapping[str, Any] | None = None
    """More arguments of `from_pretrained`."""

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `from_pretrained`."""
        given = {name: getattr(self, name) for name in OWN_OPTIONS if getattr(self, name) is not None}
        return {'trust_remote_code': self.trust_remote_code, **given, **(self.model_kwargs or {})}


@dataclass(frozen=True, slots=True)
class Place:
    """A repository or a folder."""

    name: str
    options: Mapping[str, Any]
    """Arguments of `from_pretrained`."""

    def pick(self, names: Collection[str]) -> dict[str, Any]:
        """Return the options with these names, and those for files."""
        return {name: value for name, value in self.options.items() if name in names or name in OF_FILES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a model besides its weights, and where these are."""

    base: Place
    """The place of the weights."""
    adapter: Place | None
    """The place of the adapter to add to them, if there is one that `from_pretrained` does not add by itself."""
    adapters: Mapping[str, Place]
    """The places of the adapters that requests can name."""
    config: Any
    tokenizer: Any
    processor: Any
    """The processor of images; `None` for text alone."""
    text_only_reason: str
    """The reason why a model that takes images is loaded for text alone; empty otherwise."""


def find_parts(source: TransformersSource) -> Parts:
    """Load all parts of a model but its weights.

    Raises the library's errors, `UserError` for an encoder-decoder model, or for an adapter without peft.
    """
    transformers = import_transformers()
    base, adapter = _find_places(transformers, source)
    adapters = {name: Place(place, base.pick(())) for name, place in source.adapters.items()}
    needs_peft = [place.name for place in (adapter, *adapters.values()) if place is not None]
    if needs_peft and find_spec('peft') is None:
        raise UserError(f'{needs_peft[0]!r} is an adapter, which needs the package peft: pip install peft')
    for name, place in adapters.items():
        _check_adapter(transformers, place, f'adapters[{name!r}] ')
    config = transformers.AutoConfig.from_pretrained(base.name, **base.pick(OF_MODEL))
    if getattr(config, 'is_encoder_decoder', False):
        raise UserError(f'{source.name!r} is an encoder-decoder model, which cannot chat: use a decoder-only model')
    processor, reason = _load_processor(transformers, source, base, config)
    return Parts(
        base=base,
        adapter=None if adapter is not None and adapter.name == base.name else adapter,
        adapters=adapters,
        config=config,
        tokenizer=getattr(processor, 'tokenizer', None) or _load_tokenizer(transformers, base, adapter),
        processor=processor,
        text_only_reason=reason,
    )


def _find_places(transformers: Any, source: TransformersSource) -> tuple[Place, Place | None]:
    """Return the places of the base model and of its adapter, which may be the same, as for the library."""
    model = _find_model(source)
    if source.adapter is not None:
        adapter = Place(source.adapter, model.pick(()))
        _check_adapter(transformers, adapter, 'adapter ')
        return model, adapter
    config = transformers.utils.find_adapter_config_file(model.name, **model.pick(OF_ADAPTER))
    if config is None:
        return model, None
    adapter = Place(model.name, model.pick(OF_ADAPTER))
    if (Path(model.name) / 'config.json').is_file():
        return model, adapter
    base = json.loads(Path(config).read_text(encoding='utf-8')).get('base_model_name_or_path')
    if not base:
        raise UserError(f'The adapter {model.name!r} does not name its base model: give the model, and adapter= for it')
    here_only = {*OF_MODEL} - {'trust_remote_code'}
    return Place(base, {name: value for name, value in model.options.items() if name not in here_only}), adapter


def _find_model(source: TransformersSource) -> Place:
    """Return the place of the model. For the library, the path of a GGUF file is a folder and an option."""
    options = source.options
    path = Path(source.name)
    if path.suffix == '.gguf' and path.is_file():
        return Place(f'{path.parent}', {**options, 'gguf_file': path.name})
    return Place(source.name, options)


def _check_adapter(transformers: Any, adapter: Place, option: str) -> None:
    """Raise `UserError` if there is no adapter in this place, `ModelConnectionError` if the hub cannot be reached."""
    message = (
        f'{option}{adapter.name!r} was not found: give a name on the hub, or the path of a folder with {ADAPTER_CONFIG}'
    )
    try:
        transformers.utils.cached_file(adapter.name, ADAPTER_CONFIG, **adapter.options)
    except (OSError, ValueError) as error:
        raise find_place_error(adapter.name, 'transformers', error) or UserError(message) from error


def _load_tokenizer(transformers: Any, base: Place, adapter: Place | None) -> Any:
    """Return the tokenizer, which is in the place of the adapter if it was saved with it."""
    if adapter is not None and adapter.name != base.name:
        options = adapter.pick(OF_ADAPTER)
        quiet = {f'_raise_exceptions_for_{error}': False for error in ('missing_entries', 'connection_errors')}
        if transformers.utils.cached_file(adapter.name, 'tokenizer_config.json', **options, **quiet) is not None:
            return transformers.AutoTokenizer.from_pretrained(adapter.name, **options)
    return transformers.AutoTokenizer.from_pretrained(base.name, **base.pick(OF_MODEL))


def _load_processor(transformers: Any, source: TransformersSource, base: Place, config: Any) -> tuple[Any, str]:
    """Return the processor of images, or `None` and the reason why a model that takes images gets none."""
    if getattr(config, 'vision_config', None) is None:
        return None, ''
    if source.text_only:
        return None, 'it was loaded with text_only=True'
    try:
        return transformers.AutoProcessor.from_pretrained(base.name, **base.pick(OF_MODEL)), ''
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and not Path(base.name).is_dir():
            raise  # the hub may not be reachable
        reason = f'{error}'.strip().partition('\n')[0].partition('. ')[0].rstrip('.')
        source.report(f'{source.name} takes text alone: {reason}')
        return None, reason
