"""The provider of OVHcloud AI Endpoints: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class OVHcloudProvider(CompatibleProvider):
    """OVHcloud AI Endpoints, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['ovhcloud']
