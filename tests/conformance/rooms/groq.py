"""Groq, for the conformance suite: its dialect as client, Chat Completions as server."""

from __future__ import annotations

from functools import partial

from pydantic_llm.models.groq import GroqModel, GroqModelSettings
from pydantic_llm.models.groq.dialect import FINISH_REASONS, GROQ
from pydantic_llm.models.openai.chat import serve
from pydantic_llm.testing.room import Features, Room
from tests.conformance.rooms import openai_chat

ROOM = Room(
    'groq',
    lambda: GroqModel('meta-llama/llama-4-scout-17b-16e-instruct', api_key='k'),
    partial(serve.decode_request, provider_name='groq', dialect=GROQ),
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'tool_call', 'content_filter'),
        arguments_as_text=True,
        any_order=False,
    ),
    openai_chat.ROOM.finish_reasons | FINISH_REASONS,
    ('choices', 0, 'finish_reason'),
    (),
    GroqModelSettings,
    shared_fields={
        **openai_chat.ROOM.shared_fields,
        'cache': (),
        'max_tokens': ('max_tokens',),
        'constraint': ('response_format',),
        'presence_penalty': (),
        'frequency_penalty': (),
        'logit_bias': (),
        'logprobs': (),
        'top_logprobs': (),
    },
    own_fields={
        'groq_reasoning_format': ('hidden', ('reasoning_format',)),
        'groq_reasoning_effort': ('low', ('reasoning_effort',)),
        'groq_include_reasoning': (False, ('include_reasoning',)),
        'groq_service_tier': ('flex', ('service_tier',)),
        'groq_compound_custom': ({'models': {}}, ('compound_custom',)),
        'groq_search_settings': ({'country': 'germany'}, ('search_settings',)),
        'groq_documents': ([{'text': 't'}], ('documents',)),
        'groq_citation_options': ('enabled', ('citation_options',)),
        'groq_disable_tool_validation': (True, ('disable_tool_validation',)),
        'groq_metadata': ({'a': 'b'}, ('metadata',)),
        'groq_store': (False, ('store',)),
        'groq_user': ('u', ('user',)),
    },
)
