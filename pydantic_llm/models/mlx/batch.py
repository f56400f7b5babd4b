"""A runner with mlx-lm's own continuous batching: prompts join between two steps, and finished responses leave.

Every end is decided here: mlx-lm gets no stop tokens, and a length that is not reached, so that responses leave its
batch in one way only.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from math import isnan
from typing import Any

from ..local import Job
from ..local.prefix_cache import PrefixCache
from .adapters import ActiveAdapter
from .choose import Samplers
from .library import import_mlx, import_mlx_lm
from .prefixes import Prefixes
from .rows import Row

__all__ = ('BatchRunner',)

PROMPTS_PER_PASS = 8
"""Maximum number of prompts that are read together."""

PADDABLE_CACHES = ('KVCache', 'RotatingKVCache')
"""The caches with which prompts of different lengths can be read together.

mlx-lm pads them on the right (`PromptProcessingBatch.prompt` in mlx_lm/generate.py, 0.32). In a state that each token
changes (`ArraysCache`, for Mamba) the padding would count as tokens.
"""


class BatchRunner:
    """Generates the responses of mlx-lm's batch, one step at a time."""

    def __init__(
        self,
        model: Any,
        *,
        slots: int,
        prefill_tokens: int,
        adapters: ActiveAdapter | None = None,
        prefix_cache: PrefixCache | None = None,
    ) -> None:
        self.slots = slots
        self._adapters = adapters
        self._adapter: str | None = None
        """The adapter of all responses here."""
        mx = import_mlx()
        self._generator = import_mlx_lm('generate').BatchGenerator(
            model,
            completion_batch_size=slots,
            prefill_batch_size=min(PROMPTS_PER_PASS if _can_pad(model) else 1, slots),
            prefill_step_size=prefill_tokens,
            # mlx-lm's default is a thread-local stream (`generation_stream` in mlx_lm/generate.py, 0.32), which would
            # be one more thread per engine.
            stream=mx.default_stream(mx.default_device()),
        )
        self._samplers = Samplers()
        self._rows: dict[int, Row] = {}
        self._uids: dict[Job, int] = {}
        self._prefixes = Prefixes(model, prefix_cache)
        self._waiting: list[Row] = []
        """The rows whose prompt continues a block that another row is about to read."""
        self._reading: dict[int, Hashable] = {}
        """The next block of each prompt that is being read, by the uid of its row."""

    def add(self, job: Job) -> None:
        self._adapter = job.adapter
        self._insert(Row(job))

    def _insert(self, row: Row) -> None:
        """Add a row to mlx-lm's batch, after the known prefix of its prompt; or let it wait for a block, once."""
        job, tokens = row.job, row.prompt.tokens
        prefix = self._prefixes.find(tokens, job.adapter)
        key = prefix.next_key
        if key is not None and key != row.awaited and key in self._reading.values():
            row.awaited = key
            self._waiting.append(row)
            return
        [uid] = self._generator.insert(
            [list(tokens[len(prefix) :])],
            max_tokens=[job.max_tokens + 1],
            caches=[self._prefixes.restore(prefix)],
            all_tokens=[list(tokens[: len(prefix)])],
            samplers=[self._samplers.get(job.sampling, drawn=len(job.tokens))],
            logits_processors=[[] if row.is_plain else [row.adjust_logits]],
        )
        if not job.tokens:
            job.cached_tokens = len(prefix)
        self._rows[uid] = row
        self._uids[job] = uid
        self._reading[uid] = key

    def remove(self, job: Job) -> None:
        self._waiting = [row for row in self._waiting if row.job is not job]
        self._remove_jobs([job])

    def step(self) -> Collection[Job]:
        if self._adapters is not None:
            self._adapters.activate(self._adapter)
        self._insert_waiting()
        prompts, responses = self._generator.next()
        self._fail_unusable(responses)
        read = [prompt.uid for prompt in prompts if prompt.end_of_prompt]
        for uid in read:
            del self._reading[uid]
        self._save(read)
        changed: list[Job] = []
        for response in responses:
            row = self._rows[response.uid]
            changed.append(row.job)
            if not row.job.done:
                row.add_token(response.token)
        self._remove_jobs([job for job in changed if job.done])
        return changed

    def _insert_waiting(self) -> None:
        """Insert the rows whose awaited block is not about to be read any more."""
        waiting, self._waiting = self._waiting, []
        for row in waiting:
            if row.awaited in self._reading.values():
                self._waiting.append(row)
            else:
                self._insert(row)

    def _save(self, uids: Collection[int]) -> None:
        """Save what was read and generated of these rows, if their prompts were read to the end."""
        read = [uid for uid in uids if uid not in self._reading and self._rows[uid].job.error is None]
        if read and self._prefixes.are_kept:
            for uid, (layers, tokens) in self._generator.extract_cache(read).items():
                self._prefixes.save(tokens, layers, self._rows[uid].job.adapter)

    def _fail_unusable(self, responses: Sequence[Any]) -> None:
        """Fail the rows with a NaN in their logits, which makes all their log probabilities NaN."""
        if not responses:
            return
        first = import_mlx().concatenate([response.logprobs[:1] for response in responses])
        for response, value in zip(responses, first.tolist(), strict=True):
            if isnan(value):
                self._rows[response.uid].fail('its logits are NaN: the weights are broken, or a number overflows')

    def _remove_jobs(self, jobs: Collection[Job]) -> None:
        uids = [uid for job in jobs if (uid := self._uids.pop(job, None)) is not None]
        if not uids:
            return
        self._save(uids)
        self._generator.remove(uids)
        for uid in uids:
            self._reading.pop(uid, None)
            del self._rows[uid]


def _can_pad(model: Any) -> bool:
    """Return whether all caches of the model are paddable, those inside a `CacheList` too."""
    caches = import_mlx_lm('models.cache').make_prompt_cache(model)
    return all(type(one).__name__ in PADDABLE_CACHES for cache in caches for one in getattr(cache, 'caches', (cache,)))
