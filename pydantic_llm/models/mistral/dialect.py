"""The differences between Mistral's API and OpenAI's. Start at `MISTRAL`; messages are in `content`.

The fields are those of `ChatCompletionRequest` in the SDK: https://docs.mistral.ai/api/endpoint/chat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...json_types import Json
from ...messages import FinishReason
from ...profiles.mistral import MistralSchema
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
from ...wire.counts import get_object
from ...wire.prepare import PreparedRequest
from ..openai.chat.dialect import Dialect
from .content import encode_messages

SETTINGS: dict[str, str] = {
    'temperature': 'temperature',
    'top_p': 'top_p',
    'top_k': 'top_k',
    'seed': 'random_seed',
    'stop_sequences': 'stop',
    'presence_penalty': 'presence_penalty',
    'frequency_penalty': 'frequency_penalty',
    'logprobs': 'logprobs',
    'top_logprobs': 'top_logprobs',
    'service_tier': 'service_tier',
}
"""The shared settings -> the fields of the body."""

OWN_SETTINGS: dict[str, str] = {
    'mistral_reasoning_effort': 'reasoning_effort',
    'mistral_prompt_mode': 'prompt_mode',
    'mistral_prompt_cache_key': 'prompt_cache_key',
    'mistral_prediction': 'prediction',
    'mistral_guardrails': 'guardrails',
    'mistral_safe_prompt': 'safe_prompt',
    'mistral_min_tokens': 'min_tokens',
    'mistral_repetition_penalty': 'repetition_penalty',
    'mistral_prompt_logprobs': 'prompt_logprobs',
    'mistral_top_prompt_logprobs': 'top_prompt_logprobs',
    'mistral_service_tier': 'service_tier',
    'mistral_metadata': 'metadata',
}
"""The settings that only this API has -> the fields of the body."""

SERVICE_TIERS = {'auto': 'auto', 'priority': 'auto', 'default': 'standard_only'}
"""Values of the setting `service_tier` -> Mistral's two tiers."""

FINISH_REASONS: dict[str, FinishReason] = {'model_length': 'length'}
"""The finish reason that OpenAI does not have: the context window is full."""

SCHEMA_METADATA = frozenset({'$schema', '$id'})
"""Keywords that describe the schema itself, which the API rejects."""


class MistralModelSettings(ModelSettings, total=False):
    """The settings of a request to Mistral."""

    mistral_reasoning_effort: Literal['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']
    """The API's own value for the reasoning effort; overrides `thinking`. Most models have only `none` and `high`."""

    mistral_prompt_mode: Literal['reasoning']
    """Put Mistral's own system prompt for reasoning before the conversation. Magistral."""

    mistral_prompt_cache_key: str
    """Route requests with the same key to the server that has cached their prefix."""

    mistral_prediction: Mapping[str, Any]
    """Text that the response will mostly repeat: `{'type': 'content', 'content': '...'}`."""

    mistral_guardrails: Sequence[Mapping[str, Any]]
    """Moderate the request first. The verdicts are in `ModelResponse.provider_details`; a blocked request fails with
    status 403."""

    mistral_safe_prompt: bool
    """Put Mistral's own system prompt for safety before the conversation. `mistral_guardrails` replaces it."""

    mistral_min_tokens: int
    """The minimum number of tokens that the model generates."""

    mistral_repetition_penalty: float
    """A penalty for tokens that the prompt or the response already contains; above 1, they become less likely."""

    mistral_prompt_logprobs: bool
    """Return the log probabilities of the prompt's tokens."""

    mistral_top_prompt_logprobs: int
    """Number of alternatives to return per token of the prompt."""

    mistral_service_tier: Literal['auto', 'standard_only']
    """The API's own name of the service tier; overrides `service_tier`."""

    mistral_metadata: Mapping[str, Any]
    """Data to store with the request."""


# ---------------------------------------------------------------------- the request


def encode_body(body: Json, request: PreparedRequest) -> Json:
    """Rewrite OpenAI's body as Mistral's."""
    body['messages'] = encode_messages(body['messages'])
    if 'tools' in body:
        body['tools'] = [encode_tool(tool) for tool in body['tools']]
    if body.get('tool_choice') == 'required':
        body['tool_choice'] = 'any'
    if 'service_tier' in request.settings and 'mistral_service_tier' not in request.settings:
        _encode_service_tier(body, request)
    match body.get('response_format'):
        case {'type': 'json_object'} if body.get('tools'):
            # The API accepts tools or JSON mode, not both; the prompt requires JSON too.
            del body['response_format']
        case {'type': 'json_schema', 'json_schema': output}:
            body['response_format'] = {'type': 'json_schema', 'json_schema': _encode_output(output, request)}
        case _:
            pass
    return body


def encode_tool(tool: Json) -> Json:
    """Remove the keywords from a tool's schema that the API rejects. Schemas of MCP servers have them."""
    parameters = {name: value for name, value in tool['function']['parameters'].items() if name not in SCHEMA_METADATA}
    return {**tool, 'function': {**tool['function'], 'parameters': parameters}}


def _encode_service_tier(body: Json, request: PreparedRequest) -> None:
    """Replace the service tier by Mistral's, or drop it with a warning."""
    if (tier := SERVICE_TIERS.get(wanted := body.pop('service_tier'))) is None:
        request.drop_setting('service_tier', f'Mistral has no service tier like {wanted!r}')
    else:
        body['service_tier'] = tier


def _encode_output(output: Json, request: PreparedRequest) -> Json:
    """Make the schema of an output strict, unless its objects may have properties that it does not name."""
    closed = _transform(output['schema'], output.get('strict'))
    for obstacle in closed.obstacles:
        request.note(f'the schema of output {output["name"]!r} is not enforced: {obstacle}')
    if closed.obstacles:
        return {**output, 'strict': False}
    return {**output, 'schema': closed.json_schema, 'strict': True} if closed.strict else output


_transform = MistralSchema.transformer()


# ---------------------------------------------------------------------- the response


def decode_event(event: Json, draft: ResponseDraft) -> Json:
    """Rewrite a body or an event in OpenAI's form. Mistral's errors are the body itself, not a field of it."""
    if str(event.get('object')).lower() == 'error' and 'choices' not in event:
        return {'error': {**event, 'status_code': event.get('raw_status_code')}}
    usage = get_object(event, 'usage')
    choices: list[Json] = event.get('choices') or [{}]
    details = {
        'guardrails': event.get('guardrails'),
        'prompt_audio_seconds': usage.get('prompt_audio_seconds'),
        'prompt_logprobs': choices[0].get('prompt_logprobs'),
    }
    draft.provider_details.update({name: value for name, value in details.items() if value})
    tier = usage.get('service_tier')
    return {**event, 'service_tier': tier} if tier else event


MISTRAL = Dialect(
    title="Mistral's Chat Completions API",
    path='/v1/chat/completions',
    settings=SETTINGS,
    own_settings=OWN_SETTINGS,
    finish_reasons=FINISH_REASONS,
    encode_body=encode_body,
    decode_event=decode_event,
)
