"""The provider of GitHub Models: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class GitHubProvider(CompatibleProvider):
    """GitHub Models, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['github']
