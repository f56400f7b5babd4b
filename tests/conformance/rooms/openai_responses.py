"""Responses, for the conformance suite."""

from __future__ import annotations

from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.models.openai.responses import serve
from pydantic_llm.models.openai.responses.decode import FINISH_REASONS
from pydantic_llm.models.openai.responses.settings import OpenAIResponsesModelSettings
from pydantic_llm.testing.room import Features, Room

ROOM = Room(
    'openai-responses',
    lambda: OpenAIResponsesModel('gpt-5', api_key='k'),
    serve.decode_request,
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'content_filter'),
        arguments_as_text=True,
        any_order=True,
        signatures=True,
        pauses=True,
        item_ids=True,
        tool_call_ids='.{1,64}',
    ),
    FINISH_REASONS,
    ('incomplete_details', 'reason'),
    ('output',),
    OpenAIResponsesModelSettings,
    shared_fields={
        'max_tokens': ('max_output_tokens',),
        'temperature': (),
        'top_p': (),
        'top_k': (),
        'parallel_tool_calls': ('parallel_tool_calls',),
        'tool_choice': ('tool_choice',),
        'seed': (),
        'presence_penalty': (),
        'frequency_penalty': (),
        'logit_bias': (),
        'logprobs': (),
        'top_logprobs': (),
        'stop_sequences': (),
        'cache': ('prompt_cache_key',),
        'thinking': ('reasoning',),
        'service_tier': ('service_tier',),
        'constraint': (),
    },
    own_fields={
        'openai_reasoning_effort': ('low', ('reasoning',)),
        'openai_reasoning_summary': ('auto', ('reasoning',)),
        'openai_reasoning_context': ('auto', ('reasoning',)),
        'openai_send_reasoning_ids': (False, ('input',)),
        'openai_previous_response_id': ('r', ('previous_response_id',)),
        'openai_conversation_id': ('c', ('conversation',)),
        'openai_store': (True, ('store',)),
        'openai_background': (True, ('background',)),
        'openai_truncation': ('auto', ('truncation',)),
        'openai_text_verbosity': ('low', ('text',)),
        'openai_context_management': ([{'type': 'compaction'}], ('context_management',)),
        'openai_max_tool_calls': (2, ('max_tool_calls',)),
        'openai_native_tools': ([{'type': 'x'}], ('tools',)),
        'openai_include': (['web_search_call.results'], ('include',)),
        'openai_include_code_execution_outputs': (True, ('include',)),
        'openai_include_web_search_sources': (True, ('include',)),
        'openai_include_file_search_results': (True, ('include',)),
        'openai_logprobs': (True, ('include',)),
        'openai_top_logprobs': (2, ('top_logprobs',)),
        'openai_user': ('u', ('user',)),
        'openai_safety_identifier': ('s', ('safety_identifier',)),
        'openai_service_tier': ('flex', ('service_tier',)),
        'openai_metadata': ({'a': 'b'}, ('metadata',)),
        'openai_prompt_cache_key': ('k', ('prompt_cache_key',)),
        'openai_prompt_cache_options': ({'mode': 'explicit'}, ('prompt_cache_options',)),
        'openai_prompt_cache_retention': ('24h', ('prompt_cache_retention',)),
        'openai_moderation': ({'model': 'm'}, ('moderation',)),
    },
)
