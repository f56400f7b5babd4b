"""Both halves of Acme's API, for the conformance suite, with the facts that it has no defaults for."""

from __future__ import annotations

from pydantic_llm.testing.room import SHARED, Features, Room

from . import AcmeModel, AcmeModelSettings, serve
from .decode import FINISH_REASONS

ROOM = Room(
    'acme',
    lambda: AcmeModel('acme-1', api_key='k'),
    serve.decode_request,
    serve.encode_response,
    serve.StreamEncoder,
    Features(
        ('stop', 'length', 'tool_call', 'content_filter'),
        arguments_as_text=True,
        any_order=True,
        signatures=True,
        usage_counts=('input_tokens', 'cache_read_tokens', 'output_tokens'),
    ),
    FINISH_REASONS,
    ('finish',),
    ('parts',),
    AcmeModelSettings,
    shared_fields={
        **dict.fromkeys(SHARED, ()),
        'max_tokens': ('limit',),
        'temperature': ('temperature',),
        'stop_sequences': ('stop',),
        'tool_choice': ('use_tools',),
    },
    own_fields={'acme_tone': ('formal', ('tone',))},
)
