"""Hugging Face, for the conformance suite: its dialect as client, Chat Completions as server."""

from __future__ import annotations

from functools import partial

from pydantic_llm.models.huggingface import HuggingFaceModel, HuggingFaceModelSettings
from pydantic_llm.models.huggingface.dialect import FINISH_REASONS, HUGGINGFACE
from pydantic_llm.models.openai.chat import serve
from pydantic_llm.testing.room import Features, Room
from tests.conformance.rooms import openai_chat

ROOM = Room(
    'huggingface',
    lambda: HuggingFaceModel('meta-llama/Llama-4-Scout-17B-16E-Instruct', api_key='hf_k'),
    partial(serve.decode_request, provider_name='huggingface', dialect=HUGGINGFACE),
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
    HuggingFaceModelSettings,
    shared_fields={
        **openai_chat.ROOM.shared_fields,
        'cache': (),
        'max_tokens': ('max_tokens',),
        'parallel_tool_calls': (),
        'service_tier': (),
    },
    own_fields={
        'huggingface_reasoning_effort': ('low', ('reasoning_effort',)),
        'huggingface_tool_prompt': ('Tools:', ('tool_prompt',)),
    },
)
