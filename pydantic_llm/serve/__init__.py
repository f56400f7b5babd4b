"""An ASGI app over any model that speaks the vendors' own protocols, so that the vendors' clients can use it.

Reading order: `app` builds the app (`create_app`) around a `gateway`, `protocols` lists the protocols, `endpoint`
handles the requests of one, `exchange` sends one response to the client, `value_types` checks the types of a decoded
request, `server` runs an app on this machine. `keys`, `admission`, `budgets` and `costs` limit what a key may use;
`record`, `metrics` and `access_log` measure it; `drain` ends it. `config` reads all of this from a file. `batches`
has the batch APIs. `faults` injects errors for tests. The `serve.py` of each room implements its protocol.
"""

from __future__ import annotations

from .._extras import import_extra

for _package in ('starlette', 'uvicorn'):
    import_extra(_package, extra='serve', what=__name__)

from .app import create_app  # noqa: E402 -- these modules import the packages that are checked above
from .batches import BatchOptions  # noqa: E402
from .config import ConfigError, GatewayConfig, load_config  # noqa: E402
from .faults import Fault, FaultPlan  # noqa: E402
from .keys import GatewayKey  # noqa: E402
from .server import LocalServer, run_server  # noqa: E402

__all__ = (
    'BatchOptions',
    'ConfigError',
    'Fault',
    'FaultPlan',
    'GatewayConfig',
    'GatewayKey',
    'LocalServer',
    'create_app',
    'load_config',
    'run_server',
)
