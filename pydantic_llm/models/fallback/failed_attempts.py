"""`FailedAttempts`: the errors and the usage of the attempts of one request that failed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ...exceptions import FallbackExceptionGroup, LLMError, RejectedResponseError, StreamInterruptedError
from ...messages import ModelResponse
from ...observers import ModelFailed, notify
from ...usage import AttemptUsage, RequestUsage

__all__ = ('FailedAttempts', 'find_attempts')

logger: logging.Logger = logging.getLogger('pydantic_llm.fallback')


class FailedAttempts:
    """The failed attempts of one request: their errors, the ids of their models, and the usage of their responses.

    `reaction` follows "`model` failed, and" in the warnings.
    """

    def __init__(self, reaction: str) -> None:
        self._reaction = reaction
        self.errors: list[Exception] = []
        """The errors of the current pass."""
        self.model_ids: list[str] = []
        self.usage: RequestUsage = RequestUsage()
        """The usage of all failed responses, in all passes."""
        self.attempts: list[AttemptUsage] = []
        """The requests of which it is the sum."""
        self._warnings: list[str] = []

    def begin_pass(self) -> None:
        """Begin with the first model again."""
        self.errors, self.model_ids = [], []

    def add(self, model_id: str, error: Exception, attempts: Sequence[AttemptUsage]) -> None:
        self.errors.append(error)
        self.model_ids.append(model_id)
        self._warnings.append(f'{model_id} failed, and {self._reaction}: {error}')
        self.add_usage(attempts)
        notify(ModelFailed(model_id, error))
        logger.debug('%s failed, and %s: %s', model_id, self._reaction, error)

    def add_usage(self, attempts: Sequence[AttemptUsage]) -> None:
        """Add the usage of requests whose responses are not returned."""
        self.attempts += attempts
        self.usage = sum((each.usage for each in attempts), self.usage)

    def with_failures(self, response: ModelResponse) -> ModelResponse:
        """Return the response with the failed attempts' usage added, and with one warning per failure."""
        if not (self._warnings or self.attempts):
            return response
        is_used = response.attempts or response.usage.has_values() or response.usage.missing
        attempts = (
            (*self.attempts, *(response.list_attempts() if is_used else ())) if self.attempts else response.attempts
        )
        warnings = [*self._warnings, *response.warnings]
        return replace(response, usage=response.usage + self.usage, attempts=attempts, warnings=warnings)

    def as_group(self) -> FallbackExceptionGroup:
        failures = '; '.join(f'{name}: {error}' for name, error in zip(self.model_ids, self.errors, strict=True))
        return FallbackExceptionGroup(f'All models failed ({failures})', self.errors)


def find_attempts(error: Exception) -> list[AttemptUsage]:
    """Return the usage of the responses that an error, or a group of errors, has."""
    found: list[AttemptUsage] = []
    if isinstance(error, (StreamInterruptedError, RejectedResponseError)) and error.response is not None:
        found = error.response.list_attempts()
    earlier = error.earlier_attempts if isinstance(error, LLMError) else ()
    members = error.exceptions if isinstance(error, FallbackExceptionGroup) else ()
    return sum(map(find_attempts, (*earlier, *members)), found)
