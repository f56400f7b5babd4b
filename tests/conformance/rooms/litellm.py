"""LiteLLM, for the conformance suite: its dialect as client, Chat Completions as server."""

from __future__ import annotations

from functools import partial

from pydantic_llm.models.litellm import LiteLLMModel, LiteLLMModelSettings
from pydantic_llm.models.litellm.dialect import LITELLM
from pydantic_llm.models.openai.chat import serve
from pydantic_llm.testing.room import Features, Room
from tests.conformance.rooms import openai_chat

ROOM = Room(
    'litellm',
    lambda: LiteLLMModel('openai/gpt-4o', api_key='k'),
    partial(serve.decode_request, provider_name='litellm', dialect=LITELLM),
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'tool_call', 'content_filter'),
        arguments_as_text=True,
        any_order=False,
    ),
    openai_chat.ROOM.finish_reasons,
    ('choices', 0, 'finish_reason'),
    (),
    LiteLLMModelSettings,
    shared_fields={**openai_chat.ROOM.shared_fields, 'max_tokens': ('max_tokens',), 'top_k': ('top_k',)},
    own_fields={
        'litellm_reasoning_effort': ('low', ('reasoning_effort',)),
        'litellm_thinking': ({'type': 'enabled', 'budget_tokens': 2048}, ('thinking',)),
        'litellm_drop_params': (True, ('drop_params',)),
        'litellm_user': ('u', ('user',)),
        'litellm_metadata': ({'a': 'b'}, ('metadata',)),
        'litellm_modalities': (['text'], ('modalities',)),
        'litellm_audio': ({'voice': 'alloy'}, ('audio',)),
        'litellm_verbosity': ('low', ('verbosity',)),
        'litellm_web_search_options': ({}, ('web_search_options',)),
        'litellm_prompt_cache_key': ('k', ('prompt_cache_key',)),
    },
)
