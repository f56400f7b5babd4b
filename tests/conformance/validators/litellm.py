"""The rules of LiteLLM: OpenAI's messages. The proxy passes parameters on that only some vendors have.

https://docs.litellm.ai/docs/completion/input
"""

from __future__ import annotations

from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam

from tests.conformance.validators import shapes
from tests.conformance.validators.openai_chat import ANY_ID, validate_chat
from tests.conformance.validators.rules import Json

OWN_FIELDS = ('reasoning_content', 'thinking_blocks', 'provider_specific_fields')
"""Fields of messages that are LiteLLM's own: https://docs.litellm.ai/docs/reasoning_content."""


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    return [
        *validate_chat(body, id=ANY_ID),
        *(
            line
            for line in shapes.check(body.get('messages'), list[ChatCompletionMessageParam], 'messages')
            if not line.endswith(tuple(f'has no field {name!r}' for name in OWN_FIELDS))
        ),
        *shapes.check(body.get('tools', []), list[ChatCompletionToolUnionParam], 'tools'),
    ]
