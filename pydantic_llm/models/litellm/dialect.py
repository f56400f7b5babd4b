"""The differences between LiteLLM's arguments and responses and OpenAI's API. Start at `LITELLM`.

Signed thinking is in `thinking_blocks` (https://docs.litellm.ai/docs/reasoning_content), in both directions. Here it is
rewritten as the `reasoning_details` of other servers.
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
"""The settings that only LiteLLM has -> the arguments."""


class LiteLLMModelSettings(ModelSettings, total=False):
    """The settings of a request by LiteLLM. Other arguments go into `extra_body`."""

    litellm_reasoning_effort: Literal['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max', 'default']
    """LiteLLM's own value for the reasoning effort; overrides `thinking`."""

    litellm_thinking: Mapping[str, Any]
    """Claude's thinking, in the form of its API: `{'type': 'enabled', 'budget_tokens': 2048}`."""

    litellm_drop_params: bool
    """Let LiteLLM drop the parameters that a vendor's API does not have, instead of raising an error."""

    litellm_user: str
    """A stable id of the end user."""

    litellm_metadata: Mapping[str, Any]
    """Data about the request for LiteLLM's callbacks."""

    litellm_modalities: Sequence[Literal['text', 'audio', 'image']]
    """The kinds of output that the model may generate."""

    litellm_audio: Mapping[str, Any]
    """The voice and format of the generated audio."""

    litellm_verbosity: Literal['low', 'medium', 'high']
    """The length of the response's text."""

    litellm_web_search_options: Mapping[str, Any]
    """Options of the web search, if the vendor has one."""

    litellm_prompt_cache_key: str
    """Route requests with the same key to the server that has cached their prefix."""


# ---------------------------------------------------------------------- the request


def encode_body(body: Json, request: PreparedRequest) -> Json:
    """Rewrite OpenAI's body as LiteLLM's arguments."""
    messages = [_encode_signed_thinking(message) for message in cast('list[Json]', body['messages'])]
    return {**body, 'messages': messages}


def _encode_signed_thinking(message: Json) -> Json:
    """Return a message with its signed thinking as `thinking_blocks`."""
    if not (details := message.get('reasoning_details')):
        return message
    blocks = [encode_thinking_block(detail) for detail in details]
    return {name: value for name, value in message.items() if name != 'reasoning_details'} | {'thinking_blocks': blocks}


def encode_thinking_block(detail: Json) -> Json:
    """Encode an item of `reasoning_details` as a block of LiteLLM's."""
    if detail['type'] == 'reasoning.encrypted':
        return {'type': 'redacted_thinking', 'data': detail['data']}
    return {'type': 'thinking', 'thinking': detail.get('text') or '', 'signature': detail.get('signature') or ''}


# ---------------------------------------------------------------------- the response


def decode_event(event: Json, draft: ResponseDraft) -> Json:
    """Return a body or an event with its signed thinking as `reasoning_details`."""
    match event:
        case {'choices': [{'message': {'thinking_blocks': [_, *_] as blocks} as message} as choice, *others]}:
            name = 'message'
        case {'choices': [{'delta': {'thinking_blocks': [_, *_] as blocks} as message} as choice, *others]}:
            name = 'delta'
        case _:
            return event
    if not any(block.keys() & {'signature', 'data', 'index'} for block in blocks):
        return event
    details = [decode_thinking_block(block, position) for position, block in enumerate(blocks)]
    return {**event, 'choices': [{**choice, name: {**message, 'reasoning_details': details}}, *others]}


def decode_thinking_block(block: Json, position: int) -> Json:
    """Decode a block of LiteLLM's as an item of `reasoning_details`."""
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
