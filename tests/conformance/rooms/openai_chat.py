"""Chat Completions, for the conformance suite."""

from __future__ import annotations

from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.models.openai.chat import serve
from pydantic_llm.models.openai.chat.finish_reasons import FINISH_REASONS
from pydantic_llm.models.openai.chat.settings import OpenAIChatModelSettings
from pydantic_llm.testing.room import Features, Room

ROOM = Room(
    'openai-chat',
    lambda: OpenAIModel('gpt-4o', api_key='k'),
    serve.decode_request,
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'tool_call', 'content_filter'),
        arguments_as_text=True,
        any_order=False,
        tool_call_ids='.{1,40}',
    ),
    FINISH_REASONS,
    ('choices', 0, 'finish_reason'),
    (),
    OpenAIChatModelSettings,
    shared_fields={
        'max_tokens': ('max_completion_tokens',),
        'temperature': ('temperature',),
        'top_p': ('top_p',),
        'top_k': (),
        'parallel_tool_calls': ('parallel_tool_calls',),
        'tool_choice': ('tool_choice',),
        'seed': ('seed',),
        'presence_penalty': ('presence_penalty',),
        'frequency_penalty': ('frequency_penalty',),
        'logit_bias': ('logit_bias',),
        'logprobs': ('logprobs',),
        'top_logprobs': ('top_logprobs',),
        'stop_sequences': ('stop',),
        'cache': ('prompt_cache_key',),
        'thinking': (),
        'service_tier': ('service_tier',),
        'constraint': ('response_format',),
    },
    own_fields={
        'openai_reasoning_effort': ('low', ('reasoning_effort',)),
        'openai_logprobs': (True, ('logprobs',)),
        'openai_top_logprobs': (2, ('top_logprobs',)),
        'openai_user': ('u', ('user',)),
        'openai_safety_identifier': ('s', ('safety_identifier',)),
        'openai_service_tier': ('flex', ('service_tier',)),
        'openai_prediction': ({'type': 'content', 'content': 'x'}, ('prediction',)),
        'openai_store': (True, ('store',)),
        'openai_metadata': ({'a': 'b'}, ('metadata',)),
        'openai_verbosity': ('low', ('verbosity',)),
        'openai_modalities': (['text'], ('modalities',)),
        'openai_audio': ({'voice': 'alloy'}, ('audio',)),
        'openai_prompt_cache_key': ('k', ('prompt_cache_key',)),
        'openai_prompt_cache_options': ({'mode': 'explicit'}, ('prompt_cache_options',)),
        'openai_prompt_cache_retention': ('24h', ('prompt_cache_retention',)),
        'openai_web_search_options': ({}, ('web_search_options',)),
        'openai_moderation': ({'model': 'm'}, ('moderation',)),
    },
)
