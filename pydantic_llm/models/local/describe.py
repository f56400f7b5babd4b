"""Describes a request to an engine: `describe`."""

from __future__ import annotations

from collections.abc import Mapping

from ...wire.prepare import PreparedRequest
from ..description import RequestDescription, describe_reading, describe_value, encode_description


def describe(request: PreparedRequest, model_id: str, facts: Mapping[str, object]) -> RequestDescription:
    """Return what decides about the response to a request. `facts` are those of the engine and of the model object."""
    body = encode_description(
        request.messages,
        request.settings,
        request.parameters,
        instructions=request.instructions,
        tool_choice=request.tool_choice,
    )
    named = {name: describe_value(value) for name, value in facts.items()}
    context = {**named, **describe_reading(request.profile, has_output=False)}
    return RequestDescription(model_id=model_id, body=body, context=context, warnings=tuple(request.warnings))
