"""The provider of Alibaba Cloud Model Studio (DashScope): a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class AlibabaProvider(CompatibleProvider):
    """Alibaba Cloud Model Studio (DashScope), over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['alibaba']
