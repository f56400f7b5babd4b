"""The paths that count the tokens of a request without sending it, of the protocols that have one.

`COUNT_APIS` has a row for each. A model that cannot count gets an estimate, which a header marks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from ..exceptions import NotFoundError, UserError
from ..json_types import Json
from ..models import Model
from ..models.bedrock.serve import PATHS as CONVERSE_PATHS
from ..models.estimate import BYTES_PER_TOKEN, estimate_tokens
from ..models.gemini.serve import PATHS as GEMINI_PATHS
from ..models.openai.responses.serve import PATHS as RESPONSES_PATHS
from ..wire.serving import ServedRequest

__all__ = ('COUNT_APIS', 'CountApi', 'count_tokens')

ESTIMATE_HEADERS: Mapping[str, str] = {'x-token-count': 'estimate'}
"""The headers of a response whose count is an estimate."""


@dataclass(frozen=True, slots=True)
class CountApi:
    """The path that counts tokens, of one protocol."""

    protocol: str
    """The name of the protocol."""
    paths: tuple[str, ...]
    encode: Callable[[int], Json]
    """Number of tokens → body of the response."""
    decode: Callable[[Json], Json] = dict
    """Body → body of a request to the model, with the fields that counting does not require."""
    decode_path: Callable[[Mapping[str, str]], Json] = dict


def _decode_gemini(body: Json) -> Json:
    """Return the request that the field contains, or the body itself, whose `contents` are enough for the API."""
    inner: Any = body.get('generateContentRequest') or body.get('generate_content_request') or {}
    if not isinstance(inner, dict):
        raise UserError("'generateContentRequest' is not an object")
    return {**inner, **{name: value for name, value in body.items() if not name.lower().startswith('generatec')}}


def _decode_converse(body: Json) -> Json:
    """Return the request to Converse, with the model of the path. Raises `UserError` for another kind of input."""
    source: Any = body.get('input')
    request: Any = source.get('converse') if isinstance(source, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- JSON
    if not isinstance(request, dict):
        raise UserError("'input.converse' is missing from the request")
    return {**request, **{name: value for name, value in body.items() if name != 'input'}}


COUNT_APIS: tuple[CountApi, ...] = (
    # https://platform.claude.com/docs/en/api/messages-count-tokens
    CountApi(
        'anthropic',
        ('/v1/messages/count_tokens',),
        lambda count: {'input_tokens': count},
        lambda body: {'max_tokens': 1, **body, 'stream': False},
    ),
    # https://platform.openai.com/docs/api-reference/responses/input-tokens
    CountApi(
        'openai-responses',
        tuple(f'{path}/input_tokens' for path in RESPONSES_PATHS),
        lambda count: {'object': 'response.input_tokens', 'input_tokens': count},
        lambda body: {'model': '', **body},
    ),
    # https://ai.google.dev/api/tokens
    CountApi(
        'gemini',
        tuple(path.replace('{verb}', 'countTokens') for path in GEMINI_PATHS),
        lambda count: {'totalTokens': count},
        _decode_gemini,
        lambda parameters: {'model': parameters['model']},
    ),
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
    CountApi(
        'bedrock',
        tuple(path.replace('{verb}', 'count-tokens') for path in CONVERSE_PATHS),
        lambda count: {'inputTokens': count},
        _decode_converse,
        lambda parameters: {'model': parameters['model']},
    ),
)
"""The paths that count tokens."""


async def count_tokens(model: Model, served: ServedRequest) -> tuple[int, Mapping[str, str]]:
    """Return the input tokens of a request, and the headers that mark an estimate."""
    try:
        usage = await model.count_tokens(served.messages, served.settings, served.parameters)
        return usage.input_tokens, {}
    except (UserError, NotFoundError):  # the model cannot count, or its server lacks the path
        return _estimate_request(served), ESTIMATE_HEADERS


def _estimate_request(served: ServedRequest) -> int:
    parameters = served.parameters
    tools = [(tool.name, tool.description, tool.parameters_json_schema) for tool in parameters.tools]
    instructions = next((getattr(each, 'instructions', None) for each in reversed(served.messages)), None) or ''
    size = len(instructions.encode(errors='replace')) + (len(to_json(tools)) if tools else 0)
    return sum(map(estimate_tokens, served.messages)) + size // BYTES_PER_TOKEN
