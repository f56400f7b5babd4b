"""LangChain's messages as dicts of Chat Completions, and responses in that form as LangChain's messages.

`encode_message` reads the standard content blocks, whatever form the content has:
https://docs.langchain.com/oss/python/langchain/messages#standard-content-blocks
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from pydantic_core import to_json

from ..exceptions import UserError
from ..json_types import Json
from ._chat import EXTRAS, FAILED
from ._framework import import_framework

WHAT = 'pydantic_llm.ext.langchain'

messages = import_framework('langchain_core.messages', extra='langchain', what=WHAT)
openai_tools = import_framework('langchain_core.output_parsers.openai_tools', extra='langchain', what=WHAT)

# ---------------------------------------------------------------------- requests


def encode_message(message: Any) -> Json:
    """Encode a message. Raises `UserError` for a message or content that has no form in Chat Completions."""
    name = {'name': message.name} if message.name else {}
    match message.type:
        case 'system' | 'human' as kind:
            role = message.additional_kwargs.get('__openai_role__') or {'human': 'user'}.get(kind, kind)
            return {'role': role, 'content': _encode_content(message), **name}
        case 'ai' | 'AIMessageChunk':
            return _encode_ai_message(message)
        case 'tool':
            failed = {FAILED: True} if message.status == 'error' else {}
            return {'role': 'tool', 'tool_call_id': message.tool_call_id, 'content': _encode_content(message), **failed}
        case 'function':
            return {'role': 'function', 'name': message.name, 'content': message.text}
        case 'chat':
            return {'role': message.role, 'content': _encode_content(message), **name}
        case kind:
            raise UserError(f'A message has the type {kind!r}, which no model can read: remove it')


def _encode_ai_message(message: Any) -> Json:
    calls = [_encode_call(call['id'], call['name'], to_json(call['args']).decode()) for call in message.tool_calls]
    calls += [_encode_call(call['id'], call['name'], call['args'] or '') for call in message.invalid_tool_calls]
    reasoning = [block['reasoning'] for block in message.content_blocks if block.get('reasoning')]
    fields: Json = {
        'content': str(message.text),
        'tool_calls': calls,
        'reasoning_content': '\n\n'.join(reasoning),
        'refusal': message.additional_kwargs.get('refusal'),
        EXTRAS: message.additional_kwargs.get(EXTRAS),
    }
    return {'role': 'assistant', **{key: value for key, value in fields.items() if value}}


def _encode_call(id: str | None, name: str | None, arguments: str) -> Json:
    return {'id': id or '', 'type': 'function', 'function': {'name': name or '', 'arguments': arguments}}


def _encode_content(message: Any) -> str | list[Json]:
    if isinstance(message.content, str):
        return message.content
    return [_encode_block(block) for block in message.content_blocks]


def _encode_block(block: Json) -> Json:
    """Encode a content block. The first of `url`, `base64` and `file_id` that it has is its data."""
    match block:
        case {'type': 'text', 'text': str() as text}:
            return {'type': 'text', 'text': text, **_select_cache(block)}
        case {'type': 'text-plain', 'text': str() as text}:
            return {'type': 'text', 'text': text}
        case {'type': 'image' | 'video' as kind}:
            name, detail = f'{kind}_url', _find_option(block, 'detail')
            file: Json = {'url': _find_url(block), **({'detail': detail} if detail else {})}
            return {'type': name, name: file, **_select_cache(block)}
        case {'type': 'audio', 'base64': str() as data, 'mime_type': str() as media_type}:
            format = {'audio/mpeg': 'mp3'}.get(media_type, media_type.partition('/')[2])
            return {'type': 'input_audio', 'input_audio': {'data': data, 'format': format}}
        case {'type': 'file' | 'audio' | 'text-plain', 'file_id': str() as id}:
            return {'type': 'file', 'file': {'file_id': id}}
        case {'type': 'file' | 'audio' | 'text-plain'}:
            name = _find_option(block, 'filename')
            file = {'file_data': _find_url(block), **({'filename': name} if name else {})}
            return {'type': 'file', 'file': file, **_select_cache(block)}
        case {'type': 'non_standard', 'value': dict()}:
            return cast('Json', block['value'])
        case _:
            raise UserError(f'A message holds a content block of the type {block.get("type")!r}: no model can read it')


def _find_url(block: Json) -> str:
    match block:
        case {'url': str() as url}:
            return url
        case {'base64': str() as data}:
            media_type = block.get('mime_type') or DEFAULT_TYPES[block['type']]
            return f'data:{media_type};base64,{data}'
        case _:
            raise UserError(f'A content block of the type {block["type"]!r} has no url and no base64: add one')


DEFAULT_TYPES = {
    'image': 'image/jpeg',
    'video': 'video/mp4',
    'audio': 'audio/wav',
    'file': 'application/pdf',
    'text-plain': 'text/plain',
}
"""Types of content blocks -> the media types of those without `mime_type`."""


def _select_cache(block: Json) -> Json:
    """Return the mark after which a vendor's prompt cache ends, if the block has one."""
    mark = _find_option(block, 'cache_control')
    return {'cache_control': mark} if mark else {}


