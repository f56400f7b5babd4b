"""Adapters (LoRA) of a loaded model: each replaces some of its layers, which are exchanged between two steps.

mlx-lm itself loads one adapter for all requests. https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/LORA.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...exceptions import UserError
from ..local.adapters import ADAPTER_CONFIG
from ..local.load_errors import describe_weights_error
from .library import import_mlx_lm, import_mlx_utils

__all__ = ('ActiveAdapter',)

Layers = dict[str, Any]
"""Layers of a model by their path, such as `layers.0.self_attn.q_proj`."""


class ActiveAdapter:
    """The adapters of a model, of which one or none is active. Use it in the engine's thread."""

    def __init__(self, model: Any, folders: Mapping[str, str]) -> None:
        """Load the adapters. Raises `UserError` if one is not an adapter for this model."""
        self._model = model
        self._own: Layers = {**dict(model.named_modules())}
        self._layers: dict[str | None, Layers] = {None: {}}
        self._active: str | None = None
        for name, folder in folders.items():
            self._layers[name] = self._load(name, Path(folder))

    def activate(self, name: str | None) -> None:
        """Make an adapter active; `None`: the model as it was loaded."""
        if name != self._active:
            self._replace({path: self._own[path] for path in self._layers[self._active]} | self._layers[name])
            self._active = name

    def _load(self, name: str, folder: Path) -> Layers:
        """Return the layers that an adapter replaces. They are taken out of the model again."""
        what = f'adapters[{name!r}] {str(folder)!r}'
        try:
            config: Any = dict(json.loads((folder / ADAPTER_CONFIG).read_text(encoding='utf-8')))
        except (OSError, ValueError, TypeError):
            raise UserError(f'{what} was not found: give the path of a folder with {ADAPTER_CONFIG}') from None
        if 'peft_type' in config:
            raise UserError(f'{what} is an adapter of PEFT: mlx-lm reads those that `mlx_lm.lora` writes')
        if config.get('fine_tune_type') == 'full':
            raise UserError(f'{what} has all weights of a model: load it as a model')
        try:
            import_mlx_lm('tuner.utils').load_adapters(self._model, f'{folder}')
        except Exception as error:
            raise UserError(f'{what} cannot be added to the model: {describe_weights_error(error)}') from error
        self._model.eval()  # without dropout
        layers = {path: layer for path, layer in self._model.named_modules() if self._is_new(path, layer)}
        self._replace({path: self._own[path] for path in layers})
        return layers

    def _is_new(self, path: str, layer: Any) -> bool:
        return path in self._own and self._own[path] is not layer

    def _replace(self, layers: Layers) -> None:
        if layers:
            self._model.update_modules(import_mlx_utils().tree_unflatten([*layers.items()]))
