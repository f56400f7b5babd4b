"""The provider of DeepSeek: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class DeepSeekProvider(CompatibleProvider):
    """DeepSeek, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['deepseek']
