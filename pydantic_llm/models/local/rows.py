"""`JobRow`: a job in a slot of a runner, with the state from which its next token is chosen."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar

from ...exceptions import ModelAPIError
from .engine import Job

__all__ = ('JobRow',)


class JobRow:
    """One response in a batch. Each engine adds what its batch needs."""

    __slots__ = ('job', 'matcher', 'random')

    system: ClassVar[str]
    """The name of the engine in errors."""

    def __init__(self, job: Job) -> None:
        self.job: Job = job
        self.matcher: Any = job.matcher
        """The compiled constraint (`Matcher`), or `None`. It is in the state after the tokens of the job."""
        sampling = job.sampling
        self.random: Random | None = Random(sampling.seed) if sampling.temperature else None
        """The generator that draws one number per token; `None` to take the likeliest token."""
        if self.matcher is not None:  # a runner that failed may have advanced it further than the job
            self.matcher.restart(job.tokens)
        if self.random is not None:
            for _ in job.tokens:
                self.random.random()

    def add_token(self, token: int) -> bool:
        """Add the token that was chosen; return whether the response continues.

        If the constraint allows no token after it, the job is finished; if the constraint breaks, the job fails.
        """
        if not self.job.add_token(token):
            return False
        if self.matcher is None:
            return True
        try:
            continues: bool = self.matcher.consume(token)
        except RuntimeError as error:
            self.fail(error)
            return False
        if not continues:
            self.job.finish('eos')
        return continues

    def fail(self, error: Exception | str) -> None:
        """Fail this job only."""
        message = f'The response cannot continue: {error}'
        self.job.fail(ModelAPIError(self.system, message, provider_name=self.system))
