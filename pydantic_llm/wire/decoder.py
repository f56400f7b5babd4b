"""`ResponseDecoder`: what a room's `decode.py` implements, one object per response."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from ..exceptions import ModelAPIError
from ..json_types import Json
from ..streaming.draft import ResponseDraft
from ..transport.errors import error_from_event
from .repeats import Repeats


class ResponseDecoder(ABC):
    """Decodes one response, whole or streamed, into a draft.

    A decoder does no I/O. What it must remember from one event to the next are attributes of its own.
    """

    def __init__(self, draft: ResponseDraft) -> None:
        self.draft = draft
        """The response under construction."""
        self.repeats: Repeats = Repeats()
        """Decodes events that differ from the one before in their text alone, after `decode_event` remembered one."""

    def error_from(self, event: Json) -> ModelAPIError:
        """Return the error that a body or an event reports."""
        return error_from_event(event, model_name=self.draft.model_name, provider_name=self.draft.provider_name)

    def decode_headers(self, headers: Mapping[str, str]) -> None:
        """Decode the headers of the response. Overridden if the API reports facts there."""

    @abstractmethod
    def decode(self, body: Json) -> None:
        """Decode a whole body. It sets the draft's state."""

    @abstractmethod
    def decode_event(self, event: Json) -> None:
        """Decode one event of a stream. The last event sets the draft's state."""

    def decode_done(self) -> None:
        """Decode `[DONE]`, by which a server marks the end of its stream. Overridden if this completes a response."""

    def decode_end(self) -> None:
        """Decode what was held back until the stream ended. Overridden if the decoder holds anything back."""
