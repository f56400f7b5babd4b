"""`strict_schema`: a schema as an API enforces it, for APIs that enforce every schema that they get."""

from __future__ import annotations

from ..json_types import Json
from .prepare import PreparedRequest

STRICT = True


def strict_schema(schema: Json, owner: str, request: PreparedRequest) -> Json:
    """Return the schema in the form that the API enforces, with a warning for each constraint that this form loses.

    `owner` names the schema in warnings: `"output 'final_result'"`.
    """
    transform = request.profile.json_schema_transformer
    if transform is None:
        return schema
    transformed = transform(schema, STRICT)
    for loss in transformed.losses:
        request.note(f'the schema of {owner} can no longer enforce {loss}')
    return transformed.json_schema
