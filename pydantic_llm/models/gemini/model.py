"""`POST /models/{model}:generateContent`: the card."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ...exceptions import UserError
from ...json_types import Json
from ...messages import FileUrl, VideoUrl
from ...profiles import ModelProfileSpec
from ...profiles.gemini import GeminiModelProfile
from ...providers import Provider, choose_provider
from ...streaming.draft import ResponseDraft
from ...wire.decoder import FunctionDecoder, ResponseDecoder
from ...wire.model import WireModel
from ...wire.prepare import PreparedRequest
from . import decode, encode
from .native_tools import VERTEX
from .options import queue_headers
from .settings import SUPPORTED, GeminiModelSettings

KINDS = ('models/', 'tunedModels/', 'publishers/', 'projects/', 'endpoints/')
"""What a name that says which kind of model it is begins with."""

UNSAFE = frozenset('?&#%\\ ')
"""What a name cannot hold, since it becomes a part of an address."""

ALREADY_THERE = ('https://generativelanguage.googleapis.com/', 'gs://', 'data:')
"""What the addresses of files begin with that Google holds itself, or that are in the address."""


class GeminiModel(WireModel[GeminiModelProfile]):
    """A model behind the Gemini API.

    `provider` is `'google-gla'` (the Generative Language API), `'google-vertex'`, or a ready provider; `api_key` is a
    shortcut for the provider's.
    """

    supported_settings = SUPPORTED
    settings_prefix = 'gemini_'
    own_settings = frozenset(GeminiModelSettings.__annotations__)
    profile_type = GeminiModelProfile
    api_name = 'a generateContent response'

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str = 'google-gla',
        api_key: str | None = None,
        settings: GeminiModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        if '..' in model_name or not UNSAFE.isdisjoint(model_name) or not model_name.isprintable():
            raise UserError(f'{model_name!r} is no name of a model: it would lead to another address')
        super().__init__(model_name, provider=choose_provider(provider, api_key), settings=settings, profile=profile)

    def path(self, request: PreparedRequest) -> str:
        """Where the request goes."""
        verb = 'streamGenerateContent?alt=sse' if request.stream else 'generateContent'
        return f'/{model_path(self.model_name, self.system)}:{verb}'

    def headers(self, request: PreparedRequest) -> dict[str, str]:
        """Vertex AI is told by a header which queue a request stands in."""
        return queue_headers(request)

    def encode(self, request: PreparedRequest) -> Json:
        """The request's body."""
        return encode.encode(request, self.profile)

    def new_decoder(self, draft: ResponseDraft) -> ResponseDecoder:
        """Return a decoder for one response."""
        return FunctionDecoder(draft, decode.decode, decode.decode_event, decode.decode_end)

    def must_download(self, url: FileUrl) -> bool:
        """The Generative Language API reads its own files and YouTube; Vertex AI reads any address."""
        if self.system == VERTEX or url.url.startswith(ALREADY_THERE):
            return False
        return not (isinstance(url, VideoUrl) and url.is_youtube)


def model_path(model_name: str, system: str) -> str:
    """The address of a model below the API's own: its name, with the kind of model in front unless it says that."""
    name = quote(model_name, safe='/:@')
    if name.startswith(KINDS):
        return name
    if system != VERTEX:
        return f'models/{name}'
    publisher, slash, rest = name.partition('/')
    return f'publishers/{publisher}/models/{rest}' if slash else f'publishers/google/models/{name}'
