"""Adapters (LoRA) of a loaded model: load one, and make one of them active for the next forward passes.

https://huggingface.co/docs/transformers/peft
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ...exceptions import UserError
from ..local.load_errors import describe_weights_error, find_place_error
from .parts import Place

__all__ = ('ActiveAdapter', 'load_adapter', 'make_peft_names')

logger: logging.Logger = logging.getLogger('pydantic_llm.local')

DEFAULT = 'default'
"""The library's name of an adapter that was loaded without one (`load_adapter` in integrations/peft.py, 5.24)."""


def make_peft_names(names: Iterable[str]) -> Mapping[str, str]:
    """Return the name that the library gets for each adapter.

    They are parts of the names of weights: a dot is not allowed in them, and one that is in the names of other weights
    too makes the library take those for weights of the adapter (`is_adapter_key` in integrations/peft.py, 5.24).
    """
    return {name: f'adapter_of_requests_{number}' for number, name in enumerate(names)}


def load_adapter(model: Any, place: Place, name: str | None = None) -> None:
    """Add an adapter to a model. Raises `UserError` if it is not one for this model."""
    try:
        with _without_reports():
            info = model.load_adapter(place.name, adapter_name=name, adapter_kwargs=dict(place.options))
    except MemoryError:
        raise
    except Exception as error:
        what = f'The adapter {place.name!r} cannot be added to the model'
        raise find_place_error(place.name, 'transformers', error) or UserError(
            f'{what}: {describe_weights_error(error)}'
        ) from error
    if missing := [key for key in info.missing_keys if f'.{name or DEFAULT}.' in key]:
        raise UserError(f'The adapter {place.name!r} is not one for this model: it has no weights for {min(missing)!r}')
    if unexpected := info.unexpected_keys:
        example = min(unexpected)
        logger.warning('%s: %d weights are for no layer of the model, such as %s', place.name, len(unexpected), example)


@contextmanager
def _without_reports() -> Generator[None]:
    """Silence what the libraries report if a model has several adapters: the weights of the others are missing.

    (`is_adapter_key` in transformers/integrations/peft.py, 5.24, and `BaseTuner.__init__` in peft, 0.21)
    """
    library = logging.getLogger('transformers.integrations.peft')
    level = library.level
    library.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Already found a `peft_config` attribute')
            yield
    finally:
        library.setLevel(level)


class ActiveAdapter:
    """The adapters of a model, of which one or none is active. Use it in the engine's thread."""

    def __init__(self, model: Any, names: Iterable[str]) -> None:
        layers: Any = import_module('peft.tuners.tuners_utils').BaseTunerLayer
        wrappers: Any = import_module('peft.utils').ModulesToSaveWrapper
        self._modules = [module for module in model.modules() if isinstance(module, (layers, wrappers))]
        self._names: dict[str | None, str | None] = {None: DEFAULT if DEFAULT in model.peft_config else None}
        self._names.update(make_peft_names(names).items())
        self._active: str | None = ''  # not known yet

    def activate(self, name: str | None) -> None:
        """Make an adapter active; `None`: the one that the model was loaded with, if there is one."""
        peft_name = self._names[name]
        if peft_name == self._active:
            return
        for module in self._modules:
            module.enable_adapters(peft_name is not None)
            if peft_name is not None:
                module.set_adapter(peft_name)
        self._active = peft_name
