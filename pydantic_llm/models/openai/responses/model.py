"""`OpenAIResponsesModel`, the class that sends requests to `POST /responses`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Unpack
from urllib.parse import quote

from ....exceptions import ModelHTTPError
from ....json_types import Json
from ....messages import ModelResponse
from ....profiles import ModelProfileSpec
from ....profiles.history import UNKNOWN_SERVER, HistoryRules
from ....profiles.openai import OpenAIModelProfile
from ....providers import ApiKey, Provider
from ....retries.budget import Budget
from ....settings import ModelSettings
from ....streaming.draft import ResponseDraft
from ....transport import Deadlines, RawRequest
from ....wire.model import CompactionApi, WireModel
from ....wire.prepare import PreparedRequest
from ....wire.token_count import TokenCountApi
from ... import check_allow_model_requests
from ...options import ServerOptions
from ..content_filter import is_content_filter_error
from ..history import limit_rules
from . import encode
from .compaction import encode_compaction_request
from .decode import ResponsesDecoder
from .encode_response import SEND_IDS
from .settings import SUPPORTED, OpenAIResponsesModelSettings
from .token_count import encode_token_count

if TYPE_CHECKING:
    from ....wire.batch_api import BatchApi
    from ...model_names import OpenAIModelName, OpenAIProviderName


LONGEST_ID = 64
"""The most characters of a tool call's id at OpenAI."""


class OpenAIResponsesModel(WireModel[OpenAIModelProfile]):
    """A model behind the Responses API, OpenAI's or any other server's.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's.
    """

    supported_settings = SUPPORTED
    settings_prefix = 'openai_'
    settings_type: ClassVar[type | None] = OpenAIResponsesModelSettings
    profile_type = OpenAIModelProfile
    api_name = 'a response of the Responses API'

    def __init__(
        self,
        model_name: OpenAIModelName | None = None,
        *,
        provider: Provider[Any] | OpenAIProviderName = 'openai',
        api_key: ApiKey | None = None,
        settings: OpenAIResponsesModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **options)

    encodes_items = True
    response_fields: ClassVar[Sequence[str]] = ('provider_response_id',)
    message_settings: ClassVar[Sequence[str]] = (SEND_IDS,)
    history_rules: ClassVar[HistoryRules] = replace(UNKNOWN_SERVER, compactions='encrypted')
    token_count_api: ClassVar[TokenCountApi | None] = TokenCountApi(encode_token_count, field='input_tokens')
    compaction_api: ClassVar[CompactionApi | None] = CompactionApi(encode_compaction_request, path='/responses/compact')

    def get_history_rules(self) -> HistoryRules:
        """Return the rules of the server; OpenAI's own are stricter than those of others."""
        return limit_rules(super().get_history_rules(), self.system, id_length=LONGEST_ID)

    def get_batch_api(self) -> BatchApi | None:
        from .batch import BATCH_APIS

        return BATCH_APIS.get(self.system)

    def path(self, request: PreparedRequest) -> str:
        return '/responses'

    def encode(self, request: PreparedRequest) -> Json:
        return encode.encode(request, self.profile)

    def new_decoder(self, draft: ResponseDraft) -> ResponsesDecoder:
        return ResponsesDecoder(draft, self.profile)

    def response_in_error(self, error: ModelHTTPError) -> Json | None:
        """Return the error body if it reports that a content filter blocked the response."""
        body: Any = error.body
        return body if is_content_filter_error(body) else None

    async def retrieve(self, response_id: str, model_settings: ModelSettings | None = None) -> ModelResponse:
        """Return the stored response with this id, such as one that is generated in the background.

        Until that is finished, its `state` is `'incomplete'`. Raises what `request` raises, also for a response that
        failed, and `NotFoundError` if no response with this id is stored.
        """
        check_allow_model_requests()
        settings = self.merged_settings(model_settings)
        path, headers = f'/responses/{quote(response_id, safe="")}', settings.get('extra_headers', {})
        deadlines = Deadlines.from_settings(settings)
        raw = RawRequest(path, b'', self.model_name, headers, deadlines, 'GET')
        return await self._request_body(raw, Budget.of(settings))
