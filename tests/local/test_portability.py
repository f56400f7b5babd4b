"""`portability_report` of a model in this process: with its chat template if the model is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_llm import portability_report
from pydantic_llm.messages import (
    CachePoint,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    TextPart,
    UserPromptPart,
)

OWN: dict[str, Any] = {'provider_name': 'anthropic'}
HISTORY: list[ModelMessage] = [
    ModelRequest([UserPromptPart(['Hello.', CachePoint()])]),
    ModelResponse([NativeToolCallPart('web_search', {'query': 'x'}, 'srvtoolu_1', **OWN), TextPart('Hi.')], **OWN),
    ModelRequest.user_text_prompt('And?'),
]


async def test_a_loaded_model_is_examined_with_its_chat_template(make: Callable[..., Any]) -> None:
    model = make()
    assert 'was not read' in str(portability_report(HISTORY, model))
    await model.load()
    report = portability_report(HISTORY, model)
    assert 'was not read' not in str(report)
    assert [(issue.effect, issue.message_index, issue.part_kind) for issue in report.issues] == [
        ('dropped', 0, 'user-prompt'),
        ('dropped', 1, 'builtin-tool-call'),
    ]
