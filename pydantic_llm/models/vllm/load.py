"""Starting vLLM: a name or a path → its async engine in an event loop, and what is known of the model.

Runs in the engine's thread. https://docs.vllm.ai/en/latest/configuration/engine_args
"""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import partial
from time import perf_counter
from typing import Any

from ...exceptions import UserError
from ...json_types import Json
from ..local import CONSTRAINT_KINDS, Loaded, Prompt, Tokenizer
from ..local.loading import Source, collect_token_ids, open_image, translate_errors
from .constraints import BACKEND
from .library import import_vllm
from .sampling import default_sampling

__all__ = ('Core', 'VLLMSource', 'engine_options', 'load', 'start')

START_METHOD = 'VLLM_WORKER_MULTIPROC_METHOD'
"""How vLLM starts its processes. It forks where nothing is said, which is unsafe in a process with threads."""

GRACE_SECONDS = 8.0
"""How long vLLM's processes may take to end by themselves; freeing their memory takes them seconds."""

GUARD = "keep what the script runs below `if __name__ == '__main__':`, for the processes that vLLM starts import it"

HINT = f'. vLLM says more on stderr. If it imports a script: {GUARD}'


@dataclass(frozen=True, slots=True, kw_only=True)
class VLLMSource(Source):
    """What to load, and how."""

    model_kwargs: Mapping[str, Any] | None = None
    """Fields of vLLM's `AsyncEngineArgs`."""


class Core:
    """vLLM's async engine, with the event loop that it is bound to. Belongs to one thread at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, llm: Any) -> None:
        self.loop = loop
        """The loop, which runs when the thread wants it to."""
        self.llm: Any = llm
        """vLLM's `AsyncLLM`; `None` once it is closed."""
        self.news = asyncio.Event()
        """Set when there is something to do in the thread."""

    @property
    def is_alive(self) -> bool:
        """Whether it can be given requests."""
        llm = self.llm  # another thread may close it meanwhile
        return llm is not None and not llm.errored

    @property
    def slots(self) -> int:
        """How many answers it writes at once."""
        config = self.llm.vllm_config
        return int(config.scheduler_config.max_num_seqs) * int(config.parallel_config.data_parallel_size)

    def nudge(self) -> None:
        """There is something to do; from any thread."""
        with suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self.news.set)

    def close(self) -> None:
        """End its processes, and whatever still runs in its loop."""
        llm, self.llm = self.llm, None
        try:
            llm.shutdown(timeout=GRACE_SECONDS)
        finally:
            if left := asyncio.all_tasks(self.loop):
                for task in left:
                    task.cancel()
                self.loop.run_until_complete(asyncio.wait(left, timeout=1))
            self.loop.close()


def engine_options(source: VLLMSource, known: Sequence[str]) -> Json:
    """The fields of `AsyncEngineArgs`. Raises `UserError` for those that it does not have."""
    said = dict(source.model_kwargs or {})
    for name in said:
        if name not in known:
            near = ' or '.join(repr(match) for match in get_close_matches(name, known, 2))
            hint = f'; did you mean {near}?' if near else ''
            raise UserError(f"model_kwargs holds {name!r}, which is no field of vLLM's AsyncEngineArgs{hint}")
    if 'model' in said:
        raise UserError("model_kwargs holds 'model': give it as model_id")
    return {
        'disable_log_stats': True,
        'structured_outputs_config': {'backend': BACKEND},
        'trust_remote_code': source.trust_remote_code,
        **said,
        'model': source.name,
    }


def load(source: VLLMSource) -> tuple[Core, Loaded]:
    """Start the engine. Raises `UserError` for what cannot be, `ModelConnectionError` where the hub is away."""
    begun = perf_counter()
    source.report(f'Loading {source.name}')
    core = start(source)
    try:
        with translate_errors(source, engine='vllm', hint=HINT):
            loaded = _loaded(core.llm)
    except BaseException:
        core.close()
        raise
    source.report(f'Loaded {source.name}: {core.slots} answers at once, in {perf_counter() - begun:.1f} s')
    return core, loaded


def start(source: VLLMSource) -> Core:
    """Start the engine, in an event loop of its own."""
    if getattr(multiprocessing.current_process(), '_inheriting', False):
        raise UserError(f'{source.name!r} cannot be loaded by a process that vLLM starts: {GUARD}')
    os.environ.setdefault(START_METHOD, 'spawn')
    arguments, engine = import_vllm('engine.arg_utils').AsyncEngineArgs, import_vllm('v1.engine.async_llm').AsyncLLM
    options = engine_options(source, [field.name for field in fields(arguments)])
    loop = asyncio.new_event_loop()

    async def begin() -> Any:
        return engine.from_engine_args(arguments(**options))

    try:
        with translate_errors(source, engine='vllm', hint=HINT):
            return Core(loop, loop.run_until_complete(begin()))
    except BaseException:
        loop.close()
        raise


# ---------------------------------------------------------------------- what is known


def _loaded(llm: Any) -> Loaded:
    config = llm.model_config
    tokenizer = copy.deepcopy(llm.get_tokenizer())  # vLLM uses its own in threads of its own
    sees = bool(config.supports_multimodal_inputs) and 'image' in _kinds(config)
    ours = Tokenizer(tokenizer, processor=_processor(config) if sees else None)
    generation: Json = config.try_get_generation_config()
    overrides: Json = config.override_generation_config
    text = config.hf_text_config
    return Loaded(
        tokenizer=ours,
        encode=partial(_encode, ours),
        takes_images=sees,
        vocabulary_size=int(config.get_vocab_size()),
        context_length=int(config.max_model_len),
        sampling=default_sampling({} if config.generation_config == 'vllm' else generation, overrides),
        eos=collect_token_ids(
            {**generation, **overrides}.get('eos_token_id'),
            tokenizer.eos_token_id,
            getattr(text, 'eos_token_id', None),
        ),
        constraints=CONSTRAINT_KINDS,
    )


def _kinds(config: Any) -> Mapping[str, Any]:
    """The kinds of files that the model takes."""
    registry = import_vllm('multimodal').MULTIMODAL_REGISTRY
    found: Mapping[str, Any] = registry.get_processing_info(config).supported_mm_limits
    return found


def _processor(config: Any) -> Any:
    return import_vllm('transformers_utils.processor').cached_processor_from_config(config)


def _encode(tokenizer: Tokenizer, text: str, images: Sequence[bytes]) -> Prompt:
    """The prompt as vLLM takes it, which makes of each image what the model takes, and as many tokens as it needs."""
    tokens = tokenizer.encode(text)
    return Prompt(tokens, {'image': [open_image(image, extra='vllm') for image in images]} if images else {})
