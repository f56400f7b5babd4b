"""Files validate their arguments as classes of pydantic do, although pydantic is imported when that is first needed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, cast

import pydantic.dataclasses
import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import to_json

from pydantic_llm._deferred_schemas import validate_fields
from pydantic_llm.messages import BinaryContent, ImageUrl, ModelResponse, TextContent, ToolReturnPart
from pydantic_llm.messages.content import Base64Bytes
from pydantic_llm.usage import RequestUsage


@dataclasses.dataclass
class Fields:
    data: Base64Bytes
    _: dataclasses.KW_ONLY
    count: int = 1
    other: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.count > 9:
            raise ValueError(f'{self.count} is too large')


@validate_fields
@dataclasses.dataclass
class Ours(Fields):
    kind: str = 'file'


@pydantic.dataclasses.dataclass
class Theirs(Fields):
    kind: str = 'file'


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((b'x',), {}),
    (('eA==',), {'count': '2'}),
    (('eA==', 'image'), {'other': {'a': float('nan')}}),
    (('not base64!',), {}),
    ((), {}),
    ((b'x',), {'count': 'many', 'other': 3}),
    ((b'x',), {'unknown': 1}),
    ((b'x', 'k', 1), {}),
    ((b'x',), {'data': b'y'}),
    ((b'x',), {'count': 10}),
]


def construct(kind: type[Fields], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        made = kind(*args, **kwargs)
    except ValidationError as error:
        return [(each['type'], each['loc'], each['msg']) for each in error.errors()]
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    return to_json([made]), to_json({'any': made}), str(dataclasses.asdict(made))


@pytest.mark.parametrize(('args', 'kwargs'), ARGUMENTS)
def test_a_constructor_validates_as_one_of_pydantic(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert construct(Ours, args, kwargs) == construct(Theirs, args, kwargs)


def test_a_class_has_the_schemas_of_one_of_pydantic_in_every_type_around_it() -> None:
    def generate(kind: Any, mode: Any) -> str:
        config = ConfigDict(ser_json_bytes='hex', extra='forbid', strict=True)
        files = cast('Any', list)[kind]
        adapter: TypeAdapter[Any] = TypeAdapter(files | kind, config=config)
        return json.dumps(adapter.json_schema(mode=mode)).replace(kind.__name__, 'Kind')

    assert generate(Ours, 'validation') == generate(Theirs, 'validation')
    assert generate(Ours, 'serialization') == generate(Theirs, 'serialization')


@pytest.mark.parametrize('kind', [Ours, Theirs])
def test_the_configuration_of_a_type_does_not_reach_into_a_file(kind: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(cast('Any', list)[kind], config=ConfigDict(strict=True))
    assert adapter.validate_python([{'data': 'eA==', 'count': '3'}])[0].count == 3


def test_a_subclass_without_a_decorator_validates_the_fields_of_its_base() -> None:
    class Photo(ImageUrl):
        pass

    photo = Photo('https://example.com/a.png', vendor_metadata={'detail': 'low'})
    assert (type(photo), photo.media_type) == (Photo, 'image/png')
    with pytest.raises(ValidationError, match='ImageUrl'):
        Photo(cast('Any', 3))


def test_a_subclass_of_pydantic_adds_fields() -> None:
    @pydantic.dataclasses.dataclass
    class Checked(TextContent):
        level: int = 0

    checked = Checked('x', level=cast('Any', '3'))
    assert json.loads(to_json([checked])) == [{'content': 'x', 'metadata': None, 'kind': 'text-content', 'level': 3}]


def test_older_names_are_read_and_newer_ones_written() -> None:
    adapter = TypeAdapter(RequestUsage)
    usage = adapter.validate_python({'request_tokens': 3, 'response_tokens': None})
    assert usage == RequestUsage(input_tokens=3)
    assert adapter.dump_python(usage)['input_tokens'] == 3
    response: Any = {'parts': [], 'vendor_id': 'a', 'vendor_details': {'b': 1}, 'kind': 'response'}
    read = TypeAdapter(ModelResponse).validate_python(response)
    assert (read.provider_response_id, read.provider_details) == ('a', {'b': 1})


def test_a_type_that_uses_a_class_twice_translates_it_in_both_places() -> None:
    png = BinaryContent(b'x', media_type='image/png')
    adapter = TypeAdapter(tuple[ToolReturnPart, list[ToolReturnPart]])
    parts = (ToolReturnPart('look', {'a': png}, 'a'), [ToolReturnPart('look', [png], 'b')])
    assert adapter.validate_json(adapter.dump_json(parts)) == parts