def _find_option(block: Json, name: str) -> Any:
    """Return a field that is not one of the standard's: LangChain moves such fields into `extras`."""
    extras: Json = block.get('extras') or {}
    return block.get(name) or extras.get(name)


# ---------------------------------------------------------------------- responses

KEPT_FIELDS = ('refusal', 'annotations', 'reasoning_content', 'reasoning_details')
"""Fields of a message that LangChain has no place for: they are in `additional_kwargs`."""


def decode_response(body: Json) -> Any:
    """Return a response as an `AIMessage`."""
    choice: Json = body['choices'][0]
    message: Json = choice['message']
    calls, invalid_calls = _decode_calls(message.get('tool_calls', ()))
    return messages.AIMessage(
        content=_add_files(message['content'] or '', body[EXTRAS]),
        tool_calls=calls,
        invalid_tool_calls=invalid_calls,
        additional_kwargs={**_select_kept(message), **_select_message(body[EXTRAS])},
        usage_metadata=decode_usage(body['usage']),
        response_metadata=_decode_metadata(body, choice),
        id=body['id'],
    )


def _decode_calls(calls: Iterable[Json]) -> tuple[list[Any], list[Any]]:
    valid: list[Any] = []
    invalid: list[Any] = []
    for call in calls:
        try:
            valid.append(openai_tools.parse_tool_call(call, return_id=True))
        except ValueError as error:  # `OutputParserException` is one
            invalid.append(openai_tools.make_invalid_tool_call(call, str(error)))
    return valid, invalid


def decode_chunk(chunk: Json) -> Any:
    """Return a chunk as an `AIMessageChunk`."""
    choice: Json = chunk['choices'][0] if chunk['choices'] else {}
    delta: Json = choice.get('delta', {})
    extras: Json = chunk.get(EXTRAS, {})
    usage = decode_usage(chunk['usage']) if 'usage' in chunk else None
    metadata: Json = {'model_name': chunk['model'], 'id': chunk['id'], **_decode_extras(extras)} if usage else {}
    return messages.AIMessageChunk(
        content=_add_files(delta.get('content') or '', extras),
        tool_call_chunks=[_decode_call_chunk(call) for call in delta.get('tool_calls', ())],
        additional_kwargs={**_select_kept(delta), **_select_message(extras)},
        usage_metadata=usage,
        response_metadata={**metadata, **_select_finish(choice)},
        id=chunk['id'],
        **({'chunk_position': 'last'} if usage else {}),
    )


def _decode_call_chunk(call: Json) -> Json:
    function: Json = call['function']
    arguments = {'name': function.get('name'), 'args': function.get('arguments')}
    return {'type': 'tool_call_chunk', 'id': call.get('id'), 'index': call['index'], **arguments}


def _decode_metadata(body: Json, choice: Json) -> Json:
    return {'model_name': body['model'], 'id': body['id'], **_decode_extras(body[EXTRAS]), **_select_finish(choice)}


def _select_finish(choice: Json) -> Json:
    return {name: choice[name] for name in ('finish_reason', 'logprobs') if choice.get(name)}


def _decode_extras(extras: Json) -> Json:
    """Return the vendor and the warnings. `model_provider` names the form of content blocks, which is the standard."""
    found = {name: extras[name] for name in ('provider_name', 'warnings') if extras.get(name)}
    return {'model_provider': 'pydantic_llm', **found}


def _select_message(extras: Json) -> Json:
    return {EXTRAS: extras['message']} if 'message' in extras else {}


def _select_kept(message: Json) -> Json:
    return {name: message[name] for name in KEPT_FIELDS if message.get(name)}


def _add_files(text: str, extras: Json) -> str | list[Json]:
    """Return the text, or, if the model generated files, a list of content blocks."""
    parts: list[Json] = extras.get('message', {}).get('parts', ())
    blocks = [_decode_file(part['content']) for part in parts if part['part_kind'] == 'file']
    return [*([{'type': 'text', 'text': text}] if text else []), *blocks] if blocks else text


def _decode_file(content: Json) -> Json:
    kind = content['media_type'].partition('/')[0]
    name = kind if kind in ('image', 'audio', 'video') else 'file'
    return {'type': name, 'base64': content['data'], 'mime_type': content['media_type']}


def decode_usage(usage: Json) -> Json:
    """Return the tokens as `UsageMetadata`."""
    inputs, outputs = usage['prompt_tokens_details'], usage['completion_tokens_details']
    input_details = {
        'audio': inputs['audio_tokens'],
        'cache_read': inputs['cached_tokens'],
        'cache_creation': inputs['cache_write_tokens'],
    }
    output_details = {'audio': outputs['audio_tokens'], 'reasoning': outputs['reasoning_tokens']}
    return {
        'input_tokens': usage['prompt_tokens'],
        'output_tokens': usage['completion_tokens'],
        'total_tokens': usage['total_tokens'],
        'input_token_details': input_details,
        'output_token_details': output_details,
    }
