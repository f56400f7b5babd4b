"""The rules of Gemini's generateContent, at both of its hosts: https://ai.google.dev/api/generate-content.

The hosts parse a protobuf message, so a field that it does not have is refused ("Unknown name"), and camelCase and
snake_case are the same.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from tests.conformance.validators.rules import Json, check_json, check_pattern

NAME = re.compile(r'[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}')
"""kaitranntt/ccs#25: "Must start with a letter or an underscore ... with a maximum length of 64"."""

BODY = frozenset(
    {
        *('contents', 'tools', 'toolConfig', 'safetySettings', 'systemInstruction', 'generationConfig'),
        *('cachedContent', 'serviceTier', 'store', 'model', 'labels', 'modelArmorConfig'),
    }
)
PART_DATA: dict[str, frozenset[str]] = {
    'text': frozenset(),
    'inlineData': frozenset({'mimeType', 'data', 'displayName'}),
    'fileData': frozenset({'mimeType', 'fileUri', 'displayName'}),
    'functionCall': frozenset({'id', 'name', 'args', 'partialArgs', 'willContinue'}),
    'functionResponse': frozenset({'id', 'name', 'response', 'parts', 'willContinue', 'scheduling'}),
    'executableCode': frozenset({'id', 'language', 'code'}),
    'codeExecutionResult': frozenset({'id', 'outcome', 'output'}),
    'toolCall': frozenset({'id', 'toolType', 'args'}),
    'toolResponse': frozenset({'id', 'toolType', 'response'}),
}
"""The members of a part's `data`, of which it has exactly one, and their fields: https://ai.google.dev/api/caching#Part."""
PART = frozenset({'thought', 'thoughtSignature', 'partMetadata', 'videoMetadata', 'mediaResolution'})
FREE = ('args', 'response', 'parametersJsonSchema', 'responseJsonSchema', 'labels', 'partMetadata', 'properties')
"""Fields whose values are the application's own: their names are not the API's."""


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    body = to_camel_case(body)
    return [
        *check_json(body),
        *(f'body: there is no field {name!r}' for name in body.keys() - BODY),
        *_check_contents(body.get('contents') or []),
        *_check_system(body.get('systemInstruction')),
        *_check_tools(body.get('tools')),
    ]


def to_camel_case(value: Any) -> Any:
    """Return the value with its names in camelCase."""
    match value:
        case dict():
            named = {re.sub('_([a-z])', lambda found: found[1].upper(), name): item for name, item in value.items()}
            return {name: item if name in FREE else to_camel_case(item) for name, item in named.items()}
        case list():
            return [to_camel_case(item) for item in value]
        case _:
            return value


def _check_contents(contents: list[Json]) -> Iterator[str]:
    # "Required": https://ai.google.dev/api/generate-content#request-body
    if not contents:
        yield 'contents: empty'
    for index, content in enumerate(contents):
        path = f'contents[{index}]'
        for name in content.keys() - {'role', 'parts'}:
            yield f'{path}: there is no field {name!r}'
        if content.get('role', 'user') not in ('user', 'model'):
            yield f'{path}.role: {content.get("role")!r} is neither user nor model'
        # vercel/ai#3775: "contents.parts must not be empty"
        if not content.get('parts'):
            yield f'{path}.parts: empty'
        for number, part in enumerate(content.get('parts') or ()):
            yield from _check_part(part, f'{path}.parts[{number}]')
    yield from _check_turns(contents)


def _check_part(part: Json, path: str) -> Iterator[str]:
    kinds = part.keys() & PART_DATA.keys()
    for name in part.keys() - PART_DATA.keys() - PART:
        yield f'{path}: there is no field {name!r}'
    # router-for-me/CLIProxyAPI#1292: "required oneof field 'data' must have one initialized field"
    if len(kinds) != 1:
        yield f'{path}: {sorted(kinds)} instead of one kind of data'
        return
    kind = kinds.pop()
    data = part[kind]
    if kind == 'text':
        # google-gemini/deprecated-generative-ai-python#697: "it has an empty text parameter"
        if not isinstance(data, str) or (not data and 'thoughtSignature' not in part):
            yield f'{path}.text: empty'
    elif not isinstance(data, dict):
        yield f'{path}.{kind}: not an object'
    else:
        for name in data.keys() - PART_DATA[kind]:
            yield f'{path}.{kind}: there is no field {name!r}'
        yield from _check_data(kind, data, f'{path}.{kind}')
    yield from _check_base64(part.get('thoughtSignature', ''), f'{path}.thoughtSignature')


