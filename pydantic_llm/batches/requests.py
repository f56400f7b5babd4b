"""`BatchRequest`, one request of a batch, and `BatchResult`, what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from .._type_checks import check_messages, check_type
from ..exceptions import LLMError, UserError
from ..json_types import repair_text
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..models import ModelRequestParameters
from ..prices import find_batch_cost
from ..settings import ModelSettings

__all__ = ('BatchRequest', 'BatchResult')


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One request of a batch."""

    messages: str | ModelRequest | Sequence[ModelMessage]
    """The content: a text, a request, or a conversation."""
    settings: ModelSettings | None = None
    """The settings of this request, merged over those of the model."""
    parameters: ModelRequestParameters | None = None
    """The tools and the output of this request."""
    id: str | None = None
    """The id of the result, unique in the batch. By default `'request-0'`, `'request-1'` and so on, in order."""

    def get_messages(self) -> Sequence[ModelMessage]:
        """Return the content as a conversation."""
        if isinstance(self.messages, str):
            return [ModelRequest.user_text_prompt(self.messages)]
        if isinstance(self.messages, ModelRequest):
            return [self.messages]
        check_messages(self.messages)
        return self.messages


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of one request of a batch: a response or an error."""

    id: str
    """The id of the request; empty if the vendor did not name it."""
    response: ModelResponse | None = None
    """The response, as `Model.request` returns it."""
    error: LLMError | None = None
    """The error, as `Model.request` raises it.

    It is a `BatchExpiredError`, `BatchCancelledError` or `BatchFailedError` if the request was not run."""

    def get_response(self) -> ModelResponse:
        """Return the response. Raises the error of a request that failed."""
        if self.response is None:
            assert self.error is not None, 'a result has one of both'
            raise self.error
        return self.response

    def batch_cost(self) -> Decimal | None:
        """Return the price of the response in US dollars, at the vendor's prices for batches, from `genai-prices`.

        `None` without a response, without this package, or if it knows no batch price of the model.
        """
        if self.response is None or not (self.response.provider_name and self.response.model_name):
            return None
        return find_batch_cost(self.response.usage, self.response.provider_name, self.response.model_name)


def check_request(request: object, index: int) -> BatchRequest:
    """Return the request; a text becomes one. Raises `UserError` for any other value."""
    if isinstance(request, str):
        return BatchRequest(request)
    check_type(
        request, BatchRequest, parameter=f'requests[{index}]', expected='a BatchRequest or a text', required=True
    )
    found = cast('BatchRequest', request)
    check_type(found.id, (str, type(None)), parameter=f'requests[{index}].id', expected='a text')
    if found.id is not None and repair_text(found.id) != found.id:
        raise UserError(f'requests[{index}].id is {found.id!r}: it holds characters that cannot be sent')
    return found
