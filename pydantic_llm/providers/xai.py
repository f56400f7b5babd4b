"""The provider of xAI under the name that pydantic-ai has for it."""

from .grok import GrokProvider

__all__ = ('XaiProvider',)

XaiProvider = GrokProvider
"""Another name of `GrokProvider`."""
