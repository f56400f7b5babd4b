"""`Dialect`: the differences between a vendor's API and OpenAI's that hold for all of its models.

A vendor that speaks Chat Completions in a dialect has a room with one `Dialect`, and no `encode` or `decode` of its
own. What changes with the model's name is in its profile instead (`profiles.openai.OpenAIModelProfile`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ....json_types import Json
from ....messages import FinishReason
from ....profiles.history import UNKNOWN_SERVER, HistoryRules
from ....streaming.draft import ResponseDraft
from ....wire.prepare import PreparedRequest
from ..content_filter import is_content_filter_error
from .finish_reasons import FINISH_REASONS, OTHER_REASONS
from .settings import ALWAYS_SUPPORTED, OWN_SETTINGS, SETTINGS

HISTORY = replace(UNKNOWN_SERVER, files_in_results=False)
"""What a server of Chat Completions accepts in past messages. Tool messages are text:
https://platform.openai.com/docs/api-reference/chat/create"""

EncodeBody = Callable[[Json, PreparedRequest], Json]
"""From a body in OpenAI's form to the vendor's."""

DecodeEvent = Callable[[Json, ResponseDraft], Json]
"""From a body or an event in the vendor's form to OpenAI's."""

DecodeNativeTools = Callable[[Json, ResponseDraft], None]
"""Decodes the vendor's own tools at work from a message or a delta."""

IsResponse = Callable[[object], bool]
"""Returns whether the body of an error is a response that the decoder understands."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The differences between a vendor's API and OpenAI's. Without arguments: OpenAI's own API."""

    title: str = 'The Chat Completions API'
    """The API's name, for errors."""
    path: str = '/chat/completions'
    """The path of requests, below the provider's base URL."""
    settings: Mapping[str, str] = field(default_factory=lambda: SETTINGS)
    """The shared settings that the API has -> the fields of its body."""
    own_settings: Mapping[str, str] = field(default_factory=lambda: OWN_SETTINGS)
    """The vendor's own settings -> the fields of its body."""
    always_supported: frozenset[str] = ALWAYS_SUPPORTED
    """The shared settings that the API supports without a field of their own."""
    finish_reasons: Mapping[str, FinishReason] = field(default_factory=dict[str, FinishReason])
    """The vendor's finish reasons that OpenAI does not have."""
    native_tools: frozenset[str] = frozenset()
    """The kinds of native tools that the API has; `encode_body` adds them to the body."""
    history_rules: HistoryRules = HISTORY
    """What the API accepts in past messages."""
    encode_body: EncodeBody | None = None
    """Changes the body last."""
    changes_messages: bool = True
    """False if `encode_body` neither reads nor changes the messages: then each is encoded once for all requests."""
    decode_event: DecodeEvent | None = None
    """Changes a body or an event first."""
    decode_native_tools: DecodeNativeTools | None = None
    """Decodes the vendor's own tools at work; their parts stand between thinking and text."""
    is_response: IsResponse = is_content_filter_error
    """Recognises the errors that are responses."""

    @cached_property
    def known_finish_reasons(self) -> Mapping[str, FinishReason]:
        """The finish reasons of all servers, and the vendor's own."""
        return {**FINISH_REASONS, **OTHER_REASONS, **self.finish_reasons}

    @property
    def supported(self) -> frozenset[str]:
        """All shared settings that the API supports."""
        return frozenset({*self.settings, *self.always_supported})


OPENAI = Dialect()
