"""The provider of Heroku Managed Inference: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class HerokuProvider(CompatibleProvider):
    """Heroku Managed Inference, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['heroku']
