"""The rules of Groq's Chat Completions: https://console.groq.com/docs/api-reference#chat-create."""

from __future__ import annotations

from collections.abc import Iterator

from groq.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.conformance.validators import shapes
from tests.conformance.validators.openai_chat import ANY_ID, validate_chat
from tests.conformance.validators.rules import Json


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    return [
        *validate_chat(body, id=ANY_ID),
        # chatboxai/chatbox#2081: "property 'id' is unsupported"; unknown fields are refused
        *shapes.check(body.get('messages'), list[ChatCompletionMessageParam], 'messages'),
        *shapes.check(body.get('tools', []), list[ChatCompletionToolParam], 'tools'),
        *_check_system(body.get('messages') or []),
    ]


def _check_system(messages: list[Json]) -> Iterator[str]:
    """OpenHands/OpenHands#4643: "'messages.0.content' : value must be a string" for a system message."""
    for index, message in enumerate(messages):
        if message.get('role') == 'system' and not isinstance(message.get('content'), str):
            yield f'messages[{index}].content: not a string'
