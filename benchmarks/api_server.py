"""A server on loopback with the APIs of OpenAI, Anthropic and Gemini: `python -m benchmarks.api_server`.

It prints its port. The first segment of a path says what it responds: `/plain`, `/calls` (ten tool calls), `/slow`
(after `LATENCY`), `/paced` (a stream with a pause before each chunk), `/agent` (a tool call until five have results).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

CHUNKS = 500
"""The text chunks of a stream, and those of a `/paced` one."""
PACED_CHUNKS = 100

PAUSE = 0.02
"""Seconds before each chunk of a `/paced` stream."""

LATENCY = 0.1
"""Seconds before a `/slow` response."""

CALLS = 10
TOOL_ROUNDS = 5
TEXT = 'It is sunny.'
WORDS = (' sunny', ' windy', ' with', ' some', ' rain')
"""The text of the chunks. LiteLLM takes a chunk that is repeated for a fault of the model."""
ARGS = {'city': 'Paris', 'days': 3}


def list_words(count: int) -> list[str]:
    return [WORDS[n % len(WORDS)] for n in range(count)]


def encode_events(events: Sequence[Json], *, is_named: bool = False, is_done: bool = False) -> list[bytes]:
    """Encode the events as server-sent events, one `bytes` each."""
    names = [f'event: {event["type"]}\n' if is_named else '' for event in events]
    frames = [f'{name}data: {json.dumps(event)}\n\n' for name, event in zip(names, events, strict=True)]
    return [frame.encode() for frame in (*frames, *(['data: [DONE]\n\n'] if is_done else []))]


# ---------------------------------------------------------------------- Chat Completions

CHAT = {'id': 'chatcmpl-1', 'created': 1700000000, 'model': 'gpt-4o-2024-08-06', 'system_fingerprint': 'fp_1'}
CHAT_USAGE = {'prompt_tokens': 100, 'completion_tokens': 50, 'total_tokens': 150}


def chat_body(calls: int) -> Json:
    function = {'name': 'weather', 'arguments': json.dumps(ARGS)}
    message: Json = {'role': 'assistant', 'content': None if calls else TEXT}
    if calls:
        message['tool_calls'] = [{'id': f'call_{n}', 'type': 'function', 'function': function} for n in range(calls)]
    choice = {'index': 0, 'message': message, 'logprobs': None, 'finish_reason': 'tool_calls' if calls else 'stop'}
    return {**CHAT, 'object': 'chat.completion', 'choices': [choice], 'usage': CHAT_USAGE}


def chat_stream(chunks: int) -> list[bytes]:
    deltas: list[Json] = [{'role': 'assistant', 'content': ''}, *({'content': word} for word in list_words(chunks)), {}]
    choices = [{'index': 0, 'delta': delta, 'logprobs': None, 'finish_reason': None} for delta in deltas]
    choices[-1]['finish_reason'] = 'stop'
    base = {**CHAT, 'object': 'chat.completion.chunk'}
    events = [{**base, 'choices': [choice], 'usage': None} for choice in choices]
    return encode_events([*events, {**base, 'choices': [], 'usage': CHAT_USAGE}], is_done=True)


# ---------------------------------------------------------------------- Responses

RESPONSE = {'id': 'resp_1', 'object': 'response', 'created_at': 1700000000, 'model': 'gpt-5', 'error': None}
RESPONSE_USAGE = {'input_tokens': 100, 'output_tokens': 50, 'total_tokens': 150}


def make_message_item(text: str) -> Json:
    content = [{'type': 'output_text', 'text': text, 'annotations': []}]
    return {'id': 'msg_1', 'type': 'message', 'status': 'completed', 'role': 'assistant', 'content': content}


def responses_body(calls: int) -> Json:
    call = {'type': 'function_call', 'status': 'completed', 'name': 'weather', 'arguments': json.dumps(ARGS)}
    items = [{**call, 'id': f'fc_{n}', 'call_id': f'call_{n}'} for n in range(calls)] or [make_message_item(TEXT)]
    extra: Json = {'tools': [], 'tool_choice': 'auto', 'parallel_tool_calls': True}
    return {**RESPONSE, **extra, 'status': 'completed', 'output': items, 'usage': RESPONSE_USAGE}


def responses_stream(chunks: int) -> list[bytes]:
    response = {**responses_body(0), 'status': 'in_progress', 'output': [], 'usage': None}
    place = {'item_id': 'msg_1', 'output_index': 0, 'content_index': 0}
    text = ''.join(list_words(chunks))
    item, empty = make_message_item(text), {'type': 'output_text', 'text': '', 'annotations': []}
    start = {**item, 'status': 'in_progress', 'content': []}
    delta = {'type': 'response.output_text.delta', **place, 'logprobs': [], 'obfuscation': 'aXb3'}
    events: list[Json] = [
        {'type': 'response.created', 'response': response},
        {'type': 'response.output_item.added', 'output_index': 0, 'item': start},
        {'type': 'response.content_part.added', **place, 'part': empty},
        *({**delta, 'delta': word} for word in list_words(chunks)),
        {'type': 'response.output_text.done', **place, 'text': text, 'logprobs': []},
        {'type': 'response.content_part.done', **place, 'part': {**empty, 'text': text}},
        {'type': 'response.output_item.done', 'output_index': 0, 'item': item},
        {'type': 'response.completed', 'response': {**responses_body(0), 'output': [item]}},
    ]
    return encode_events([{**event, 'sequence_number': n} for n, event in enumerate(events)], is_named=True)


# ---------------------------------------------------------------------- Messages

MESSAGE = {'id': 'msg_1', 'type': 'message', 'role': 'assistant', 'model': 'claude-sonnet-5-5', 'stop_sequence': None}
MESSAGE_USAGE = {'input_tokens': 100, 'output_tokens': 50}


def anthropic_body(calls: int) -> Json:
    call = {'type': 'tool_use', 'name': 'weather', 'input': ARGS}
    content = [{**call, 'id': f'toolu_{n}'} for n in range(calls)] or [{'type': 'text', 'text': TEXT}]
    return {**MESSAGE, 'content': content, 'stop_reason': 'tool_use' if calls else 'end_turn', 'usage': MESSAGE_USAGE}


def anthropic_stream(chunks: int) -> list[bytes]:
    deltas = [{'type': 'text_delta', 'text': word} for word in list_words(chunks)]
    end = {'stop_reason': 'end_turn', 'stop_sequence': None}
    message = {**MESSAGE, 'content': [], 'stop_reason': None, 'usage': MESSAGE_USAGE}
    events: list[Json] = [
        {'type': 'message_start', 'message': message},
        {'type': 'content_block_start', 'index': 0, 'content_block': {'type': 'text', 'text': ''}},
        *({'type': 'content_block_delta', 'index': 0, 'delta': delta} for delta in deltas),
        {'type': 'content_block_stop', 'index': 0},
        {'type': 'message_delta', 'delta': end, 'usage': MESSAGE_USAGE},
        {'type': 'message_stop'},
    ]
    return encode_events(events, is_named=True)


# ---------------------------------------------------------------------- Gemini


def count_gemini(tokens: int) -> Json:
    details = [{'modality': 'TEXT', 'tokenCount': 100}]
    counts = {'promptTokenCount': 100, 'candidatesTokenCount': tokens, 'totalTokenCount': tokens + 100}
    return {'usageMetadata': {**counts, 'promptTokensDetails': details}, 'modelVersion': 'gemini', 'responseId': '1'}


def make_candidates(parts: list[Json], finish_reason: str | None = 'STOP') -> list[Json]:
    candidate: Json = {'content': {'parts': parts, 'role': 'model'}, 'index': 0}
    return [{**candidate, 'finishReason': finish_reason} if finish_reason else candidate]


def gemini_body(calls: int) -> Json:
    parts: list[Json] = [{'functionCall': {'name': 'weather', 'args': ARGS}}] * calls or [{'text': TEXT}]
    return {'candidates': make_candidates(parts), **count_gemini(50)}


def gemini_stream(chunks: int) -> list[bytes]:
    reasons = [*[None] * (chunks - 1), 'STOP']
    return encode_events(
        [
            {'candidates': make_candidates([{'text': word}], reason), **count_gemini(n + 1)}
            for n, (word, reason) in enumerate(zip(list_words(chunks), reasons, strict=True))
        ]
    )


APIS = {
    '/chat/completions': (chat_body, chat_stream),
    '/responses': (responses_body, responses_stream),
    '/messages': (anthropic_body, anthropic_stream),
    ':generatecontent': (gemini_body, gemini_stream),
    ':streamgeneratecontent': (gemini_body, gemini_stream),
}
"""The end of a path -> what the API responds."""

STREAMS = {
    (path, chunks): [b'%x\r\n%s\r\n' % (len(frame), frame) for frame in stream(chunks)]
    for path, (_, stream) in APIS.items()
    for chunks in (CHUNKS, PACED_CHUNKS)
}
BODIES = {
    (path, calls): json.dumps(body(calls)).encode() for path, (body, _) in APIS.items() for calls in (0, CALLS, 1)
}


async def _respond(head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
    target = head.split(' ', 2)[1].partition('?')[0]
    kind, path = target.split('/')[1], next(path for path in APIS if target.endswith(path))
    if kind == 'slow':
        await asyncio.sleep(LATENCY)
    if ':stream' in path or b'"stream":true' in body.replace(b' ', b''):
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n')
        for frame in STREAMS[path, PACED_CHUNKS if kind == 'paced' else CHUNKS]:
            writer.write(frame)
            await asyncio.sleep(PAUSE if kind == 'paced' else 0)
        writer.write(b'0\r\n\r\n')
        return
    is_calling = kind == 'agent' and body.count(b'"tool_call_id"') < TOOL_ROUNDS
    whole = BODIES[path, CALLS if kind == 'calls' else int(is_calling)]
    writer.write(
        b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n' % len(whole) + whole
    )


async def _handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := (await reader.readuntil(b'\r\n\r\n')).decode().lower():
            length = next(line for line in head.split('\r\n') if line.startswith('content-length:'))
            await _respond(head, await reader.readexactly(int(length.partition(':')[2])), writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Print the port, and serve until the process ends."""
    listening = await asyncio.start_server(_handle_connection, '127.0.0.1', 0, backlog=4096)
    sys.stdout.write(f'{listening.sockets[0].getsockname()[1]}\n')
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == '__main__':
    asyncio.run(main())
