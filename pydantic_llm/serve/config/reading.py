"""`load_config`: reads a configuration file. It builds nothing, and connects to nothing."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from .gateway_config import GatewayConfig
from .problems import ConfigError, LineIndex, describe_validation_error
from .schema import ConfigFile
from .secrets import fill_in

__all__ = ('load_config',)


def load_config(path: str | Path, *, environment: Mapping[str, str] | None = None) -> GatewayConfig:
    """Read the configuration of a gateway from a TOML file.

    `environment` has the variables that the file names, those of the process by default. Raises `ConfigError`, a
    `UserError`, with a sentence for each problem.
    """
    name = str(path)
    try:
        text = Path(path).read_text(encoding='utf-8')
    except UnicodeDecodeError:
        raise ConfigError([f'{name} is not text in UTF-8']) from None
    except OSError as error:
        raise ConfigError([f'{name} cannot be read: {error.strerror}']) from error
    index = LineIndex(name, text)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f'{name} is not TOML: {error}']) from None
    filled = fill_in(content, index, os.environ if environment is None else environment)
    try:
        return GatewayConfig(ConfigFile.model_validate(filled), index)
    except ValidationError as error:
        raise describe_validation_error(error, index) from None
