"""The rules of Bedrock's Converse: botocore's model of the service, and what its errors say.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from tests.conformance.validators.rules import Json, check_both, check_json, check_pairs, check_unique, is_blank

DOCUMENT_NAME = re.compile(r'(?!.*\s\s)[a-zA-Z0-9\s()\[\]-]{1,200}')
"""The documentation of `DocumentBlock`: letters, digits, single blanks, hyphens, parentheses, square brackets."""

CACHE_POINTS = 4
"""https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html: four for Claude."""

IN_PATH = {'modelId'}

UNCHECKED = {'additionalModelRequestFields', 'projectIdentifier'}
"""Fields that are free, or newer than the model of the service."""


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    members = load_service().shape_for('ConverseRequest').members
    shape = [
        *check_json(body),
        *(f'body: there is no field {name!r}' for name in body.keys() - members.keys() - IN_PATH - UNCHECKED),
        *(
            line
            for name, value in body.items()
            if name in members and name not in UNCHECKED
            for line in check_shape(value, members[name], name)
        ),
    ]
    return check_both(shape, _check_rules(body, body.get('messages') or []))


def _check_rules(body: Json, messages: list[Json]) -> Iterator[str]:
    yield from _check_messages(messages)
    yield from _check_system(body.get('system') or [])
    yield from _check_documents(messages)
    yield from _check_tool_config(body, messages)


@cache
def load_service() -> Any:
    return ServiceModel(Loader().load_service_model('bedrock-runtime', 'service-2'))


def check_shape(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Yield the differences of a value from a shape of the service, patterns and lengths included."""
    match shape.type_name:
        case 'structure' if shape.is_document_type:
            return
        case 'structure':
            yield from _check_structure(value, shape, path)
        case 'list':
            if not isinstance(value, list):
                yield f'{path}: {value!r} is not a list'
                return
            yield from _check_length(len(value), shape, path)
            for index, item in enumerate(value):
                yield from check_shape(item, shape.member, f'{path}[{index}]')
        case 'map':
            for key, item in value.items() if isinstance(value, dict) else ():
                yield from check_shape(key, shape.key, f'{path}.{key}')
                yield from check_shape(item, shape.value, f'{path}.{key}')
        case 'string':
            yield from _check_string(value, shape, path)
        case 'blob':
            yield from _check_blob(value, path)
        case 'boolean':
            yield from () if isinstance(value, bool) else (f'{path}: {value!r} is not a boolean',)
        case _:
            yield from _check_number(value, shape, path)


