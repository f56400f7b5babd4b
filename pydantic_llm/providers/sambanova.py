"""The provider of SambaNova: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class SambaNovaProvider(CompatibleProvider):
    """SambaNova, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['sambanova']
