"""The Batch API for the Responses API, of OpenAI and Azure."""

from __future__ import annotations

from ....wire.batch_api import BatchApi
from ....wire.batch_files import make_batch_api

__all__ = ('BATCH_APIS',)

RESPONSES_BATCHES = make_batch_api(endpoint='/v1/responses', max_bytes=200_000_000)
"""200 MB are the limit of a file (openai.types.batch_create_params)."""

BATCH_APIS: dict[str, BatchApi] = {
    'openai': RESPONSES_BATCHES,
    # Azure names this path as OpenAI does: https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch
    'azure': RESPONSES_BATCHES,
}
"""The names of providers -> their APIs."""
