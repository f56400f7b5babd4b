"""The profile of models in this process.

Their engines enforce schemas. Everything else is read from the chat template when the model is loaded.
"""

from __future__ import annotations

from . import ModelProfile

__all__ = ('local_profile',)


def local_profile(model_name: str) -> ModelProfile:
    """Return the profile of a model in this process, which does not depend on its name."""
    return ModelProfile(
        supports_json_schema_output=True,
        supports_json_object_output=True,
        supports_thinking=True,
        unsupported_settings=frozenset({'extra_body', 'extra_headers'}),  # there is no request over HTTP
    )
