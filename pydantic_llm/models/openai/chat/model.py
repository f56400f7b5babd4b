"""`POST /chat/completions`: the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....messages import AudioUrl, DocumentUrl, FileUrl
from ....profiles import ModelProfileSpec
from ....profiles.openai import OpenAIModelProfile
from ....providers import Provider, choose_provider
from ..._draft import ResponseDraft
from ..._prepare import PreparedRequest
from ..._wire import Json, WireModel
from . import decode, encode
from .settings import SUPPORTED, OpenAIChatModelSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class OpenAIChatModel(WireModel):
    """A model behind the Chat Completions API, OpenAI's or any other server's.

    `provider` is a `Provider` or the name of one ('openai', 'deepseek', 'ollama', ...); `api_key` is a shortcut for the
    provider's. Raises `UserError` where the key is missing.
    """

    supported_settings = SUPPORTED
    settings_prefix = 'openai_'
    own_settings = frozenset(OpenAIChatModelSettings.__annotations__)
    profile_type = OpenAIModelProfile
    api_name = 'a chat completion'

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[AsyncOpenAI] | str = 'openai',
        api_key: str | None = None,
        settings: OpenAIChatModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        super().__init__(model_name, provider=choose_provider(provider, api_key), settings=settings, profile=profile)

    @property
    def chat_profile(self) -> OpenAIModelProfile:
        """What the model and its server can do."""
        return OpenAIModelProfile.of(self.profile)

    def path(self, request: PreparedRequest) -> str:
        """Where the request goes."""
        return '/chat/completions'

    def encode(self, request: PreparedRequest) -> Json:
        """The request's body."""
        return encode.encode(request, self.chat_profile)

    def decode(self, body: Json, draft: ResponseDraft) -> None:
        """Read a whole answer."""
        decode.decode(body, draft, self.chat_profile)

    def decode_event(self, event: Json, draft: ResponseDraft) -> None:
        """Read a chunk."""
        decode.decode_event(event, draft, self.chat_profile)

    def decode_end(self, draft: ResponseDraft) -> None:
        """The stream is over."""
        decode.decode_end(draft, self.chat_profile)

    def must_download(self, url: FileUrl) -> bool:
        """The API takes images by their address, and nothing else."""
        documents = isinstance(url, DocumentUrl) and not self.chat_profile.openai_document_url
        return isinstance(url, AudioUrl) or documents


OpenAIModel = OpenAIChatModel
