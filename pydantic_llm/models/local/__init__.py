"""What the engines in this process share: everything between typed messages and an engine that speaks in tokens.

How a request goes: `model.LocalModel` prepares it; `dialog.Dialog` makes of it a prompt, a constraint and a reader of
the answer, by the model's chat template (`chat`: messages → turns; `tools`: tools in the template, in words, as a
schema); `tokenizer`, `grammars` and `sampling` make tokens, a matcher and numbers of them. All of this becomes an
`engine.Job`, which an `engine.Engine` fills with tokens. In the engine's thread `output.TokenWriter` makes text of
these (`detokenize`, then `stops`); in the caller's event loop `answer` makes message parts of the text (`calls`: a
reader for each way of writing tool calls). `engines` keeps one engine for each loaded model; `loading` has what is the
same about loading one. Nothing here imports an engine's library.

An engine is added by a folder with

- `engine.py`: an `Engine`. One that is driven step by step subclasses `worker.WorkerEngine`, which has the thread, the
  queue, cancelling, closing and starting again after a crash, and writes a `runner.Runner`: `slots`, `add`, `remove`,
  `step`. One with an event loop of its own implements `counts`, `load`, `submit`, `cancel`, `aclose` and `abandon`;
- `model.py`: a `LocalModel` that says `engine_key` and `make_engine`;
- `settings.py`: a `TypedDict` of settings with the engine's prefix.

Either kind of engine calls `job.add_token(token)` for each token, until that returns False,
and then writes no more of it; `job.finish(reason)` and `job.fail(error)` where it knows of an end itself; and
`wake(jobs)` after each round (`WorkerEngine` does that). A job says what is wanted: `prompt`, `sampling`, `max_tokens`,
and either a `matcher`, where `Loaded.grammars` compiled the constraint, or the `constraint` for an engine that compiles
by itself. Settings that an engine lacks are missing from its model's `supported_settings`; constraints that it cannot
hold are missing from `Loaded.constraints`, and raise.
"""

from __future__ import annotations

from .engine import Counts, Engine, Job, Loaded, Prompt, Sampling, wake
from .engines import key_of
from .grammars import CONSTRAINT_KINDS, Grammars, Matcher
from .model import SHARED_SETTINGS, LocalModel
from .options import LocalOptions
from .runner import Runner
from .sampling import sampling_from
from .tokenizer import Tokenizer
from .worker import WhenFull, WorkerEngine

__all__ = (
    'CONSTRAINT_KINDS',
    'SHARED_SETTINGS',
    'Counts',
    'Engine',
    'Grammars',
    'Job',
    'Loaded',
    'LocalModel',
    'LocalOptions',
    'Matcher',
    'Prompt',
    'Runner',
    'Sampling',
    'Tokenizer',
    'WhenFull',
    'WorkerEngine',
    'key_of',
    'sampling_from',
    'wake',
)