def _check_data(kind: str, data: Json, path: str) -> Iterator[str]:
    match kind:
        case 'functionCall' | 'functionResponse':
            yield from check_pattern(data.get('name'), NAME, f'{path}.name')
            # google.protobuf.Struct: an object
            field = 'args' if kind == 'functionCall' else 'response'
            if not isinstance(data.get(field, {} if kind == 'functionCall' else None), dict):
                yield f'{path}.{field}: not an object'
            if not isinstance(data.get('id', ''), str):
                yield f'{path}.id: not a string'
        case 'inlineData':
            if not data.get('mimeType') or not data.get('data'):
                yield f'{path}: no media type, or no data'
            yield from _check_base64(data.get('data', ''), f'{path}.data')
        case 'fileData':
            if not data.get('fileUri'):
                yield f'{path}.fileUri: empty'
        case 'executableCode':
            if not (data.get('language') and data.get('code')):
                yield f'{path}: no language, or no code'
        case 'codeExecutionResult':
            if not data.get('outcome'):
                yield f'{path}.outcome: empty'
        case _:
            return


def _check_base64(value: Any, path: str) -> Iterator[str]:
    """A field of bytes: both alphabets are read. https://protobuf.dev/programming-guides/json/."""
    try:
        base64.b64decode(value.replace('-', '+').replace('_', '/') + '=' * (-len(value) % 4), validate=True)
    except (AttributeError, ValueError):
        yield f'{path}: {value!r} is not base64'


def _check_turns(contents: list[Json]) -> Iterator[str]:
    """Yield function calls and responses that are not turn after turn, or not the same number.

    Consecutive turns of the model are one, recording
    gemini__test_cross_provider_capability_replay_google-gemini-3-flash-preview-op__2_37d54a. For the rest:
    google-gemini/gemini-cli#4504 ("the number of function response parts is equal to the number of function call
    parts"), google-gemini/gemini-cli#26486 ("function call turn comes immediately after a user turn"),
    langchain-ai/langchain#27799 ("function response turn comes immediately after a function call turn"), eino-ext#571.
    """
    before: Json = {}
    for index, content in enumerate(_join_model_turns(contents)):
        path, calls, responses = f'turn {index}', _select(content, 'functionCall'), _select(content, 'functionResponse')
        asked = _select(before, 'functionCall') if before else []
        if calls and (not before or before.get('role') == 'model'):
            yield f'{path}: function calls that follow no turn of the user'
        if len(asked) != len(responses):
            yield f'{path}: {len(responses)} responses to {len(asked)} function calls'
        elif sorted(str(call.get('name')) for call in asked) != sorted(str(call.get('name')) for call in responses):
            yield f'{path}: responses of other functions than those that were called'
        if (content.get('role') == 'model' and responses) or (content.get('role', 'user') == 'user' and calls):
            yield f'{path}: a function call or response in the wrong role'
        before = content
    if before and _select(before, 'functionCall'):
        yield 'contents[-1]: function calls without responses'


def _join_model_turns(contents: list[Json]) -> list[Json]:
    turns: list[Json] = []
    for content in contents:
        if turns and turns[-1].get('role') == content.get('role') == 'model':
            turns[-1] = {'role': 'model', 'parts': [*(turns[-1].get('parts') or ()), *(content.get('parts') or ())]}
        else:
            turns.append(content)
    return turns


def _select(content: Json, kind: str) -> list[Json]:
    return [part[kind] for part in content.get('parts') or () if isinstance(part.get(kind), dict)]


def _check_system(system: Any) -> Iterator[str]:
    if system is None:
        return
    for index, part in enumerate(system.get('parts') or [{}]):
        if not part.get('text'):
            yield f'systemInstruction.parts[{index}].text: empty'


def _check_tools(tools: Any) -> Iterator[str]:
    for index, tool in enumerate(tools if isinstance(tools, list) else [tools] if tools else []):
        for number, function in enumerate(tool.get('functionDeclarations', [])):
            yield from check_pattern(function.get('name'), NAME, f'tools[{index}].functionDeclarations[{number}].name')
