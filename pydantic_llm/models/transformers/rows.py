"""One response in a batch: its job, and the state from which its next token is chosen."""

from __future__ import annotations

from collections.abc import Hashable
from random import Random
from typing import Any

from ...exceptions import ModelAPIError
from ..local import Job
from ..local.engine import Prompt
from ..local.prefix_cache import Prefix
from .processors import RowProcessors, TransformersSampling
from .prompts import extend_prompt

__all__ = ('Row',)


class Row:
    """One response in a batch."""

    __slots__ = (
        'awaited',
        'changes_logits',
        'is_plain',
        'job',
        'matcher',
        'prefix',
        'processors',
        'prompt',
        'random',
        'resumed_tokens',
        'tokens',
    )

    def __init__(self, job: Job) -> None:
        self.job: Job = job
        self.matcher: Any = job.matcher
        """The compiled constraint (`local.Matcher`), or `None`."""
        self.prompt: Prompt = extend_prompt(job.prompt, job.tokens)
        """The prompt to read: that of the job, and the tokens that were generated before it is read."""
        self.prefix: Prefix = Prefix()
        """The beginning of the prompt that the prefix cache holds, until it is read."""
        self.awaited: Hashable = None
        """The block for which the prompt has waited, as another one was about to read it."""
        self.tokens: list[int] = [*job.tokens]
        self.resumed_tokens: int = len(job.tokens)
        """The number of tokens of the response that are a part of `prompt`."""
        sampling = job.sampling
        self.random: Random | None = Random(sampling.seed) if sampling.temperature else None
        """The generator that draws its tokens; `None` to take the likeliest token."""
        if self.tokens:
            self._repeat_draws()
        self.changes_logits: bool = sampling.has_repetition_penalty or sampling.has_offsets
        self.processors: RowProcessors | None = None
        """The library's processors for values of the model's `generation_config`."""
        if isinstance(sampling, TransformersSampling) and sampling.generation:
            self.processors = RowProcessors(job, sampling)
        is_unchanged = not self.changes_logits and self.processors is None
        self.is_plain: bool = self.random is None and self.matcher is None and is_unchanged
        """True if the next token is the one with the highest logit, unchanged."""

    @property
    def length(self) -> int:
        """The number of tokens of the prompt and the response."""
        return len(self.prompt.tokens) + len(self.tokens) - self.resumed_tokens

    def read_again(self) -> None:
        """Make the tokens of the response a part of the prompt, which is read again."""
        self.prompt = extend_prompt(self.prompt, self.tokens[self.resumed_tokens :])
        self.resumed_tokens = len(self.tokens)

    @property
    def unread_tokens(self) -> int:
        """The number of tokens of the prompt that must be read."""
        return len(self.prompt.tokens) - len(self.prefix)

    def add_token(self, token: int) -> bool:
        """Add the token that was chosen; return whether the response continues."""
        self.tokens.append(token)
        job = self.job
        if not job.add_token(token):
            return False
        if self.matcher is not None and not self._advance_matcher(token):
            return False
        return not job.done

    def fail(self, error: Exception | str) -> None:
        """Fail this job only."""
        message = f'The response cannot continue: {error}'
        self.job.fail(ModelAPIError('transformers', message, provider_name='transformers'))

    def _repeat_draws(self) -> None:
        """Bring the generator and the constraint to the state after the tokens of an earlier runner."""
        if self.matcher is not None:
            self.matcher.restart(self.tokens)
        if self.random is not None:
            for _ in self.tokens:
                self.random.random()

    def _advance_matcher(self, token: int) -> bool:
        """Advance the constraint by one token. Finish the job and return False if no token may follow."""
        try:
            continues: bool = self.matcher.consume(token)
        except RuntimeError as error:
            self.fail(error)
            return False
        if not continues:
            self.job.finish('eos')
        return continues
