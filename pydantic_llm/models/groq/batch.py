"""Groq's Batch API, which is OpenAI's at other paths.

https://console.groq.com/docs/batch
"""

from __future__ import annotations

from ...wire.batch_files import make_batch_api

__all__ = ('BATCHES',)

BATCHES = make_batch_api(
    endpoint='/v1/chat/completions',
    prefix='/openai/v1',
    max_bytes=100_000_000,  # groq.types.batch_create_params: 100 MB
)
"""Groq's batches of requests."""
