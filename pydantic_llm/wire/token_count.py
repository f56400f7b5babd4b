"""`TokenCountApi`: how an API counts the input tokens of a request that is not sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from pydantic_core import from_json

from ..exceptions import UnexpectedModelBehavior
from ..json_types import Json
from ..usage import RequestUsage

__all__ = ('TokenCountApi', 'select_fields')


@dataclass(frozen=True)
class TokenCountApi:
    """How an API counts the input tokens of a request."""

    encode: Callable[[str, Json], tuple[str, Json]]
    """Returns the path and the body of the count, from those of the request for a response."""
    field: str
    """The field of the response body that has the number, or a list of the tokens."""
    split: Callable[[Json], list[Json]] = lambda body: [body]
    """Returns the bodies of the requests whose counts are added, if the API limits the size of one."""
    is_estimate: bool = False
    """True if the API does not count all tokens of the request."""

    def decode(self, content: bytes, model_name: str) -> RequestUsage:
        """Return the counted input tokens. Raises `UnexpectedModelBehavior` if the body has no number."""
        try:
            body: object = from_json(content)
        except ValueError:
            body = None
        count: object = cast('Json', body).get(self.field) if isinstance(body, dict) else None
        if isinstance(count, list):
            count = len(cast('list[object]', count))
        if not isinstance(count, int) or isinstance(count, bool):
            text = content.decode(errors='replace')
            raise UnexpectedModelBehavior(f'{model_name} returned no {self.field!r} when it counted tokens', text)
        return RequestUsage(input_tokens=count, estimated=('input_tokens',) if self.is_estimate else ())


def select_fields(body: Json, names: tuple[str, ...]) -> Json:
    """Return the fields of a body that a request for a count may have."""
    return {name: body[name] for name in names if name in body}
