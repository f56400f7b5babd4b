"""Messages, for the conformance suite."""

from __future__ import annotations

from pydantic_llm.models.anthropic import AnthropicModel, serve
from pydantic_llm.models.anthropic.decode import FINISH_REASONS
from pydantic_llm.models.anthropic.settings import AnthropicModelSettings
from pydantic_llm.testing.room import Features, Room

ROOM = Room(
    'anthropic',
    lambda: AnthropicModel('claude-sonnet-4-5', api_key='k'),
    serve.decode_request,
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'tool_call', 'content_filter'),
        arguments_as_text=False,
        any_order=True,
        signatures=True,
        pauses=True,
        tool_call_ids='[a-zA-Z0-9_-]+',
    ),
    FINISH_REASONS,
    ('stop_reason',),
    ('content',),
    AnthropicModelSettings,
    shared_fields={
        'max_tokens': ('max_tokens',),
        'temperature': ('temperature',),
        'top_p': ('top_p',),
        'top_k': ('top_k',),
        'parallel_tool_calls': ('tool_choice.disable_parallel_tool_use',),
        'tool_choice': ('tool_choice.type',),
        'seed': (),
        'presence_penalty': (),
        'frequency_penalty': (),
        'logit_bias': (),
        'logprobs': (),
        'top_logprobs': (),
        'stop_sequences': ('stop_sequences',),
        'cache': ('cache_control', 'system'),
        'thinking': ('thinking',),
        'service_tier': ('service_tier',),
        'constraint': (),
    },
    own_fields={
        'anthropic_metadata': ({'user_id': 'u'}, ('metadata',)),
        'anthropic_thinking': ({'type': 'enabled', 'budget_tokens': 2000}, ('thinking',)),
        'anthropic_effort': ('low', ('output_config',)),
        'anthropic_task_budget': ({'type': 'tokens', 'total': 9}, ('output_config', 'headers.anthropic-beta')),
        'anthropic_betas': (['b'], ('headers.anthropic-beta',)),
        'anthropic_service_tier': ('auto', ('service_tier',)),
        'anthropic_container': ('c', ('container',)),
        'anthropic_context_management': ({'edits': []}, ('context_management',)),
        'anthropic_cache': (True, ('cache_control',)),
        'anthropic_cache_instructions': (True, ('system',)),
        'anthropic_cache_tool_definitions': (True, ('tools',)),
        'anthropic_cache_messages': (True, ('messages',)),
        'anthropic_eager_input_streaming': (True, ('tools',)),
        'anthropic_speed': ('fast', ('speed', 'headers.anthropic-beta')),
        'anthropic_inference_geo': ('eu', ('inference_geo',)),
    },
)
