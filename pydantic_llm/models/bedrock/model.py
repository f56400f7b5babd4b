"""`POST /model/{model}/converse` and `/converse-stream`: the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ...json_types import Json
from ...messages import FileUrl, VideoUrl
from ...profiles import ModelProfileSpec
from ...profiles.bedrock import BedrockModelProfile
from ...providers import Provider, choose_provider
from ...streaming.draft import ResponseDraft
from ...wire.model import WireModel
from ...wire.prepare import PreparedRequest
from . import decode, encode
from .settings import SUPPORTED, BedrockModelSettings


class BedrockConverseModel(WireModel):
    """A model at Amazon Bedrock, by its id, an inference profile's (`us.anthropic.claude-...`) or an ARN.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` where
    the region is missing.
    """

    supported_settings = SUPPORTED
    settings_prefix = 'bedrock_'
    own_settings = frozenset(BedrockModelSettings.__annotations__)
    profile_type = BedrockModelProfile
    api_name = 'a Converse response'

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'bedrock',
        api_key: str | None = None,
        settings: BedrockModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        super().__init__(model_name, provider=choose_provider(provider, api_key), settings=settings, profile=profile)

    @property
    def bedrock_profile(self) -> BedrockModelProfile:
        """What the model can do."""
        return BedrockModelProfile.of(self.profile)

    def path(self, request: PreparedRequest) -> str:
        """Where the request goes."""
        called = dict(request.settings).get('bedrock_inference_profile', request.model_name)
        return f'/model/{quote(str(called), safe="")}/converse{"-stream" if request.stream else ""}'

    def encode(self, request: PreparedRequest) -> Json:
        """The request's body."""
        return encode.encode(request, self.bedrock_profile)

    def decode(self, body: Json, draft: ResponseDraft) -> None:
        """Read a whole answer."""
        decode.decode(body, draft)

    def decode_event(self, event: Json, draft: ResponseDraft) -> None:
        """Read an event."""
        decode.decode_event(event, draft)

    def decode_headers(self, headers: Mapping[str, str], draft: ResponseDraft) -> None:
        """Read the id of the answer."""
        draft.provider_response_id = headers.get(decode.REQUEST_ID)

    def must_download(self, url: FileUrl) -> bool:
        """The API reads files in S3 alone by their address. A page with a film is no file."""
        return not (url.url.startswith(('s3://', 'data:')) or (isinstance(url, VideoUrl) and url.is_youtube))
