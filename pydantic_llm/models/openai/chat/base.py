"""`ChatModel`: the base of every model behind Chat Completions, in any dialect. `model` is OpenAI's own class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ....exceptions import ModelHTTPError
from ....json_types import Json
from ....messages import AudioUrl, DocumentUrl, FileUrl
from ....messages.media_types import is_text
from ....profiles.history import HistoryRules
from ....profiles.openai import OpenAIModelProfile
from ....streaming.draft import ResponseDraft
from ....wire.model import WireModel
from ....wire.prepare import PreparedRequest
from ..history import limit_rules
from . import encode
from .decode import ChatDecoder
from .dialect import OPENAI, Dialect

LONGEST_ID = 40
"""The most characters of a tool call's id at OpenAI; other servers make longer ids themselves."""


class ChatModel(WireModel[OpenAIModelProfile]):
    """A model behind the Chat Completions API. Subclasses name the dialect and the default provider."""

    dialect: Dialect = OPENAI
    """The differences between the vendor's API and OpenAI's."""
    history_rules: ClassVar[HistoryRules] = OPENAI.history_rules
    profile_type = OpenAIModelProfile
    api_name = 'a chat completion'
    encodes_items = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if 'history_rules' not in vars(cls):
            cls.history_rules = cls.dialect.history_rules

    def get_history_rules(self) -> HistoryRules:
        """Return the rules of the server; OpenAI's own are stricter than those of others."""
        return limit_rules(super().get_history_rules(), self.system, id_length=LONGEST_ID)

    def _describe_messages(self, roles: Mapping[str, str], flatten: bool | None) -> Mapping[str, Any] | None:
        facts: Json = {}
        if roles:
            of_developer = {'developer': roles['system']} if 'system' in roles else {}
            facts['openai_role_conversions'] = {**of_developer, **roles}
        if flatten is not None:
            facts['openai_flatten_content'] = flatten
        return facts

    def path(self, request: PreparedRequest) -> str:
        """Return the path that the dialect names."""
        return self.dialect.path

    def encode(self, request: PreparedRequest) -> Json:
        """Encode the body in the dialect."""
        return encode.encode(request, self.profile, self.dialect)

    def new_decoder(self, draft: ResponseDraft) -> ChatDecoder:
        """Return a decoder in the dialect."""
        return ChatDecoder(draft, self.profile, self.dialect)

    def response_in_error(self, error: ModelHTTPError) -> Json | None:
        """Return the response that the error body contains, if any."""
        body: Any = error.body
        return body if self.dialect.is_response(body) else None

    def must_download(self, url: FileUrl) -> bool:
        """Return whether the file must be sent as bytes. The API fetches images only.

        A kind of file that the API accepts in no form is not downloaded: `encode` refuses it.
        https://platform.openai.com/docs/guides/pdf-files
        """
        profile = self.profile
        if isinstance(url, DocumentUrl):
            may_be_text = not url.media_type or is_text(url.media_type)
            return not profile.openai_document_url and (profile.openai_documents or may_be_text)
        return isinstance(url, AudioUrl) and profile.openai_audio
