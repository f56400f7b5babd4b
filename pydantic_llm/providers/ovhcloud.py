"""The provider of OVHcloud AI Endpoints: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class OVHcloudProvider(CompatibleProvider):
    """OVHcloud AI Endpoints, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['ovhcloud']
