"""How Mistral's API differs from OpenAI's. Start at `MISTRAL`; what becomes of the messages is in `content`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...json_types import Json
from ...messages import FinishReason
from ...profiles.mistral import MistralSchema
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
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
"""The shared settings that go into the body under a name of the API's."""

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
"""The API's own settings."""

TIERS = {'auto': 'auto', 'priority': 'auto', 'default': 'standard_only'}
"""Our words for queues, and Mistral's: it has two."""

FINISH_REASONS: dict[str, FinishReason] = {'model_length': 'length'}
"""The word for an answer that has come to the end of what the model can hold."""

ABOUT_SCHEMAS = frozenset({'$schema', '$id'})
"""What a schema may say of itself."""

ID = re.compile(r'[a-zA-Z0-9]{9}')
"""The only ids that calls may have."""


class MistralModelSettings(ModelSettings, total=False):
    """Settings of a request to Mistral."""

    mistral_reasoning_effort: Literal['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']
    """How long the model reasons, in the API's words; wins over `thinking`. Most models know only `none` and `high`."""

    mistral_prompt_mode: Literal['reasoning']
    """Put Mistral's own system prompt for reasoning before the conversation. Magistral."""

    mistral_prompt_cache_key: str
    """Requests with the same key are sent where their prefix is cached."""

    mistral_prediction: Mapping[str, Any]
    """Text that the answer will mostly repeat: `{'type': 'content', 'content': '...'}`."""

    mistral_guardrails: Sequence[Mapping[str, Any]]
    """Moderate the request first; what was found is in `ModelResponse.provider_details`, and one that is blocked is
    answered with status 403."""

    mistral_safe_prompt: bool
    """Put Mistral's own system prompt for safe answers before the conversation. Guardrails have taken its place."""

    mistral_min_tokens: int
    """The least tokens that the model writes."""

    mistral_repetition_penalty: float
    """Above 1: less of what has been said at all, in the prompt or in the answer."""

    mistral_prompt_logprobs: bool
    """Return the log probabilities of the prompt's tokens."""

    mistral_top_prompt_logprobs: int
    """How many alternatives to each token of the prompt to return."""

    mistral_service_tier: Literal['auto', 'standard_only']
    """Which queue the request stands in, in the API's words; wins over `service_tier`."""

    mistral_metadata: Mapping[str, Any]
    """What to keep with the exchange."""


# ---------------------------------------------------------------------- the request


def encode_body(body: Json, request: PreparedRequest) -> Json:
    """The body as Mistral wants it."""
    body['messages'] = encode_messages(body['messages'])
    if 'tools' in body:
        body['tools'] = [encode_tool(tool) for tool in body['tools']]
    if body.get('tool_choice') == 'required':
        body['tool_choice'] = 'any'
    if 'service_tier' in request.settings and 'mistral_service_tier' not in request.settings:
        _choose_queue(body, request)
    match body.get('response_format'):
        case {'type': 'json_object'} if body.get('tools'):
            del body['response_format']  # the prompt asks for it too, and the API takes only one of them
        case {'type': 'json_schema', 'json_schema': output}:
            body['response_format'] = {'type': 'json_schema', 'json_schema': _held(output)}
        case _:
            pass
    return body


def encode_tool(tool: Json) -> Json:
    """A tool without what its schema says of itself, which the API takes for a mistake (schemas of MCP servers)."""
    parameters = {name: value for name, value in tool['function']['parameters'].items() if name not in ABOUT_SCHEMAS}
    return {**tool, 'function': {**tool['function'], 'parameters': parameters}}


def _choose_queue(body: Json, request: PreparedRequest) -> None:
    if (tier := TIERS.get(wanted := body.pop('service_tier'))) is None:
        request.leave_out('service_tier', f'Mistral has no queue like {wanted!r}')
    else:
        body['service_tier'] = tier


def _held(output: Json) -> Json:
    """An output to whose schema the model is held, unless the schema leaves open what an object may have."""
    closed = _transform(output['schema'], output.get('strict'))
    return {**output, 'schema': closed.json_schema, 'strict': True} if closed.strict else output


_transform = MistralSchema.transformer()


def accepts_id(id: str, system: str) -> bool:
    """Whether an id of a call can be sent."""
    return ID.fullmatch(id) is not None


def make_id(number: int) -> str:
    """An id for the call with this number."""
    return f'{number:09d}'


# ---------------------------------------------------------------------- the answer


def decode_event(event: Json, draft: ResponseDraft) -> Json:
    """A body or an event as OpenAI would have sent it. Errors stand by themselves at Mistral, not under a name."""
    if str(event.get('object')).lower() == 'error' and 'choices' not in event:
        return {'error': {**event, 'status_code': event.get('raw_status_code')}}
    usage: Json = event.get('usage') or {}
    choices: list[Json] = event.get('choices') or [{}]
    said = {
        'guardrails': event.get('guardrails'),
        'prompt_audio_seconds': usage.get('prompt_audio_seconds'),
        'prompt_logprobs': choices[0].get('prompt_logprobs'),
    }
    draft.provider_details.update({name: value for name, value in said.items() if value})
    tier = usage.get('service_tier')
    return {**event, 'service_tier': tier} if tier else event


MISTRAL = Dialect(
    title="Mistral's Chat Completions API",
    settings=SETTINGS,
    own_settings=OWN_SETTINGS,
    finish_reasons=FINISH_REASONS,
    accepts_id=accepts_id,
    make_id=make_id,
    encode_body=encode_body,
    decode_event=decode_event,
)
"""Mistral's."""
