"""An ASGI app over any model, speaking the vendors' own protocols, so that their clients can talk to it.

`create_app` (in `app`) makes one, `exchange` carries one answer to the client, `value_types` looks at what came in,
`faults` lets it misbehave for tests, `server` runs it on this machine. What the protocols are is said by each room's
`serve.py`; `protocols` lists them.
"""

from __future__ import annotations

from .._extras import import_extra

for _package in ('starlette', 'uvicorn'):
    import_extra(_package, extra='serve', what=__name__)

from .app import create_app  # noqa: E402 -- these need what is looked for above
from .faults import Fault, FaultPlan  # noqa: E402
from .server import LocalServer, run_server  # noqa: E402

__all__ = ('Fault', 'FaultPlan', 'LocalServer', 'create_app', 'run_server')
