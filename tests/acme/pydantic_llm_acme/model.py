"""`AcmeModel`: the model behind Acme's own API, `POST /generate`."""

from __future__ import annotations

from typing import Any

from pydantic_llm.messages import FileUrl, ImageUrl
from pydantic_llm.profiles import ModelProfile
from pydantic_llm.providers import Provider
from pydantic_llm.settings import ModelSettings
from pydantic_llm.wire import PreparedRequest, ResponseDraft, WireModel

from . import encode
from .decode import AcmeDecoder
from .provider import AcmeProvider


class AcmeModelSettings(ModelSettings, total=False):
    """Settings of a request to Acme."""

    acme_tone: str
    """The tone of the response: 'formal' or 'casual'."""


class AcmeModel(WireModel[ModelProfile]):
    """A model behind Acme's API."""

    supported_settings = frozenset({*encode.SETTINGS, 'tool_choice'})
    settings_prefix = 'acme_'
    settings_type = AcmeModelSettings
    own_settings = frozenset(encode.OWN_SETTINGS)
    profile_type = ModelProfile
    api_name = 'a generation'

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | None = None,
        api_key: str | None = None,
        settings: AcmeModelSettings | None = None,
    ) -> None:
        profile = ModelProfile(supports_json_schema_output=True)
        super().__init__(
            model_name, provider=provider or AcmeProvider(api_key=api_key), settings=settings, profile=profile
        )

    def path(self, request: PreparedRequest) -> str:
        """Return the path."""
        return '/generate'

    def encode(self, request: PreparedRequest) -> dict[str, Any]:
        """Encode the body."""
        return encode.encode(request)

    def new_decoder(self, draft: ResponseDraft) -> AcmeDecoder:
        """Return a decoder for one response."""
        return AcmeDecoder(draft)

    def must_download(self, url: FileUrl) -> bool:
        """Return whether the file must be sent as bytes. The API fetches images only."""
        return not isinstance(url, ImageUrl)
