"""Objects that llama.cpp allocates: the weights of a model, and the context that it computes in.

Each is freed by `close`, or when no Python object refers to it. A forked child frees nothing that its parent allocated.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from ctypes import c_float, create_string_buffer
from typing import Any

from ..._suggestions import suggest_or_list
from ...exceptions import UserError
from .library import import_llama_cpp, import_numpy, take_errors

__all__ = ('Context', 'NamedAdapters', 'Weights', 'fill_fields')

Pointer = Any

NamedAdapters = Mapping[str | None, tuple[Pointer, float]]
"""The adapters with their scales, by name; `None` is that of responses without one."""

LONGEST_VALUE = 1 << 20
"""The maximum length of a value in the metadata, in bytes."""


class Handle:
    """A pointer to an object of llama.cpp, which is freed once."""

    def __init__(self, pointer: Pointer, free: Callable[[Pointer], Any]) -> None:
        self.pointer = pointer
        self._finalizer = weakref.finalize(self, _free, pointer, free, os.getpid())
        # At exit, the engine's thread may still compute: the engine closes what it needs, the process frees the rest.
        self._finalizer.atexit = False

    def close(self) -> None:
        """Free the object now. Does nothing if it was freed."""
        self._finalizer()


def _free(pointer: Pointer, free: Callable[[Pointer], Any], owner: int) -> None:
    if os.getpid() == owner:
        free(pointer)


class Weights(Handle):
    """A model in memory, or its vocabulary and metadata alone. Raises `UserError` if the file cannot be loaded."""

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        library = import_llama_cpp()
        # Errors of earlier calls are not the reason for a failure of this one.
        take_errors()
        parameters = library.llama_model_default_params()
        fill_fields(parameters, options, where='model_kwargs')
        pointer = library.llama_model_load_from_file(os.fsencode(path), parameters)
        if not pointer:
            raise UserError(f'{path!r} cannot be loaded: llama.cpp reports {take_errors() or "no reason"}')
        super().__init__(pointer, library.llama_model_free)
        self.vocabulary: Pointer = library.llama_model_get_vocab(pointer)

    def read_value(self, key: str) -> str | None:
        """Return a value of the metadata that is not a list, as text, or `None` if the file has no such key."""
        library, name, buffer = import_llama_cpp(), key.encode(), create_string_buffer(256)
        length = library.llama_model_meta_val_str(self.pointer, name, buffer, len(buffer))
        if length >= len(buffer):
            buffer = create_string_buffer(min(length + 1, LONGEST_VALUE))
            library.llama_model_meta_val_str(self.pointer, name, buffer, len(buffer))
        return None if length < 0 else buffer.value.decode('utf-8', 'replace')

    def load_adapter(self, path: str, option: str) -> Pointer:
        """Load an adapter (LoRA) for these weights, which keep it. Raises `UserError` if it does not fit them.

        `option` is the name of the option that has the path, for the error.
        """
        take_errors()
        pointer = import_llama_cpp().llama_adapter_lora_init(self.pointer, os.fsencode(path))
        if not pointer:
            raise UserError(f'{option} {path!r} cannot be loaded: llama.cpp reports {take_errors() or "no reason"}')
        return pointer  # freed with the weights (`llama_adapter_lora_free` in llama.h)


class Context(Handle):
    """The memory of a model for the tokens of all responses. Raises `MemoryError` if it does not fit."""

    def __init__(self, weights: Weights, options: Mapping[str, Any], adapters: NamedAdapters) -> None:
        library = import_llama_cpp()
        take_errors()
        parameters = library.llama_context_default_params()
        fill_fields(parameters, options, where='context_kwargs')
        pointer = library.llama_init_from_model(weights.pointer, parameters)
        if not pointer:
            raise MemoryError(f'llama.cpp cannot make a context of {parameters.n_ctx} tokens: {take_errors()}')
        super().__init__(pointer, library.llama_free)
        self.weights = weights
        self.memory: Pointer = library.llama_get_memory(pointer)
        self.tokens: int = library.llama_n_ctx_seq(pointer)
        """The number of tokens of a sequence that fit into the memory."""
        self.batch_tokens: int = library.llama_n_batch(pointer)
        """The maximum number of tokens in a call of `llama_decode`, which aborts the process if there are more."""
        self.sequences: int = library.llama_n_seq_max(pointer)
        self.vocabulary_size: int = library.llama_vocab_n_tokens(weights.vocabulary)
        self.can_share_parts: bool = not (
            library.llama_model_is_recurrent(weights.pointer)
            or library.llama_model_is_hybrid(weights.pointer)
            or (library.llama_model_n_swa(weights.pointer) and not parameters.swa_full)
            or not parameters.kv_unified
        )
        """True if the memory of a part of a sequence can be shared.

        A state that each token changes has no parts. Windows forget, and the memories of sequences can be separate.
        """
        self._adapters = adapters
        self._in_use: tuple[Pointer, float] | None = None
        self.use_adapter(None)

    def get_logits(self, place: int) -> Any:
        """Return the logits [vocabulary] after a token of the newest batch. They are valid until the next one."""
        pointer = import_llama_cpp().llama_get_logits_ith(self.pointer, place)
        return import_numpy().ctypeslib.as_array(pointer, shape=(self.vocabulary_size,))

    def use_adapter(self, name: str | None) -> None:
        """Use an adapter for the next tokens; `None` for that of the model object. Keys and values depend on it."""
        wanted = self._adapters.get(name)
        if wanted == self._in_use:
            return
        library = import_llama_cpp()
        chosen = [] if wanted is None else [wanted]
        pointers = (library.llama_adapter_lora_p_ctypes * len(chosen))(*(pointer for pointer, _ in chosen))
        scales = (c_float * len(chosen))(*(scale for _, scale in chosen))
        if library.llama_set_adapters_lora(self.pointer, pointers, len(chosen), scales) != 0:
            raise RuntimeError(f'llama.cpp cannot use the adapter: {take_errors()}')
        self._in_use = wanted


def fill_fields(parameters: Any, options: Mapping[str, Any], *, where: str) -> None:
    """Set fields of a structure of parameters. Raises `UserError` for an unknown field, or a value of a wrong type."""
    known = [name for name, _ in parameters._fields_]
    for name, value in options.items():
        if name not in known:
            raise UserError(f'{where} has the unknown key {name!r}{suggest_or_list(name, known)}')
        with suppress(TypeError):
            setattr(parameters, name, value)
            if not isinstance(value, (int, str)) or getattr(parameters, name) == value:  # ctypes wraps and converts
                continue
        raise UserError(f'{where} has {value!r} for {name!r}, which llama.cpp does not take')
