"""What every model behind an API is built on.

Read `prepare` (messages, settings, profile and parameters become one request), `model` (`WireModel`: request and
stream), `stream`, `files` (downloads), `serving` (the same API from the server's side).
"""

from __future__ import annotations
