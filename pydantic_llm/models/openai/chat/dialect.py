"""In which ways a vendor's API differs from OpenAI's, whichever model answers: what the dialects are made of.

A vendor that speaks Chat Completions in a dialect has a room with one `Dialect`, and no `encode`, `decode` or `serve`
of its own. What changes with the model's name stands in its profile instead (`profiles.openai.OpenAIModelProfile`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ....json_types import Json
from ....messages import FinishReason
from ....streaming.draft import ResponseDraft
from ....wire.prepare import PreparedRequest
from .._content_filter import is_filtered
from .settings import ALWAYS_SUPPORTED, OWN_SETTINGS, SETTINGS

LONGEST_ID = 40
"""How long the id of a call may be at OpenAI's; other servers make longer ones themselves."""

LIMITS_IDS = frozenset({'openai', 'azure'})
"""Where that limit holds."""

Speak = Callable[[Json, PreparedRequest], Json]
"""From a body as OpenAI wants it to the body that the vendor wants."""

Hear = Callable[[Json, ResponseDraft], Json]
"""From a body or an event as the vendor sends it to one as OpenAI would have sent it."""

HearTools = Callable[[Json, ResponseDraft], None]
"""Reads what a message, or a piece of one, tells of the vendor's own tools at work."""

IsAnswer = Callable[[object], bool]
"""Whether the body of an error is an answer, which `hear` or `decode` understands."""


def _accepts(id: str, system: str) -> bool:
    return len(id) <= LONGEST_ID or system not in LIMITS_IDS


def _make_id(number: int) -> str:
    return f'call_{number}'


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a vendor's API differs from OpenAI's."""

    title: str = 'The Chat Completions API'
    """What the API is called, for errors."""
    settings: Mapping[str, str] = field(default_factory=lambda: SETTINGS)
    """The shared settings that the API has, and its names for them."""
    own_settings: Mapping[str, str] = field(default_factory=lambda: OWN_SETTINGS)
    """The vendor's own settings, and the fields of the body that they are."""
    always_supported: frozenset[str] = ALWAYS_SUPPORTED
    """The shared settings that are no field of their own and that the API has as well."""
    finish_reasons: Mapping[str, FinishReason] = field(default_factory=dict[str, FinishReason])
    """The vendor's own words for the end, beside OpenAI's."""
    native_tools: frozenset[str] = frozenset()
    """The kinds of native tools that the API has; `speak` puts them into the body."""
    accepts_id: Callable[[str, str], bool] = _accepts
    """Whether the vendor called so takes an id for a call."""
    make_id: Callable[[int], str] = _make_id
    """An id that it takes, for the call with this number."""
    speak: Speak | None = None
    """The last word on a body."""
    hear: Hear | None = None
    """The first look at a body or an event."""
    hear_tools: HearTools | None = None
    """Reads the vendor's own tools at work; their place is between the thoughts and the text."""
    is_answer: IsAnswer = is_filtered
    """Tells the errors that are answers."""

    @property
    def supported(self) -> frozenset[str]:
        """The shared settings that the API has."""
        return frozenset({*self.settings, *self.always_supported})


OPENAI = Dialect()
"""OpenAI's own."""
