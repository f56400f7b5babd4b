"""The provider of Vercel AI Gateway: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class VercelProvider(CompatibleProvider):
    """Vercel AI Gateway, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['vercel']
