"""The configuration file of a gateway: TOML, whose secrets come from environment variables and other files.

Reading order: `schema` has the options, `reading` reads a file (`load_config`) with the errors of `problems`, `secrets`
fills secrets in, `models` builds the models, `gateway_config` the app.
"""

from __future__ import annotations

from .gateway_config import GatewayConfig
from .problems import ConfigError
from .reading import load_config

__all__ = ('ConfigError', 'GatewayConfig', 'load_config')
