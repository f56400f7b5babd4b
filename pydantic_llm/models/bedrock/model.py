"""`POST /model/{model}/converse` and `/converse-stream`: the card."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ...json_types import Json
from ...messages import FileUrl, VideoUrl
from ...profiles import ModelProfileSpec
from ...profiles.bedrock import BedrockModelProfile
from ...providers import Provider, choose_provider
from ...streaming.draft import ResponseDraft
from ...wire.decoder import FunctionDecoder, ResponseDecoder
from ...wire.model import WireModel
from ...wire.prepare import PreparedRequest
from . import decode, encode
from .settings import SUPPORTED, BedrockModelSettings


class BedrockConverseModel(WireModel[BedrockModelProfile]):
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

    def path(self, request: PreparedRequest) -> str:
        """Where the request goes."""
        called = request.options.get('bedrock_inference_profile', request.model_name)
        return f'/model/{quote(str(called), safe="")}/converse{"-stream" if request.stream else ""}'

    def encode(self, request: PreparedRequest) -> Json:
        """The request's body."""
        return encode.encode(request, self.profile)

    def new_decoder(self, draft: ResponseDraft) -> ResponseDecoder:
        """Return a decoder for one response."""
        return FunctionDecoder(draft, decode.decode, decode.decode_event, None, decode.decode_headers)

    def must_download(self, url: FileUrl) -> bool:
        """The API reads files in S3 alone by their address. A page with a film is no file."""
        return not (url.url.startswith(('s3://', 'data:')) or (isinstance(url, VideoUrl) and url.is_youtube))
