"""The conversation and the tools of every way, in no library's types."""

from __future__ import annotations

import json
from typing import Any

Entry = tuple[Any, ...]
"""`('system' | 'user' | 'assistant', text)`, `('call', id, name, arguments)` or `('result', id, name, content)`."""

TURN: list[Entry] = [('assistant', 'It is sunny. ' * 5), ('user', 'And tomorrow? ' * 5)]
"""What one more turn adds to a conversation."""

KEY = 'not-a-key'

MODELS = {'chat': 'gpt-4o', 'responses': 'gpt-5', 'anthropic': 'claude-sonnet-5-5', 'gemini': 'gemini-2.5-flash'}

PATHS = {
    'chat': '/v1/chat/completions',
    'responses': '/v1/responses',
    'anthropic': '/v1/messages',
    'gemini': '/v1beta/models/gemini-2.5-flash:generateContent',
}


def make_conversation(messages: int) -> list[Entry]:
    """Return a conversation of about this many messages, in which every fourth is about a tool."""
    entries: list[Entry] = [('system', 'Be brief.'), ('user', 'What is the weather?')]
    while len(entries) < messages:
        number = len(entries)
        if number % 8 == 2:
            call = {'city': 'Paris', 'days': number}
            entries += [('call', f'call_{number}', 'weather', call), ('result', f'call_{number}', 'weather', 'sunny')]
        else:
            entries += TURN
    return entries


def make_tools(count: int) -> list[dict[str, Any]]:
    """Return tools as objects with a name, a description and a JSON schema."""
    schema = {
        'type': 'object',
        'properties': {'city': {'type': 'string'}, 'days': {'type': 'integer'}},
        'required': ['city', 'days'],
        'additionalProperties': False,
    }
    return [{'name': f'tool_{n}', 'description': 'Does something.', 'parameters': schema} for n in range(count)]


# ---------------------------------------------------------------------- bodies of requests, for clients without types


def make_chat_messages(entries: list[Entry]) -> list[dict[str, Any]]:
    """Return the messages of Chat Completions."""
    messages: list[dict[str, Any]] = []
    for role, *rest in entries:
        if role == 'call':
            function = {'name': rest[1], 'arguments': json.dumps(rest[2])}
            call = {'id': rest[0], 'type': 'function', 'function': function}
            messages.append({'role': 'assistant', 'content': None, 'tool_calls': [call]})
        elif role == 'result':
            messages.append({'role': 'tool', 'tool_call_id': rest[0], 'content': rest[2]})
        else:
            messages.append({'role': role, 'content': rest[0]})
    return messages


def make_responses_input(entries: list[Entry]) -> list[dict[str, Any]]:
    """Return the input of Responses."""
    items: list[dict[str, Any]] = []
    for role, *rest in entries:
        if role == 'call':
            arguments = json.dumps(rest[2])
            items.append({'type': 'function_call', 'call_id': rest[0], 'name': rest[1], 'arguments': arguments})
        elif role == 'result':
            items.append({'type': 'function_call_output', 'call_id': rest[0], 'output': rest[2]})
        else:
            items.append({'role': role, 'content': rest[0]})
    return items


def make_blocks(entries: list[Entry]) -> list[dict[str, Any]]:
    """Return the messages of Anthropic, without the system prompt."""
    messages: list[dict[str, Any]] = []
    for role, *rest in entries[1:]:
        if role == 'call':
            block = {'type': 'tool_use', 'id': rest[0], 'name': rest[1], 'input': rest[2]}
        elif role == 'result':
            block = {'type': 'tool_result', 'tool_use_id': rest[0], 'content': rest[2]}
        else:
            block = {'type': 'text', 'text': rest[0]}
        messages.append({'role': 'assistant' if role in ('assistant', 'call') else 'user', 'content': [block]})
    return messages


def make_contents(entries: list[Entry]) -> list[dict[str, Any]]:
    """Return the contents of Gemini, without the system prompt."""
    contents: list[dict[str, Any]] = []
    for role, *rest in entries[1:]:
        if role == 'call':
            part: dict[str, Any] = {'functionCall': {'name': rest[1], 'args': rest[2]}}
        elif role == 'result':
            part = {'functionResponse': {'name': rest[1], 'response': {'result': rest[2]}}}
        else:
            part = {'text': rest[0]}
        contents.append({'role': 'model' if role in ('assistant', 'call') else 'user', 'parts': [part]})
    return contents


def make_body(api: str, entries: list[Entry], tools: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the body of a request that is not streamed."""
    match api:
        case 'chat':
            body = {'model': MODELS[api], 'messages': make_chat_messages(entries)}
            return body | ({'tools': [{'type': 'function', 'function': tool} for tool in tools]} if tools else {})
        case 'responses':
            body = {'model': MODELS[api], 'input': make_responses_input(entries)}
            own = [{'type': 'function', **tool, 'strict': False} for tool in tools]
            return body | ({'tools': own} if tools else {})
        case 'anthropic':
            body = {'model': MODELS[api], 'max_tokens': 1000, 'system': entries[0][1], 'messages': make_blocks(entries)}
            own = [{'input_schema': tool['parameters'], **tool} for tool in tools]
            return body | ({'tools': [_without(tool, 'parameters') for tool in own]} if tools else {})
        case _:
            system = {'parts': [{'text': entries[0][1]}]}
            body = {'contents': make_contents(entries), 'systemInstruction': system}
            own = [{'parametersJsonSchema': tool['parameters'], **tool} for tool in tools]
            declared = [_without(tool, 'parameters') for tool in own]
            return body | ({'tools': [{'functionDeclarations': declared}]} if tools else {})


def extend_body(body: dict[str, Any], turn: list[Entry]) -> None:
    """Add a turn to the body of a request."""
    if 'input' in body:
        body['input'] += make_responses_input(turn)
    elif 'contents' in body:
        body['contents'] += make_contents([('system', ''), *turn])
    elif 'system' in body:
        body['messages'] += make_blocks([('system', ''), *turn])
    else:
        body['messages'] += make_chat_messages(turn)


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
