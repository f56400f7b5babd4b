"""What models in this process can do. Their engines hold them to schemas; the rest is read off their chat templates."""

from __future__ import annotations

from . import ModelProfile

__all__ = ('local_profile',)


def local_profile(model_name: str) -> ModelProfile:
    """The profile of a model in this process, whatever it is called."""
    return ModelProfile(
        supports_tools=True,
        supports_json_schema_output=True,
        supports_json_object_output=True,
        supports_thinking=True,
    )
