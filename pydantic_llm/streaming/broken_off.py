"""The finish reasons of a server that stopped in the middle of a response: `is_broken_off`. One table for all rooms."""

from __future__ import annotations

__all__ = ('BROKEN_OFF', 'is_broken_off')

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


def is_broken_off(finish_reason: object) -> bool:
    """Return whether a server with this finish reason stopped before the response was complete."""
    return isinstance(finish_reason, str) and finish_reason.lower() in BROKEN_OFF
