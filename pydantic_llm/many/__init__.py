"""Many prompts: a request for each of many rows, with bounded concurrency, and results that survive a crash.

Reading order: `map_requests`, `requests` (rows become requests), `concurrent` (many at a time), `results`, `checkpoint`
(with `journal` and `job_file`: files of results), `engine` and `ray` (where requests are sent from). The jobs of the
command line have `input_file` and `results_file` (with `files`, `columns` and `tables`), `batch_job` with `structured`.
"""

from __future__ import annotations

from .engine import Engine
from .map_requests import map_requests
from .results import MapResult, RowError

__all__ = ('Engine', 'MapResult', 'RowError', 'map_requests')
