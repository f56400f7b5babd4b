"""Acme's Chat Completions API, for the conformance suite: a dialect from outside the package."""

from __future__ import annotations

from pydantic_llm_acme.dialect import ACME_CHAT, AcmeChatModel, AcmeChatModelSettings

from pydantic_llm.models.openai.chat import serve
from pydantic_llm.testing.room import Json, Room
from tests.conformance.rooms import openai_chat


def decode_request(body: Json) -> serve.ServedRequest:
    """Decode a request in the dialect."""
    return serve.decode_request(body, provider_name='openai', dialect=ACME_CHAT)


ROOM = Room(
    'acme_chat',
    lambda: AcmeChatModel('acme-chat-1', api_key='k'),
    decode_request,
    serve.encode_response,
    serve.StreamEncoder,
    openai_chat.ROOM.features,
    openai_chat.ROOM.finish_reasons | ACME_CHAT.finish_reasons,
    openai_chat.ROOM.finish_reason_path,
    openai_chat.ROOM.parts_path,
    AcmeChatModelSettings,
    shared_fields={**openai_chat.ROOM.shared_fields, 'stop_sequences': ('stop_at',)},
    own_fields={'acmechat_tone': ('formal', ('tone',))},
)
