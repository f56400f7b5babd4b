"""`AcmeChatModel`: Acme's Chat Completions API, which differs from OpenAI's in a few fields: one `Dialect`."""

from __future__ import annotations

from typing import Any

from pydantic_llm.providers import Provider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.settings import ModelSettings
from pydantic_llm.wire import ChatModel, Dialect, PreparedRequest, ResponseDraft

Json = dict[str, Any]

OWN_SETTINGS = {'acmechat_tone': 'tone'}


class AcmeChatModelSettings(ModelSettings, total=False):
    """Settings of a request to Acme's Chat Completions API."""

    acmechat_tone: str
    """The tone of the response: 'formal' or 'casual'."""


def encode_body(body: Json, request: PreparedRequest) -> Json:
    """Change a body in OpenAI's form: Acme's field for the stop sequences has another name."""
    return {('stop_at' if name == 'stop' else name): value for name, value in body.items()}


def decode_event(event: Json, draft: ResponseDraft) -> Json:
    """Change a body or a chunk to OpenAI's form: Acme reports the number of the queue that the request waited in."""
    if 'queue' in event:
        draft.provider_details['queue'] = event['queue']
    return event


ACME_CHAT = Dialect(
    title="Acme's Chat Completions API",
    own_settings=OWN_SETTINGS,
    finish_reasons={'quota': 'length'},
    encode_body=encode_body,
    decode_event=decode_event,
)


class AcmeChatModel(ChatModel):
    """A model behind Acme's Chat Completions API."""

    dialect = ACME_CHAT
    supported_settings = ACME_CHAT.supported
    settings_prefix = 'acmechat_'
    settings_type = AcmeChatModelSettings
    own_settings = frozenset(OWN_SETTINGS)

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | None = None,
        api_key: str | None = None,
        settings: AcmeChatModelSettings | None = None,
    ) -> None:
        provider = provider or OpenAIProvider(base_url='https://chat.acme.example/v1', api_key=api_key)
        super().__init__(model_name, provider=provider, settings=settings)
