"""`BedrockConverseModel`: a model behind `POST /model/{model}/converse` and `/converse-stream`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack
from urllib.parse import quote

from ...json_types import Json
from ...messages import FileUrl, VideoUrl
from ...profiles import ModelProfileSpec
from ...profiles.bedrock import BedrockModelProfile
from ...profiles.history import NAME, HistoryRules
from ...providers import ApiKey, Provider
from ...streaming.draft import ResponseDraft
from ...wire.model import WireModel
from ...wire.prepare import PreparedRequest
from ...wire.token_count import TokenCountApi
from ..options import ServerOptions
from . import encode
from .decode import BedrockDecoder
from .settings import SUPPORTED, BedrockModelSettings
from .token_count import encode_token_count

if TYPE_CHECKING:
    from ..model_names import BedrockModelName

HISTORY = HistoryRules(
    malformed_arguments=False,
    tool_names=NAME,  # `ToolName` in botocore's model of the service; opencode#48750
    given_names=NAME,
    call_ids=r'[a-zA-Z0-9_.:-]{1,64}',  # `ToolUseId` in botocore's model of the service
    call_id_format='tooluse_{}',
    empty_results=False,
    blank_text='refused',  # hermes-agent#63983
    trailing_whitespace=False,  # langchain-aws#532
    files_in_errors=False,  # "all content must be type text if is_error is true": vellum-ai/vellum-assistant#18387
)
"""What the Converse API accepts in past messages. `turns` has the order of blocks, which differs between families."""


class BedrockConverseModel(WireModel[BedrockModelProfile]):
    """A model at Amazon Bedrock, by its id, the id of an inference profile (`us.anthropic.claude-...`) or an ARN.

    `provider` is a `Provider` or the name of one; `api_key` is a shortcut for the provider's. Raises `UserError` if the
    region is missing.
    """

    supported_settings = SUPPORTED
    settings_prefix = 'bedrock_'
    settings_type: ClassVar[type | None] = BedrockModelSettings
    history_rules = HISTORY
    profile_type = BedrockModelProfile
    token_count_api: ClassVar[TokenCountApi | None] = TokenCountApi(encode_token_count, field='inputTokens')
    api_name = 'a Converse response'

    def __init__(
        self,
        model_name: BedrockModelName | None = None,
        *,
        provider: Provider[Any] | str = 'bedrock',
        api_key: ApiKey | None = None,
        settings: BedrockModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(model_name, provider=provider, api_key=api_key, settings=settings, profile=profile, **options)

    def path(self, request: PreparedRequest) -> str:
        name = request.options.get('bedrock_inference_profile', request.model_name)
        return f'/model/{quote(str(name), safe="")}/converse{"-stream" if request.stream else ""}'

    def encode(self, request: PreparedRequest) -> Json:
        return encode.encode(request, self.profile)

    def new_decoder(self, draft: ResponseDraft) -> BedrockDecoder:
        return BedrockDecoder(draft)

    def must_download(self, url: FileUrl) -> bool:
        """Return whether the file must be sent as bytes. The API reads URLs in S3 only; a YouTube page is not a file.

        https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_S3Location.html
        """
        return not (url.url.startswith(('s3://', 'data:')) or (isinstance(url, VideoUrl) and url.is_youtube))
