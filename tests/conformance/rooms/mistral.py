"""Mistral, for the conformance suite: its dialect on both sides."""

from __future__ import annotations

from pydantic_llm.models.mistral import MistralModel, MistralModelSettings, serve
from pydantic_llm.models.mistral.dialect import FINISH_REASONS
from pydantic_llm.testing.room import Features, Room
from tests.conformance.rooms import openai_chat

ROOM = Room(
    'mistral',
    lambda: MistralModel('mistral-small-latest', api_key='k'),
    serve.decode_request,
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'tool_call', 'content_filter'),
        arguments_as_text=True,
        any_order=False,
        signatures=True,
        tool_call_ids='[a-zA-Z0-9]{9}',
        usage_counts=('input_tokens', 'cache_read_tokens', 'output_tokens'),
    ),
    openai_chat.ROOM.finish_reasons | FINISH_REASONS,
    ('choices', 0, 'finish_reason'),
    (),
    MistralModelSettings,
    shared_fields={
        'max_tokens': ('max_tokens',),
        'temperature': ('temperature',),
        'top_p': ('top_p',),
        'top_k': ('top_k',),
        'parallel_tool_calls': ('parallel_tool_calls',),
        'tool_choice': ('tool_choice',),
        'seed': ('random_seed',),
        'presence_penalty': ('presence_penalty',),
        'frequency_penalty': ('frequency_penalty',),
        'logit_bias': (),
        'logprobs': ('logprobs',),
        'top_logprobs': ('top_logprobs',),
        'stop_sequences': ('stop',),
        'cache': ('prompt_cache_key',),
        'thinking': ('reasoning_effort',),
        'service_tier': ('service_tier',),
        'constraint': ('response_format',),
    },
    own_fields={
        'mistral_reasoning_effort': ('high', ('reasoning_effort',)),
        'mistral_prompt_mode': ('reasoning', ('prompt_mode',)),
        'mistral_prompt_cache_key': ('k', ('prompt_cache_key',)),
        'mistral_prediction': ({'type': 'content', 'content': 'x'}, ('prediction',)),
        'mistral_guardrails': ([{'block_on_error': True}], ('guardrails',)),
        'mistral_safe_prompt': (True, ('safe_prompt',)),
        'mistral_min_tokens': (5, ('min_tokens',)),
        'mistral_repetition_penalty': (1.1, ('repetition_penalty',)),
        'mistral_prompt_logprobs': (True, ('prompt_logprobs',)),
        'mistral_top_prompt_logprobs': (2, ('top_prompt_logprobs',)),
        'mistral_service_tier': ('auto', ('service_tier',)),
        'mistral_metadata': ({'a': 'b'}, ('metadata',)),
    },
)
