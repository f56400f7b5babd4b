"""What every model behind Chat Completions does, in whichever dialect. `model` is OpenAI's own."""

from __future__ import annotations

from typing import Any, ClassVar

from ....exceptions import ModelHTTPError
from ....json_types import Json
from ....messages import AudioUrl, DocumentUrl, FileUrl
from ....messages.content import is_text
from ....profiles.openai import OpenAIModelProfile
from ....streaming.draft import ResponseDraft
from ....wire.model import WireModel
from ....wire.prepare import PreparedRequest
from . import decode, encode
from .dialect import OPENAI, Dialect


class ChatModel(WireModel):
    """A model behind the Chat Completions API. Subclasses say which dialect of it, and who answers."""

    dialect: ClassVar[Dialect] = OPENAI
    """How the vendor's API differs from OpenAI's."""
    profile_type = OpenAIModelProfile
    api_name = 'a chat completion'

    @property
    def chat_profile(self) -> OpenAIModelProfile:
        """What the model and its server can do."""
        return OpenAIModelProfile.of(self.profile)

    def path(self, request: PreparedRequest) -> str:
        """Where the request goes."""
        return '/chat/completions'

    def encode(self, request: PreparedRequest) -> Json:
        """The request's body."""
        return encode.encode(request, self.chat_profile, self.dialect)

    def decode(self, body: Json, draft: ResponseDraft) -> None:
        """Read a whole answer."""
        decode.decode(body, draft, self.chat_profile, self.dialect)

    def decode_event(self, event: Json, draft: ResponseDraft) -> None:
        """Read a chunk."""
        decode.decode_event(event, draft, self.chat_profile, self.dialect)

    def decode_end(self, draft: ResponseDraft) -> None:
        """The stream is over."""
        decode.decode_end(draft, self.chat_profile)

    def answer_in(self, error: ModelHTTPError) -> Json | None:
        """The answer that an error holds."""
        body: Any = error.body
        return body if self.dialect.is_answer(body) else None

    def must_download(self, url: FileUrl) -> bool:
        """The API takes images by their address, and nothing else. What it takes in no form is refused, not fetched."""
        profile = self.chat_profile
        if isinstance(url, DocumentUrl):
            may_be_text = not url.media_type or is_text(url.media_type)
            return not profile.openai_document_url and (profile.openai_documents or may_be_text)
        return isinstance(url, AudioUrl) and profile.openai_audio
