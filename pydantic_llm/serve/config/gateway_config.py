"""`GatewayConfig`: a configuration that was read, and the app that it describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette

from ...exceptions import UserError
from ..app import create_app
from ..keys import GatewayKey
from ..playground import PlaygroundTools
from .models import ModelBuilder
from .problems import ConfigError, LineIndex

if TYPE_CHECKING:
    from .schema import ConfigFile, KeyOptions, ServerOptions

__all__ = ('GatewayConfig',)


class GatewayConfig:
    """The configuration of a gateway. `load_config` makes one."""

    def __init__(self, file: ConfigFile, index: LineIndex) -> None:
        self.file = file
        self._index = index

    @property
    def server(self) -> ServerOptions:
        """The options of the server, such as `host` and `port`."""
        return self.file.server

    def create_app(
        self, *, key: str | None = None, access_log: str | None = None, playground: bool | PlaygroundTools = False
    ) -> Starlette:
        """Build the models, the keys and the app. `key` is one more, `access_log` replaces the option of the file.

        `playground` is that of `create_app`. Raises `ConfigError` if a model or a key cannot be built.
        """
        server, file = self.server, self.file
        builder = ModelBuilder(file, self._index)
        models = builder.build_all()
        log = access_log or server.access_log
        keys = [self._build_key(position, key) for position, key in enumerate(file.keys)]
        try:
            return create_app(
                models,
                embeddings=builder.build_embeddings(),
                key=key,
                keys=keys,
                state=server.state,
                aliases=file.aliases,
                prices=file.list_prices(),
                max_body_bytes=server.max_body_bytes,
                allowed_hosts=server.allowed_hosts,
                allowed_origins=server.allowed_origins,
                access_log=None if log == 'off' else log,
                playground=playground,
            )
        except UserError as error:
            raise ConfigError([f'{self._index.describe(())}: {error}']) from error

    def _build_key(self, position: int, options: KeyOptions) -> GatewayKey:
        given: dict[str, Any] = options.list_given()
        try:
            return GatewayKey(**given)
        except UserError as error:
            raise ConfigError([f'{self._index.describe(("keys", position))}: {error}']) from error

    def __repr__(self) -> str:
        names = ', '.join(self.file.models)
        return f'GatewayConfig(models: {names}; {len(self.file.keys)} keys)'
