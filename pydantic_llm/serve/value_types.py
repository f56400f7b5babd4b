"""Checks the types of the values in a decoded request, since a client may send anything."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from ..constraints import Constraint
from ..exceptions import UserError
from ..messages import ModelMessagesTypeAdapter
from ..models import OutputObjectDefinition
from ..retries.policy import RetryPolicy
from ..settings import ModelSettings
from ..tools.definition import ToolDefinition
from ..wire.serving import ServedRequest

__all__ = ('check_types',)

OPEN_SETTINGS = frozenset({'service_tier', 'thinking'})
"""Settings that are not checked, because the vendors add values to them."""

_tools: TypeAdapter[list[ToolDefinition]] = TypeAdapter(list[ToolDefinition])
_output: TypeAdapter[OutputObjectDefinition] = TypeAdapter(OutputObjectDefinition)


def check_types(request: ServedRequest) -> None:
    """Raise `UserError` if a value of the request is of the wrong type."""
    parameters = request.parameters
    try:
        ModelMessagesTypeAdapter.validate_python(ModelMessagesTypeAdapter.dump_python(request.messages, warnings=False))
        _build_settings_model().model_validate(request.settings)
        _tools.validate_python([asdict(tool) for tool in parameters.function_tools])
        if parameters.output_object is not None:
            _output.validate_python(asdict(parameters.output_object))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = '.'.join(map(str, first['loc']))
        raise UserError(f'The request holds {first["input"]!r} ({where}): {first["msg"]}') from None


@cache
def _build_settings_model() -> type[BaseModel]:
    """Build a pydantic model from `ModelSettings`.

    Before Python 3.12 pydantic cannot check a `TypedDict` of the standard library (its error `typed-dict-version`).
    """
    hints = get_type_hints(ModelSettings, localns={'Constraint': Constraint, 'RetryPolicy': RetryPolicy})
    fields: dict[str, Any] = {name: (Any if name in OPEN_SETTINGS else hint, None) for name, hint in hints.items()}
    return create_model(
        'Settings', __config__=ConfigDict(strict=True, arbitrary_types_allowed=True, allow_inf_nan=False), **fields
    )
