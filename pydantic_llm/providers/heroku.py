"""The provider of Heroku Managed Inference: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class HerokuProvider(CompatibleProvider):
    """Heroku Managed Inference, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['heroku']
