"""Conversations as dicts of the Messages API: `messages_from_anthropic` and `messages_to_anthropic`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ...json_types import Json
from ...messages import ModelMessage
from ...profiles.anthropic import AnthropicModelProfile
from ...wire.message_dicts import prepare_history, read_dicts, warn_of_losses
from ...wire.serving import reject_malformed
from .cache import Caching
from .encode import encode_conversation, encode_system
from .model import HISTORY
from .serve_request import decode_messages

__all__ = ('AnthropicMessages', 'messages_from_anthropic', 'messages_to_anthropic')

SYSTEM = 'anthropic'

PROFILE = AnthropicModelProfile()


class AnthropicMessages(NamedTuple):
    """A conversation in the form of the Messages API, which has the system prompt in a field of its own."""

    messages: list[Json]
    """The turns, for the field `messages`."""
    system: str | list[Json] | None
    """The system prompt, for the field `system`: a text, or blocks of text; `None` without one."""


def messages_from_anthropic(messages: Iterable[Any], system: str | Iterable[Any] | None = None) -> list[ModelMessage]:
    """Return the messages of a conversation in the form of the Messages API.

    Objects of the `anthropic` package, such as the content of a response, are accepted too. `system` is a text, or
    blocks of text, of which the last one becomes the instructions. Raises `UserError` for anything that is not a
    message of this API.
    """
    turns = read_dicts(messages)
    prompt = system if system is None or isinstance(system, str) else read_dicts(system, parameter='system')
    with reject_malformed('Messages'):
        return decode_messages({'messages': turns, 'system': prompt}, SYSTEM)


def messages_to_anthropic(messages: Sequence[ModelMessage]) -> AnthropicMessages:
    """Return a conversation in the form of the Messages API: its turns, and its system prompt.

    What the API has no place for (thinking that Anthropic did not sign, native tools of others) is left out with a
    `UserWarning`. Raises `UserError` for content that it cannot have, and for invalid messages.
    """
    request = prepare_history(messages, system=SYSTEM, profile=PROFILE, rules=HISTORY)
    conversation, _ = encode_conversation(request, PROFILE)
    system: Any = encode_system(conversation.system, request, Caching({})).get('system')
    warn_of_losses(request.warnings)
    return AnthropicMessages(conversation.turns, system)
