"""Changes of bodies and events: fields and events that the API does not have, invalid values, odd counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any, cast

from ..json_types import Json
from ..messages import ModelMessagesTypeAdapter, ModelResponse, ToolCallPart
from .exchange import parse_arguments
from .room import Path

UNKNOWN = 'x_unknown'
"""The start of names that no API has."""

UNKNOWN_EVENTS: list[Json] = [
    {'type': UNKNOWN},
    {'type': UNKNOWN, 'index': 0, 'delta': {'type': UNKNOWN, 'text': UNKNOWN}, 'item_id': UNKNOWN, 'item': {}},
    {'object': UNKNOWN, UNKNOWN: [1]},
    {},
]

INVALID_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2.5, 1e300, '', 'x', '\x00', [], ['x'], [{}], {}, {'x': 1}, {'type': 'x'},
)  # fmt: skip

USAGE_FIELDS = ('usage', 'usageMetadata')

Change = Callable[[Any], Any]

# ---------------------------------------------------------------------- places in JSON


def set_at(body: Json, path: Path, value: Any) -> Json:
    """Set the value at a path, with the objects on the way to it, and return the body."""
    *way, last = path
    target: Any = body
    for step in way:
        if isinstance(step, str) and target.get(step) is None:
            target[step] = {}
        target = target[step]
    target[last] = value
    return body


def get_at(body: Any, path: Path) -> Any:
    """Return the value at a path."""
    for step in path:
        body = body[step]
    return body


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of all values inside a JSON value."""
    yield path
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = cast('Json', value).items()
    elif isinstance(value, list):
        items = enumerate(cast('list[object]', value))
    for step, item in items:
        yield from paths(item, (*path, step))


def objects(value: Any) -> Iterator[Json]:
    """Yield all JSON objects inside a value."""
    if isinstance(value, dict):
        yield cast('Json', value)
        for item in cast('Json', value).values():
            yield from objects(item)
    elif isinstance(value, list):
        for item in cast('list[object]', value):
            yield from objects(item)


# ---------------------------------------------------------------------- unknown fields


def add_unknown_fields(value: Any, picked: set[int]) -> Any:
    """Return the value with unknown fields in some of its objects."""
    value = deepcopy(value)
    for number, found in enumerate(list(objects(value))):
        if number in picked:
            found[f'{UNKNOWN}_field'] = {'type': UNKNOWN, 'text': UNKNOWN, 'index': 7}
    return value


def remove_unknown_fields(value: Any) -> Any:
    """Remove unknown fields. They stay in objects of the API that parts keep as they are."""
    if isinstance(value, dict):
        fields = cast('Json', value).items()
        return {name: remove_unknown_fields(item) for name, item in fields if not name.startswith(UNKNOWN)}
    return [remove_unknown_fields(item) for item in cast('list[object]', value)] if isinstance(value, list) else value


def normalize(response: ModelResponse) -> Any:
    """Return the comparable fields of a response as JSON, without unknown fields."""
    comparable = replace(parse_arguments(response), provider_details=None)
    [fields] = ModelMessagesTypeAdapter.dump_python([comparable], mode='json')
    counts = {name: count for name, count in fields['usage'].items() if name not in ('estimated', 'missing')}
    return remove_unknown_fields(fields | {'timestamp': None, 'usage': counts})


# ---------------------------------------------------------------------- invalid values


def damage(data: Any, value: Any) -> Any:
    """Return the value with invalid values at a few paths. `data` is that of Hypothesis."""
    from hypothesis import strategies as st

    value = deepcopy(value)
    for _ in range(data.draw(st.integers(1, 2))):
        path: Path = data.draw(st.sampled_from(list(paths(value))))
        invalid = data.draw(st.sampled_from(INVALID_VALUES))
        if not path:
            return invalid
        get_at(value, path[:-1])[path[-1]] = deepcopy(invalid)
    return value


def assert_valid(response: ModelResponse) -> None:
    """Assert that the fields of a response have their types: it can be written as JSON and read again."""
    written = ModelMessagesTypeAdapter.dump_json([response])
    assert ModelMessagesTypeAdapter.dump_json(ModelMessagesTypeAdapter.validate_json(written)) == written


def is_prefix(part: Any, whole: Any) -> bool:
    """Return whether a truncated part is a prefix of the complete one."""
    assert type(part) is type(whole)
    if isinstance(part, ToolCallPart):
        same = bool(part.tool_name == whole.tool_name)
        if isinstance(part.args, dict):
            return same and part.args == whole.args_as_dict()
        return same and bool(whole.args_as_json_str().startswith(part.args or ''))
    return bool(whole.content.startswith(part.content))


# ---------------------------------------------------------------------- usage


def change_usages(value: Any, change: Change) -> Any:
    """Return a body or events with each of their usages changed."""
    value = deepcopy(value)
    if isinstance(value, dict):
        items = cast('Json', value).items()
        return {
            name: change(item) if name in USAGE_FIELDS and item else change_usages(item, change) for name, item in items
        }
    return [change_usages(item, change) for item in cast('list[object]', value)] if isinstance(value, list) else value


def change_counts(value: Any, change: Change) -> Any:
    """Return a usage with each of its counts changed."""
    if isinstance(value, dict):
        return {name: change_counts(item, change) for name, item in cast('Json', value).items()}
    if isinstance(value, list):
        return [change_counts(item, change) for item in cast('list[object]', value)]
    return change(value) if type(value) is int else value
