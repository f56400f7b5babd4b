"""Every architecture of the installed transformers that `AutoModelForCausalLM` builds small, in each way of the matrix.

`python -m tests.local.every_architecture [NAME ...]` takes half an hour on one core. It prints one line for each
architecture, and the numbers of those that are right, refused or wrong. Each one has a process of its own, with limited
memory and time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import transformers as library

from tests.local import tiny
from tests.local.families import build_model, make_tokenizer
from tests.local.matrix import run_family

MAX_BYTES = 7 << 30
MAX_SECONDS = 180


def check(model_type: str) -> str:
    """Build and run a model. Return the result, which begins with one of a few words."""
    tokenizer = make_tokenizer()
    try:
        model = build_model(model_type, len(tokenizer))
    except (ValueError, KeyError, MemoryError) as error:
        return f'not built: {error}'
    model.generation_config = library.GenerationConfig(eos_token_id=2, pad_token_id=0)
    with tempfile.TemporaryDirectory() as folder:
        row = asyncio.run(run_family(tiny.save(Path(folder), model, tokenizer)))
    if row.refusal:
        return f'refused: {row.refusal}'
    return f'wrong {row.mode}: {row.faults}' if row.faults else f'right {row.mode}'


def run_process(model_type: str) -> str:
    """Check an architecture in a process of its own."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
        signal.alarm(MAX_SECONDS)
        try:
            result = check(model_type)
        except Exception as error:  # noqa: BLE001 -- the result of this architecture
            result = f'wrong: {type(error).__name__}: {error}'
        os.write(writer, result.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        result = pipe.read()
    os.waitpid(process, 0)
    return result or f'not built: no result after {MAX_SECONDS} s, or with {MAX_BYTES:,} bytes'


def main(names: Sequence[str]) -> None:
    counts: Counter[str] = Counter()
    for name in names:
        result = ' '.join(run_process(name).split())
        counts[result.partition(':')[0]] += 1
        print(name, result[:300], flush=True)  # noqa: T201 -- a program
    print(dict(counts))  # noqa: T201 -- a program


if __name__ == '__main__':
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    logging.getLogger('pydantic_llm.local').setLevel(logging.CRITICAL)
    main(sys.argv[1:] or sorted({config.model_type for config in library.MODEL_FOR_CAUSAL_LM_MAPPING}))
