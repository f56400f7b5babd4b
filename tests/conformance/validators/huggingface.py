"""The rules of Hugging Face's router: those of OpenAI that its servers (TGI, vLLM, SGLang and others) share.

https://huggingface.co/docs/inference-providers/tasks/chat-completion
"""

from __future__ import annotations

from typing import Any

from huggingface_hub.inference._generated.types.chat_completion import ChatCompletionInputTool
from openai.types.chat import ChatCompletionMessageParam

from tests.conformance.validators import shapes
from tests.conformance.validators.openai_chat import ANY_ID, validate_chat
from tests.conformance.validators.rules import Json


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    body = _drop_nulls(body)
    return [
        *validate_chat(body, id=ANY_ID),
        # the generated type of messages has no `tool_call_id` (huggingface_hub 1.18), so OpenAI's is used
        *shapes.check(body.get('messages'), list[ChatCompletionMessageParam], 'messages'),
        *(
            line
            for line in shapes.check(body.get('tools', []), list[ChatCompletionInputTool], 'tools')
            if "has no field 'strict'" not in line
        ),
    ]


def _drop_nulls(value: Any) -> Any:
    """Return the value without fields that are null, which the servers read as missing: recording
    huggingface__test_hf_model_thinking_part__1_041ae9."""
    match value:
        case dict():
            return {name: _drop_nulls(item) for name, item in value.items() if item is not None}
        case list():
            return [_drop_nulls(item) for item in value]
        case _:
            return value
