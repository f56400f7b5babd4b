"""The Batch API for chat completions, of OpenAI and Azure. Other servers of Chat Completions have none, or another."""

from __future__ import annotations

from ....wire.batch_api import BatchApi
from ....wire.batch_files import make_batch_api

__all__ = ('BATCH_APIS',)

MAX_BYTES = 200_000_000
"""The limit of a file (openai.types.batch_create_params): 200 MB."""

BATCH_APIS: dict[str, BatchApi] = {
    'openai': make_batch_api(endpoint='/v1/chat/completions', max_bytes=MAX_BYTES),
    # https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch
    'azure': make_batch_api(endpoint='/chat/completions', max_bytes=MAX_BYTES),
}
"""The names of providers -> their APIs."""
