"""Many requests at once, for half the price and within a day: the batch APIs of vendors.

`batch_requests` sends requests and returns a `Batch`; `get_batch` finds a batch by its id, also in another process.

Reading order: `requests` (what goes in and comes out), `parts` (requests become files within the vendor's limits),
`client` (the vendor's API), `create` (both functions), `batch` (status, results, cleaning up). The facts of each vendor
are in its room, as a `BatchApi`.
"""

from __future__ import annotations

from ..wire.batch_api import BatchCounts, BatchStatus
from .batch import Batch
from .create import batch_requests, get_batch
from .requests import BatchRequest, BatchResult

__all__ = ('Batch', 'BatchCounts', 'BatchRequest', 'BatchResult', 'BatchStatus', 'batch_requests', 'get_batch')