def _check_number(value: Any, shape: Any, path: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield f'{path}: {value!r} is not a number'
    else:
        yield from _check_length(value, shape, path)


def _check_structure(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f'{path}: {value!r} is not an object'
        return
    known = set(shape.members)
    if shape.is_tagged_union and len(value) != 1:
        yield f'{path}: {sorted(value)} instead of one member of {shape.name}'
    for name in value.keys() - known:
        yield f'{path}: {shape.name} has no field {name!r}'
    for name in set(shape.required_members) - value.keys():
        yield f'{path}: {shape.name} needs the field {name!r}'
    for name in value.keys() & known:
        yield from check_shape(value[name], shape.members[name], f'{path}.{name}')


def _check_string(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f'{path}: {value!r} is not a string'
        return
    yield from _check_length(len(value), shape, path)
    if (pattern := shape.metadata.get('pattern')) and not re.fullmatch(pattern, value):
        yield f'{path}: {value!r} does not match {pattern!r}'
    if shape.enum and value not in shape.enum:
        yield f'{path}: {value!r} is none of {shape.enum!r}'


def _check_length(length: float, shape: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get('min'), shape.metadata.get('max')
    if (least is not None and length < least) or (most is not None and length > most):
        yield f'{path}: {length} is not between {least} and {most}'


def _check_blob(value: Any, path: str) -> Iterator[str]:
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        yield f'{path}: {value!r} is not base64'
        return
    if not data:
        yield f'{path}: empty'


def _check_messages(messages: list[Json]) -> Iterator[str]:
    calls: list[Any] = []
    for index, message in enumerate(messages):
        path, blocks = f'messages[{index}]', message['content']
        # archestra-ai/archestra#4220: "The content field in the Message object at messages.N is empty"
        if not blocks:
            yield f'{path}.content: empty'
        for number, block in enumerate(blocks):
            yield from _check_block(block, f'{path}.content[{number}]', message['role'])
        results = [_get_id(block, 'toolResult') for block in blocks if _is_of_application(block, 'toolResult')]
        # langgenius/dify-official-plugins#765, BerriAI/litellm#20049
        yield from check_pairs(calls, results, path)
        calls = [_get_id(block, 'toolUse') for block in blocks if _is_of_application(block, 'toolUse')]
        # tailcallhq/forgecode#2107; NousResearch/hermes-agent#105780: a turn with thinking alone is refused
        if message['role'] == 'assistant' and blocks and 'reasoningContent' in blocks[-1]:
            yield f'{path}: thinking is its last block'
        if index and messages[index - 1]['role'] == message['role']:
            # langgenius/dify#9294: "A conversation must alternate between user and assistant roles"
            yield f'{path}: the role {message["role"]!r} twice'
    if calls:
        yield f'messages[-1]: the tool calls {calls!r} have no results'
    if messages and messages[-1]['role'] == 'assistant' and messages[-1]['content']:
        # tailcallhq/forgecode#1872: Claude refuses it behind every API
        text = messages[-1]['content'][-1].get('text', '')
        if text != text.rstrip():
            yield f'messages[-1]: the last turn ends with whitespace: {text[-10:]!r}'


def _is_of_application(block: Json, kind: str) -> bool:
    """Return whether the block is of a tool of the application; those of AWS itself have a type."""
    return kind in block and 'type' not in block[kind]


def _get_id(block: Json, kind: str) -> Any:
    return block[kind].get('toolUseId')


def _check_block(block: Json, path: str, role: str) -> Iterator[str]:
    match block:
        case {'text': text}:
            # boto/botocore#3525, earendil-works/pi#4975: "The text field in the ContentBlock object is blank"
            if is_blank(text):
                yield f'{path}.text: blank'
        case {'toolUse': {'input': args}}:
            # vercel/ai#19023: "The format of the value at messages.N.content.M.toolUse.input is invalid"
            if not isinstance(args, dict):
                yield f'{path}.toolUse.input: not an object'
        case {'toolResult': result}:
            yield from _check_result(result, f'{path}.toolResult')
        case {'json': value}:
            if not isinstance(value, dict):
                yield f'{path}.json: not an object'
        case {'document': document}:
            if not DOCUMENT_NAME.fullmatch(str(document.get('name'))):
                yield f'{path}.document.name: {document.get("name")!r} has other characters than the API accepts'
        case _:
            pass
    # the documentation of `Message`: images and documents only if the role is user
    is_of_user = block.keys() & {'image', 'document', 'video'} or _is_of_application(block, 'toolResult')
    if role == 'assistant' and is_of_user:
        yield f'{path}: {sorted(block)} in a turn of the assistant'


def _check_result(result: Json, path: str) -> Iterator[str]:
    for index, inner in enumerate(result.get('content') or ()):
        # the rule of Claude's own API: vellum-ai/vellum-assistant#18387
        if result.get('status') == 'error' and inner.keys().isdisjoint({'text', 'json'}):
            yield f'{path}.content[{index}]: {sorted(inner)} in the result of a failed tool'
        yield from _check_block(inner, f'{path}.content[{index}]', 'user')


def _check_system(system: list[Json]) -> Iterator[str]:
    for index, block in enumerate(system):
        if 'text' in block and is_blank(block['text']):
            yield f'system[{index}].text: blank'


def _check_documents(messages: list[Json]) -> Iterator[str]:
    """Yield names that are there twice (BerriAI/litellm#30093), and documents without text (archestra#4220)."""
    names: list[str] = []
    for index, message in enumerate(messages):
        names += [block['document'].get('name') for block in message['content'] if 'document' in block]
        results = [block['toolResult']['content'] for block in message['content'] if 'toolResult' in block]
        names += [inner['document'].get('name') for content in results for inner in content if 'document' in inner]
        kinds = {kind for block in message['content'] for kind in block}
        if 'document' in kinds and 'text' not in kinds:
            yield f'messages[{index}]: a document without text'
    yield from check_unique(names, 'messages: names of documents')


def _check_tool_config(body: Json, messages: list[Json]) -> Iterator[str]:
    """langgenius/dify#17545: "The toolConfig field must be defined when using toolUse and toolResult"."""
    kinds = {kind for message in messages for block in message['content'] for kind in block}
    if kinds & {'toolUse', 'toolResult'} and not body.get('toolConfig'):
        yield 'toolConfig: missing, with tool calls in the history'
    count = sum('cachePoint' in block for message in messages for block in message['content'])
    tools: list[Json] = body.get('toolConfig', {}).get('tools', [])
    count += sum('cachePoint' in block for block in [*(body.get('system') or ()), *tools])
    if count > CACHE_POINTS:
        yield f'body: {count} cache points'
    names = [tool['toolSpec'].get('name') for tool in tools if 'toolSpec' in tool]
    yield from check_unique(names, 'toolConfig.tools: names')
