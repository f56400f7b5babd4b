"""Cohere's Chat API, for the conformance suite."""

from __future__ import annotations

from pydantic_llm.models.cohere import CohereModel, serve
from pydantic_llm.models.cohere.decode import FINISH_REASONS
from pydantic_llm.models.cohere.settings import CohereModelSettings
from pydantic_llm.testing.room import Features, Room

ROOM = Room(
    'cohere',
    lambda: CohereModel('command-a-plus-05-2026', api_key='k'),
    serve.decode_request,
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'tool_call'),
        arguments_as_text=True,
        any_order=False,
        thinking_ids=(None, 'tool_plan'),
        has_model_name=False,
        usage_counts=('input_tokens', 'cache_read_tokens', 'output_tokens'),
    ),
    FINISH_REASONS,
    ('finish_reason',),
    ('message', 'content'),
    CohereModelSettings,
    shared_fields={
        'max_tokens': ('max_tokens',),
        'temperature': ('temperature',),
        'top_p': ('p',),
        'top_k': ('k',),
        'parallel_tool_calls': (),
        'tool_choice': ('tool_choice',),
        'seed': ('seed',),
        'presence_penalty': ('presence_penalty',),
        'frequency_penalty': ('frequency_penalty',),
        'logit_bias': (),
        'logprobs': ('logprobs',),
        'top_logprobs': (),
        'stop_sequences': ('stop_sequences',),
        'cache': (),
        'thinking': ('thinking',),
        'service_tier': (),
        'constraint': (),
    },
    own_fields={
        'cohere_thinking': ({'type': 'enabled', 'token_budget': 500}, ('thinking',)),
        'cohere_documents': (['The sky is blue.'], ('documents',)),
        'cohere_citation_options': ({'mode': 'FAST'}, ('citation_options',)),
        'cohere_safety_mode': ('STRICT', ('safety_mode',)),
        'cohere_priority': (5, ('priority',)),
        'cohere_strict_tools': (True, ('strict_tools',)),
    },
)
