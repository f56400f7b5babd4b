"""Start vLLM: a name or a path → its async engine in an event loop, and the facts about the model.

Runs in the engine's thread. Start at `load`. https://docs.vllm.ai/en/latest/configuration/engine_args
"""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import partial
from time import perf_counter
from typing import Any

from ..._suggestions import suggest
from ...exceptions import UserError
from ...json_types import Json
from ..local import CONSTRAINT_KINDS, Loaded, Prompt, Tokenizer
from ..local.generation import decode_generation
from ..local.load_errors import translate_errors
from ..local.loading import Source, collect_token_ids, open_image
from .adapters import find_adapters, make_adapter_options, make_requests
from .constraints import BACKEND
from .library import import_vllm
from .sampling import decode_generation_config

__all__ = ('Core', 'VLLMSource', 'load', 'make_engine_options', 'start')

START_METHOD = 'VLLM_WORKER_MULTIPROC_METHOD'
"""The variable that sets how vLLM starts its processes.

Its default is `fork`, which is unsafe in a process with threads: https://docs.vllm.ai/en/latest/design/multiprocessing.
"""

GRACE_SECONDS = 8.0
"""Time for vLLM's processes to end by themselves. Freeing their memory takes seconds."""

GUARD = "put what the script runs below `if __name__ == '__main__':`, because the processes that vLLM starts import it"
"""The fix for a script without a guard: https://docs.vllm.ai/en/latest/usage/troubleshooting#python-multiprocessing."""

HINT = f'. vLLM reports more on stderr. If your program is a script: {GUARD}'


@dataclass(frozen=True, slots=True, kw_only=True)
class VLLMSource(Source):
    """The model to load, and the options of vLLM for it."""

    model_kwargs: Mapping[str, Any] | None = None
    """Fields of vLLM's `AsyncEngineArgs`, by name."""
    adapters: Mapping[str, str] = field(default_factory=dict[str, str])
    """The name or folder of each adapter that a request can name."""


class Core:
    """vLLM's async engine, with the event loop that it is bound to. Use it in one thread at a time."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, llm: Any, adapters: Mapping[str | None, Any] | None = None
    ) -> None:
        self.adapters: Mapping[str | None, Any] = adapters or {}
        """vLLM's `LoRARequest` of each adapter, by the name that requests use."""
        self.loop = loop
        """The loop. It runs only while the thread is in `run_until_complete`."""
        self.llm: Any = llm
        """vLLM's `AsyncLLM`; `None` once it is closed."""
        self.wake_event: asyncio.Event = asyncio.Event()
        """Set when the thread has something to do."""

    @property
    def is_alive(self) -> bool:
        llm = self.llm  # read once: another thread may close it
        return llm is not None and not llm.errored

    @property
    def slots(self) -> int:
        config = self.llm.vllm_config
        return int(config.scheduler_config.max_num_seqs) * int(config.parallel_config.data_parallel_size)

    def wake(self) -> None:
        """Wake the thread, from any thread. Does nothing if the loop is closed."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.wake_event.set)

    def close(self) -> None:
        """End vLLM's processes, and cancel the tasks that are left in the loop."""
        llm, self.llm = self.llm, None
        try:
            llm.shutdown(timeout=GRACE_SECONDS)
        finally:
            if left := asyncio.all_tasks(self.loop):
                for task in left:
                    task.cancel()
                self.loop.run_until_complete(asyncio.wait(left, timeout=1))
            self.loop.close()


def make_engine_options(source: VLLMSource, known: Sequence[str], adapters: Json | None = None) -> Json:
    """Return the fields of `AsyncEngineArgs`, with those for adapters.

    Raises `UserError` for a name that is not in `known`.
    """
    options = dict(source.model_kwargs or {})
    for name in options:
        if name not in known:
            hint = suggest(name, known, most=2)
            raise UserError(f"model_kwargs contains {name!r}, which is not a field of vLLM's AsyncEngineArgs{hint}")
    if 'model' in options:
        raise UserError("model_kwargs contains 'model': give it as model_id")
    return {
        'disable_log_stats': True,
        'structured_outputs_config': {'backend': BACKEND},
        'trust_remote_code': source.trust_remote_code,
        **(adapters or {}),
        **options,
        'model': source.name,
    }


