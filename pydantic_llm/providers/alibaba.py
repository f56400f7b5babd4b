"""The provider of Alibaba Cloud Model Studio (DashScope): a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class AlibabaProvider(CompatibleProvider):
    """Alibaba Cloud Model Studio (DashScope), over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['alibaba']
