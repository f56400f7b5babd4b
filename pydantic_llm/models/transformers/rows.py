"""One response in a batch: its job, and the state from which its next token is chosen."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from ..local import Job
from ..local.engine import Prompt
from ..local.prefix_cache import Prefix
from ..local.rows import JobRow
from .processors import RowProcessors, TransformersSampling
from .prompts import extend_prompt

__all__ = ('Row',)


class Row(JobRow):
    """One response in a batch."""

    __slots__ = (
        'awaited',
        'changes_logits',
        'is_plain',
        'prefix',
        'processors',
        'prompt',
        'resumed_tokens',
    )

    system: ClassVar[str] = 'transformers'

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.prompt: Prompt = extend_prompt(job.prompt, job.tokens)
        """The prompt to read: that of the job, and the tokens that were generated before it is read."""
        self.prefix: Prefix = Prefix()
        """The beginning of the prompt that the prefix cache holds, until it is read."""
        self.awaited: Hashable = None
        """The block for which the prompt has waited, as another one was about to read it."""
        self.resumed_tokens: int = len(job.tokens)
        """The number of tokens of the response that are a part of `prompt`."""
        sampling = job.sampling
        self.changes_logits: bool = sampling.has_repetition_penalty or sampling.has_offsets
        self.processors: RowProcessors | None = None
        """The library's processors for values of the model's `generation_config`."""
        if isinstance(sampling, TransformersSampling) and sampling.generation:
            self.processors = RowProcessors(job, sampling)
        is_unchanged = not self.changes_logits and self.processors is None
        self.is_plain: bool = self.random is None and self.matcher is None and is_unchanged
        """True if the next token is the one with the highest logit, unchanged."""

    @property
    def tokens(self) -> list[int]:
        """The tokens of the response."""
        return self.job.tokens

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
