"""The finish reasons that say little or nothing about the end, for all rooms: `is_reason` and `is_broken_off`."""

from __future__ import annotations

import re

__all__ = ('BROKEN_OFF', 'NO_REASONS', 'is_broken_off', 'is_reason')

BROKEN_OFF: dict[str, str] = {
    'abort': 'vLLM, SGLang, Z.ai: vllm#57082, sglang#6693, pi#1509',
    'aborted': 'another spelling',
    'canceled': 'another spelling',
    'cancelled': 'https://platform.openai.com/docs/api-reference/responses/object',
    'error': 'https://openrouter.ai/docs/api-reference/errors, https://docs.mistral.ai/api, https://docs.cohere.com',
    'failed': 'https://platform.openai.com/docs/api-reference/responses/object',
    'insufficient_system_resource': 'https://api-docs.deepseek.com/api/create-chat-completion',
    'load': 'Ollama loaded the model and generated nothing: oh-my-pi#7465, langchain#31482',
    'network_error': 'https://docs.z.ai/api-reference/llm/chat-completion, pi#1509',
    'timeout': 'https://docs.cohere.com/reference/chat-stream',
    'unload': 'Ollama unloaded the model: gollama#115',
}
"""Finish reasons, in lower case -> the servers that send them, and the documents or reports of that."""

BROKEN_OFF_WORDS = re.compile(
    r'(.*[_ -])?(error|abort(ed)?|cancel(l?ed)?|interrupt(ed)?|preempt(ed)?|timed?_?out|overload(ed)?|disconnect(ed)?|'
    r'unavailable)'
)
"""The words of engines that no table knows: `engine_error`, `request_cancelled`."""

NO_REASONS = ('null', 'none', 'finish_reason_unspecified')
"""Texts in place of no finish reason, in lower case: KoboldCpp (AIShell#350), and the zero value of Google's enum."""


def is_reason(finish_reason: object) -> bool:
    """Return whether a value of the finish reason's field is one."""
    return bool(finish_reason) and str(finish_reason).lower() not in NO_REASONS


def is_broken_off(finish_reason: object) -> bool:
    """Return whether a server with this finish reason stopped before the response was complete."""
    if not isinstance(finish_reason, str):
        return False
    word = finish_reason.lower()
    return word in BROKEN_OFF or BROKEN_OFF_WORDS.fullmatch(word) is not None
