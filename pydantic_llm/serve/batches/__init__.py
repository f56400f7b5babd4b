"""The vendors' batch APIs from the server's side, so that their clients can run batches on any model.

`BatchOptions` sets where and for how long batches are kept. Reading order: `options`, `store` (files and jobs on disk),
`runner` (the rows of a job become results; `rows` sends one), `dialects` (the forms of rows and jobs of each vendor),
`uploads` (files that clients send), `host` and `routes` (the paths).
"""

from __future__ import annotations

from .options import BatchOptions

__all__ = ('BatchOptions',)
