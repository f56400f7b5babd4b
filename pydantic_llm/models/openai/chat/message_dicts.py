"""Conversations as dicts of Chat Completions: `messages_from_openai` and `messages_to_openai`, made of the room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ....json_types import Json
from ....messages import ModelMessage
from ....profiles.history import UNKNOWN_SERVER
from ....profiles.openai import OpenAIModelProfile
from ....wire.message_dicts import prepare_history, read_dicts, warn_of_losses
from ....wire.serving import reject_malformed
from .encode import encode_messages
from .serve_request import decode_messages

__all__ = ('messages_from_openai', 'messages_to_openai')

SYSTEM = 'openai'

PROFILE = OpenAIModelProfile(
    openai_thinking_back='any', openai_document_url=True, openai_video_url=True, openai_cache_points='breakpoint'
)
"""Thinking goes into the field that it came in, that of other vendors into `reasoning_content`, as most servers do."""


def messages_from_openai(messages: Iterable[Any]) -> list[ModelMessage]:
    """Return the messages of a conversation in the form of Chat Completions, `[{'role': 'user', 'content': 'Hi'}]`.

    Objects of the `openai` package, such as `completion.choices[0].message`, are accepted too. Raises `UserError` for
    anything that is not a message of this API.
    """
    with reject_malformed('chat completion'):
        return decode_messages(read_dicts(messages), SYSTEM)


def messages_to_openai(messages: Sequence[ModelMessage]) -> list[Json]:
    """Return a conversation as dicts in the form of Chat Completions.

    Instructions become a message with the role `system`. What the API has no place for (signatures of other vendors,
    native tools) is left out with a `UserWarning`. Raises `UserError` for content that it cannot have, such as the URL
    of an audio file, and for invalid messages.
    """
    request = prepare_history(messages, system=SYSTEM, profile=PROFILE, rules=UNKNOWN_SERVER)
    encoded = list(encode_messages(request, PROFILE))
    warn_of_losses(request.warnings)
    return encoded