def load(source: VLLMSource) -> tuple[Core, Loaded]:
    """Start vLLM. Raises `UserError` if the model cannot be loaded, `ModelConnectionError` if the hub is offline."""
    begun = perf_counter()
    source.report(f'Loading {source.name}')
    core = start(source)
    try:
        with translate_errors(source, engine='vllm', hint=HINT):
            loaded = _describe(core.llm)
    except BaseException:
        core.close()
        raise
    source.report(f'Loaded {source.name}: {core.slots} responses at once, in {perf_counter() - begun:.1f} s')
    return core, loaded


def start(source: VLLMSource) -> Core:
    """Start vLLM in a new event loop. Raises as `load` does."""
    # True while a spawned process imports the script (`_main` in Lib/multiprocessing/spawn.py), which has no guard.
    if getattr(multiprocessing.current_process(), '_inheriting', False):
        raise UserError(f'{source.name!r} cannot be loaded by a process that vLLM starts: {GUARD}')
    os.environ.setdefault(START_METHOD, 'spawn')
    arguments, engine = import_vllm('engine.arg_utils').AsyncEngineArgs, import_vllm('v1.engine.async_llm').AsyncLLM
    with translate_errors(source, engine='vllm', hint=HINT):
        adapters = find_adapters(source.adapters)
    options = make_engine_options(source, [one.name for one in fields(arguments)], make_adapter_options(adapters))
    loop = asyncio.new_event_loop()

    async def make_engine() -> Any:
        return engine.from_engine_args(arguments(**options))

    try:
        with translate_errors(source, engine='vllm', hint=HINT):
            core = Core(loop, loop.run_until_complete(make_engine()), make_requests(adapters))
    except BaseException:
        loop.close()
        raise
    try:
        for name, adapter in core.adapters.items():
            loop.run_until_complete(_add_adapter(core.llm, name, adapter))
    except BaseException:
        core.close()
        raise
    return core


async def _add_adapter(llm: Any, name: str | None, adapter: Any) -> None:
    """Load an adapter. Raises `UserError` if it is not one for the model: a request with it would end the engine."""
    try:
        await llm.add_lora(adapter)
    except Exception as error:
        raise UserError(f'adapters[{name!r}] {adapter.lora_path!r} cannot be added to the model: {error}') from error


def _describe(llm: Any) -> Loaded:
    """Return the facts about the model."""
    config = llm.model_config
    # vLLM uses its tokenizer in other threads, where sharing raises "Already borrowed": vllm-project/vllm#36557.
    tokenizer = copy.deepcopy(llm.get_tokenizer())
    takes_images = bool(config.supports_multimodal_inputs) and 'image' in _list_media(config)
    load_processor = import_vllm('transformers_utils.processor').cached_processor_from_config
    text_tokenizer = Tokenizer(tokenizer, processor=load_processor(config) if takes_images else None)
    generation: Json = config.try_get_generation_config()
    overrides: Json = config.override_generation_config
    text = config.hf_text_config
    defaults: Json = {} if config.generation_config == 'vllm' else generation
    return Loaded(
        tokenizer=text_tokenizer,
        encode=partial(_encode_prompt, text_tokenizer),
        takes_images=takes_images,
        vocabulary_size=int(config.get_vocab_size()),
        context_length=int(config.max_model_len),
        sampling=decode_generation_config(defaults, overrides),
        generation=decode_generation({**defaults, **overrides}),
        eos=collect_token_ids(
            {**generation, **overrides}.get('eos_token_id'), tokenizer.eos_token_id, getattr(text, 'eos_token_id', None)
        ),
        constraints=CONSTRAINT_KINDS,
    )


def _list_media(config: Any) -> Mapping[str, Any]:
    """Return the kinds of media that the model takes (such as `image`), each with its limit."""
    registry = import_vllm('multimodal').MULTIMODAL_REGISTRY
    limits: Mapping[str, Any] = registry.get_processing_info(config).supported_mm_limits
    return limits


def _encode_prompt(tokenizer: Tokenizer, text: str, images: Sequence[bytes]) -> Prompt:
    """Encode a prompt. Images stay images: vLLM runs the processor, and inserts their tokens."""
    tokens = tokenizer.encode(text)
    return Prompt(tokens, {'image': [open_image(image, extra='vllm') for image in images]} if images else {})
