"""The provider of Vercel AI Gateway: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class VercelProvider(CompatibleProvider):
    """Vercel AI Gateway, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['vercel']
