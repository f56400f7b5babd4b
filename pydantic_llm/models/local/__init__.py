"""Everything between messages and an engine in this process, which reads and writes tokens. No engine is imported here.

Terms:
- engine: one loaded model that generates responses for many requests, in its own thread (`worker.WorkerEngine`);
- lease: the use of an engine by one model object; the engine closes with its last lease;
- adapter: small weights (LoRA) on top of those of the model, by a name; a request can name one;
- job: one response to generate;
- runner: the part of an engine that calls the library, step by step;
- step: one call of the library, which generates at most one token for each job;
- slot: room for one job in a runner;
- row: a job in a slot, with the state that is needed to choose its next token (`rows.JobRow`);
- queue: the jobs that wait for a slot;
- queue slot: room for one job in the queue, which callers wait for if the queue is full.

Read in this order, which is the way of a request:
1. `model.LocalModel` prepares the request, and takes a lease (`leases`) of an engine;
2. `encode` renders the chat template, with `encode_messages` for its turns and `tools` for tools and their schemas;
3. `tokenizer`, `grammars` and `sampling` make tokens, a matcher of the constraint and sampling parameters;
4. all this is an `engine.Job`, which `worker` puts into the queue (`queue_slots`) and gives to the `Runner`;
5. in the engine's thread, `token_decoder` decodes tokens to text, by `detokenize` and `streaming.stops`;
6. in the caller's event loop, `stream` reads the job and `decode` makes message parts of its text, by
   `streaming.text_calls`.
`loading`, `adapters`, `generation` and `options` are shared by the engines; `loop_turn` keeps the event loop
responsive.

To add an engine, write a folder with

- `engine.py`: a `WorkerEngine` and its `Runner`. Settings that the engine does not support are not in its model's
  `supported_settings`; constraints that it does not support are not in `Loaded.constraints`, and raise. Without
  `Loaded.grammars`, it compiles `Job.constraint` itself;
- `model.py`: a `LocalModel` with `engine_key` and `make_engine`;
- `settings.py`: a `TypedDict` of settings with the engine's prefix.
"""

from __future__ import annotations

from .adapters import Adapters, decode_adapters
from .engine import Counts, Job, Loaded, Prompt, Runner, Sampling, resume_prompt, wake
from .grammars import CONSTRAINT_KINDS, Grammars, Matcher
from .leases import key_of
from .model import SHARED_SETTINGS, LocalModel
from .options import BatchingOptions, LocalOptions, QueueOptions, decode_place
from .sampling import sampling_from
from .tokenizer import Tokenizer
from .worker import WhenFull, WorkerEngine

__all__ = (
    'CONSTRAINT_KINDS',
    'SHARED_SETTINGS',
    'Adapters',
    'BatchingOptions',
    'Counts',
    'Engine',
    'Grammars',
    'Job',
    'Loaded',
    'LocalModel',
    'LocalOptions',
    'Matcher',
    'Prompt',
    'QueueOptions',
    'Runner',
    'Sampling',
    'Tokenizer',
    'WhenFull',
    'WorkerEngine',
    'decode_adapters',
    'decode_place',
    'key_of',
    'resume_prompt',
    'sampling_from',
    'wake',
)

Engine = WorkerEngine
"""The type of `LocalModel.engine`."""
