"""The provider of Google's Generative Language API under the name that pydantic-ai has for it."""

from .google_base import BaseGoogleProvider
from .google_gla import GoogleGLAProvider

__all__ = ('BaseGoogleProvider', 'GoogleProvider')

GoogleProvider = GoogleGLAProvider
"""Another name of `GoogleGLAProvider`."""
