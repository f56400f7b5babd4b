"""How what LiteLLM takes and gives differs from OpenAI's API. Start at `LITELLM`.

Thoughts that a vendor has signed come as `thinking_blocks`, and go back under that name. They are read as what other
services call `reasoning_details`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from ...json_types import Json
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
from ...wire.prepare import PreparedRequest
from ..openai.chat.dialect import Dialect
from ..openai.chat.settings import SETTINGS

OWN_SETTINGS: dict[str, str] = {
    'litellm_reasoning_effort': 'reasoning_effort',
    'litellm_thinking': 'thinking',
    'litellm_drop_params': 'drop_params',
    'litellm_user': 'user',
    'litellm_metadata': 'metadata',
    'litellm_modalities': 'modalities',
    'litellm_audio': 'audio',
    'litellm_verbosity': 'verbosity',
    'litellm_web_search_options': 'web_search_options',
    'litellm_prompt_cache_key': 'prompt_cache_key',
}
"""LiteLLM's own settings."""


class LiteLLMModelSettings(ModelSettings, total=False):
    """Settings of a request by LiteLLM. What it takes beside them goes into `extra_body`."""

    litellm_reasoning_effort: Literal['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max', 'default']
    """How long the model reasons, in LiteLLM's words; wins over `thinking`."""

    litellm_thinking: Mapping[str, Any]
    """How Claude thinks, in the words of its API: `{'type': 'enabled', 'budget_tokens': 2048}`."""

    litellm_drop_params: bool
    """Let LiteLLM leave out what a vendor's API does not have, instead of raising for it."""

    litellm_user: str
    """A stable name for the user."""

    litellm_metadata: Mapping[str, Any]
    """What LiteLLM's callbacks are told of the request."""

    litellm_modalities: Sequence[Literal['text', 'audio', 'image']]
    """What the model may answer with."""

    litellm_audio: Mapping[str, Any]
    """The voice and format of a spoken answer."""

    litellm_verbosity: Literal['low', 'medium', 'high']
    """How wordy the answer is."""

    litellm_web_search_options: Mapping[str, Any]
    """How the model searches the web, where the vendor lets it."""

    litellm_prompt_cache_key: str
    """Requests with the same key are sent where their prefix is cached."""


# ---------------------------------------------------------------------- the request


def encode_body(body: Json, request: PreparedRequest) -> Json:
    """The body as LiteLLM wants it."""
    messages = [_with_blocks(message) for message in cast('list[Json]', body['messages'])]
    return {**body, 'messages': messages}


def _with_blocks(message: Json) -> Json:
    """A message with its signed thoughts under LiteLLM's name."""
    if not (details := message.get('reasoning_details')):
        return message
    blocks = [encode_block(detail) for detail in details]
    return {name: value for name, value in message.items() if name != 'reasoning_details'} | {'thinking_blocks': blocks}


def encode_block(detail: Json) -> Json:
    """A thought as a block of LiteLLM's."""
    if detail['type'] == 'reasoning.encrypted':
        return {'type': 'redacted_thinking', 'data': detail['data']}
    return {'type': 'thinking', 'thinking': detail.get('text') or '', 'signature': detail.get('signature') or ''}


# ---------------------------------------------------------------------- the answer


def decode_event(event: Json, draft: ResponseDraft) -> Json:
    """A body or an event, with its signed thoughts as others send them."""
    match event:
        case {'choices': [{'message': {'thinking_blocks': [_, *_] as blocks} as said} as choice, *others]}:
            name = 'message'
        case {'choices': [{'delta': {'thinking_blocks': [_, *_] as blocks} as said} as choice, *others]}:
            name = 'delta'
        case _:
            return event
    if not any(block.keys() & {'signature', 'data', 'index'} for block in blocks):
        return event
    details = [decode_block(block, position) for position, block in enumerate(blocks)]
    return {**event, 'choices': [{**choice, name: {**said, 'reasoning_details': details}}, *others]}


def decode_block(block: Json, position: int) -> Json:
    """A block of LiteLLM's as a thought."""
    index = block.get('index', position)
    if block['type'] == 'redacted_thinking':
        return {'type': 'reasoning.encrypted', 'data': block['data'], 'index': index}
    return {
        'type': 'reasoning.text',
        'text': block.get('thinking') or '',
        'signature': block.get('signature') or None,
        'index': index,
    }


LITELLM = Dialect(
    title='LiteLLM',
    settings={**SETTINGS, 'top_k': 'top_k'},
    own_settings=OWN_SETTINGS,
    encode_body=encode_body,
    decode_event=decode_event,
)
"""LiteLLM's."""
