"""`POST /v1/messages`: the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...json_types import Json
from ...messages import DocumentUrl, FileUrl
from ...messages.content import is_text
from ...profiles import ModelProfileSpec
from ...profiles.anthropic import AnthropicModelProfile
from ...providers import Provider, choose_provider
from ...streaming.draft import ResponseDraft
from ...transport import RawRequest
from ...wire.decoder import FunctionDecoder, ResponseDecoder
from ...wire.model import WireModel
from ...wire.prepare import PreparedRequest
from . import decode, encode
from .options import betas
from .settings import SUPPORTED, AnthropicModelSettings

BETAS = 'anthropic-beta'
"""The header that names betas, with commas between them."""


class AnthropicModel(WireModel[AnthropicModelProfile]):
    """A model behind the Messages API, Anthropic's or any other server's.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` where
    the key is missing.
    """

    supported_settings = SUPPORTED
    settings_prefix = 'anthropic_'
    own_settings = frozenset(AnthropicModelSettings.__annotations__)
    profile_type = AnthropicModelProfile
    api_name = 'a message'

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'anthropic',
        api_key: str | None = None,
        settings: AnthropicModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        super().__init__(model_name, provider=choose_provider(provider, api_key), settings=settings, profile=profile)

    def path(self, request: PreparedRequest) -> str:
        """Where the request goes."""
        return '/v1/messages'

    def encode(self, request: PreparedRequest) -> Json:
        """The request's body."""
        return encode.encode(request, self.profile)

    def new_decoder(self, draft: ResponseDraft) -> ResponseDecoder:
        """Return a decoder for one response."""
        return FunctionDecoder(draft, decode.decode, decode.decode_event)

    def must_download(self, url: FileUrl) -> bool:
        """The API reads images and PDF by their address. Text must be sent, and what is not known may be text."""
        readable = url.url.startswith('data:') or not (url.media_type is None or is_text(url.media_type))
        return isinstance(url, DocumentUrl) and not readable

    def _encode_request(self, request: PreparedRequest) -> RawRequest:
        """The request as bytes; betas of the client and of `extra_headers` join its own, since a header stands once."""
        raw = super()._encode_request(request)
        own = betas(request, self.profile)
        of_client = getattr(self.client, 'default_headers', None) or self.client.headers  # an SDK's, or of httpx
        names = [*_betas(of_client), *own, *_betas(raw.headers)]
        others = {name: value for name, value in raw.headers.items() if name.lower() != BETAS}
        return replace(raw, headers={**others, BETAS: ','.join(dict.fromkeys(names))}) if names else raw


def _betas(headers: Mapping[str, Any]) -> list[str]:
    """The betas that headers name, in whatever case."""
    values = (value for name, value in headers.items() if name.lower() == BETAS and isinstance(value, str))
    return [beta.strip() for value in values for beta in value.split(',') if beta.strip()]
