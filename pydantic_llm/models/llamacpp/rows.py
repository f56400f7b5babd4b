"""One response in a batch: its job, its sequence, and the state from which its next token is chosen."""

from __future__ import annotations

from typing import ClassVar

from ..local import Job, resume_prompt
from ..local.rows import JobRow

__all__ = ('Row',)


class Row(JobRow):
    """One response in a batch."""

    __slots__ = ('read', 'sequence', 'tokens')

    system: ClassVar[str] = 'llamacpp-local'

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.tokens: list[int] = [*resume_prompt(job).tokens]
        """The tokens of the prompt and of the response."""
        self.read: int = 0
        """The number of these tokens that are in the memory of the context."""
        self.sequence: int = -1
        """The sequence of the context that has them; negative before the prompt is read."""

    @property
    def is_plain(self) -> bool:
        """True if the next token is the one with the highest logit, unchanged."""
        sampling = self.job.sampling
        changes_logits = sampling.has_repetition_penalty or sampling.has_offsets
        return self.random is None and self.matcher is None and not changes_logits

    def add_token(self, token: int) -> bool:
        """Add the token that was chosen; it is the next one to read, unless the response has ended."""
        self.tokens.append(token)
        return super().add_token(token)
