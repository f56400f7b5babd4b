"""Whether a request that was read holds values of the types that it should. Whoever sent it may have sent anything."""

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

OPEN = frozenset({'service_tier', 'thinking'})
"""Settings whose words the vendors add to."""

_tools: TypeAdapter[list[ToolDefinition]] = TypeAdapter(list[ToolDefinition])
_output: TypeAdapter[OutputObjectDefinition] = TypeAdapter(OutputObjectDefinition)


def check_types(request: ServedRequest) -> None:
    """Raise `UserError` where a value is of the wrong type."""
    parameters = request.parameters
    try:
        ModelMessagesTypeAdapter.validate_python(ModelMessagesTypeAdapter.dump_python(request.messages, warnings=False))
        _settings().model_validate(request.settings)
        _tools.validate_python([asdict(tool) for tool in parameters.function_tools])
        if parameters.output_object is not None:
            _output.validate_python(asdict(parameters.output_object))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = '.'.join(map(str, first['loc']))
        raise UserError(f'The request holds {first["input"]!r} ({where}): {first["msg"]}') from None


@cache
def _settings() -> type[BaseModel]:
    """The settings as a model of pydantic's, which cannot check a `TypedDict` of the standard library before 3.12."""
    hints = get_type_hints(ModelSettings, localns={'Constraint': Constraint, 'RetryPolicy': RetryPolicy})
    fields: dict[str, Any] = {name: (Any if name in OPEN else hint, None) for name, hint in hints.items()}
    return create_model('Settings', __config__=ConfigDict(strict=True, arbitrary_types_allowed=True), **fields)
