"""What servers of Chat Completions really send: thinking in odd places, errors with status 200, calls in the text."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from pydantic_core import to_json

from pydantic_llm.exceptions import LLMError, ModelAPIError, RateLimitError
from pydantic_llm.messages import ModelResponse, PartStartEvent, TextPart, ThinkingPart
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.openai.thinking import THINKING_FIELDS
from pydantic_llm.retries.budget import NO_RETRIES, Budget
from pydantic_llm.streaming.thinking import THINK_TAGS
from pydantic_llm.testing.exchange import (
    decode_body,
    decode_events,
    encode_body,
    encode_events,
    encode_stream,
    end_stream,
)
from pydantic_llm.testing.room import Json, Room
from pydantic_llm.testing.samples import make_response, make_text
from pydantic_llm.transport import ByteStream
from pydantic_llm.wire.stream import WireStream
from pydantic_llm.wire.unparsed_calls import CALL_MARKS
from tests.conformance.rooms import ROOMS, groq, huggingface, litellm, mistral, openai_chat
from tests.replay import replay

CHAT_ROOMS = (openai_chat.ROOM, groq.ROOM, huggingface.ROOM, litellm.ROOM, mistral.ROOM)
chat_rooms = pytest.mark.parametrize('room', CHAT_ROOMS, ids=repr)
rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)


def chat_body(message: Json | None) -> Json:
    return {'choices': [{'index': 0, 'message': message, 'finish_reason': 'stop'}]}


def chunk(delta: Json | None, finish_reason: str | None = None) -> Json:
    return {'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish_reason}]}


STOP = chunk({}, 'stop')


def decode_text(room: Room, text: str) -> tuple[ModelResponse, ModelResponse]:
    """Decode a text, whole and character by character; assert that the events lead to the parts."""
    streamed, events = decode_events(room, [*(chunk({'content': character}) for character in text), STOP])
    assert replay(events) == streamed.parts
    return decode_body(room, chat_body({'content': text})), streamed


def list_texts(response: ModelResponse) -> list[tuple[str, str]]:
    """Return the kind and the content of each part of text or thinking."""
    return [(part.part_kind, part.content) for part in response.parts if isinstance(part, (TextPart, ThinkingPart))]


# ---------------------------------------------------------------------- thinking


@chat_rooms
@pytest.mark.parametrize(('start', 'end'), [tags[:2] for tags in THINK_TAGS], ids=[tags[0] for tags in THINK_TAGS])
def test_thinking_between_tags_of_every_spelling_is_thinking(room: Room, start: str, end: str) -> None:
    for response in decode_text(room, f'\n{start}Hm.{end}\n\nHello.'):
        assert list_texts(response) == [('thinking', 'Hm.'), ('text', '\n\nHello.')]


@chat_rooms
def test_the_channels_of_gpt_oss_are_thinking_and_text(room: Room) -> None:
    analysis = '<|channel|>analysis<|message|>Hm.<|end|>'
    final = '<|channel|>final<|message|>Hello.'
    for text in (f'{analysis}<|start|>assistant{final}', f'<|start|>assistant{analysis}{final}'):
        for response in decode_text(room, text):
            assert list_texts(response) == [('thinking', 'Hm.'), ('text', 'Hello.')]
    for response in decode_text(room, final):
        assert list_texts(response) == [('text', 'Hello.')]


@pytest.mark.parametrize('start', ['<thinking>', '[THINK]'])
def test_with_tags_of_its_own_a_profile_has_no_others(start: str) -> None:
    model = openai_chat.OpenAIModel('m', api_key='k', profile={'thinking_tags': ('<hm>', '</hm>')})
    reader = model.new_reader()
    reader.decode(chat_body({'content': f'{start}a'}))
    assert list_texts(reader.draft.get()) == [('text', f'{start}a')]


@chat_rooms
@pytest.mark.parametrize('end', ['</think>', '[/THINK]', '◁/think▷', '</seed:think>'])
def test_an_end_tag_without_its_start_tag_ends_thinking(room: Room, end: str) -> None:
    for response in decode_text(room, f'So a < b.{end}\n\nHello, `x`.'):
        assert list_texts(response) == [('thinking', 'So a < b.'), ('text', '\n\nHello, `x`.')]


@pytest.mark.parametrize(
    'text',
    [
        '</think>Hello.',
        'Write `</think>` after it.',
        'Write "</think>" after it.',
        'It is <think>Hm.</think> then.',
        '```\nHm.\n</think>\n```',
        '~~~\nHm.\n</think>\n~~~',
        'Match `.*</think>` first.',
        '{"pattern": ".*</think>", "quote": "\\\\"}',
        ' [{"say": "\\"Hm.</think>"}]',
        'a </thin> b',
    ],
)
def test_a_text_that_mentions_an_end_tag_stays_text(text: str) -> None:
    for response in decode_text(openai_chat.ROOM, text):
        assert list_texts(response) == [('text', text)]


@chat_rooms
def test_thinking_may_mention_its_end_tag(room: Room) -> None:
    for response in decode_text(room, 'After `</think>` I answer.\n</think>Hello.'):
        assert list_texts(response) == [('thinking', 'After `</think>` I answer.\n'), ('text', 'Hello.')]


def test_an_end_tag_after_thinking_in_a_field_stays_text() -> None:
    message = {'reasoning_content': 'Hm.', 'content': 'a</think>b'}
    assert list_texts(decode_body(openai_chat.ROOM, chat_body(message))) == [
        ('thinking', 'Hm.'),
        ('text', 'a</think>b'),
    ]


def test_a_part_that_turns_out_to_be_thinking_starts_again() -> None:
    _, events = decode_events(openai_chat.ROOM, [chunk({'content': 'Hm.'}), chunk({'content': '</think>Hi'}), STOP])
    starts = [(event.index, event.part.part_kind) for event in events if isinstance(event, PartStartEvent)]
    assert starts == [(0, 'text'), (0, 'thinking'), (1, 'text')]


PREFILLED = {'thinking_tag_is_prefilled': True}


@rooms
@pytest.mark.parametrize('is_prefilled', [False, True])
def test_a_server_sends_on_what_turned_out_to_be_of_another_kind(room: Room, is_prefilled: bool) -> None:
    """A model behind the server begins as text and turns out to be thinking, or the other way round."""
    model = openai_chat.OpenAIModel('m', api_key='k', profile={'thinking_tag_is_prefilled': is_prefilled})
    reader, received = model.new_reader(), []
    for piece in ('So ', 'on') if is_prefilled else ('So ', 'on', '</think>', 'Hello'):
        reader.decode_event(chunk({'content': piece}))
        received += reader.draft.parts.take_events()
    reader.decode_event(STOP)
    end_stream(reader)
    started, ended = encode_stream(room, reader.draft.get(), [*received, *reader.draft.parts.take_events()])
    response, events = decode_events(room, [*started, *ended])
    assert replay(events) == response.parts
    texts = list_texts(response)
    assert ''.join(content for kind, content in texts if kind == 'text') == ('So on' if is_prefilled else 'So onHello')
    assert all(content == 'So on' for kind, content in texts if kind == 'thinking')


@pytest.mark.parametrize(
    ('pieces', 'finish_reason', 'texts'),
    [
        (['Hm', '.</th', 'ink>Hi'], 'stop', [('thinking', 'Hm.'), ('text', 'Hi')]),
        (['<think>Hm', '.</think>', 'Hi'], 'stop', [('thinking', 'Hm.'), ('text', 'Hi')]),
        (['Hm', '.'], 'length', [('thinking', 'Hm.')]),
        (['Hi', '.'], 'stop', [('text', 'Hi.')]),
    ],
)
def test_a_profile_can_open_the_thinking(pieces: list[str], finish_reason: str, texts: Any) -> None:
    reader = openai_chat.OpenAIModel('m', api_key='k', profile=PREFILLED).new_reader()
    for piece in pieces:
        reader.decode_event(chunk({'content': piece}))
    kinds = [event.part.part_kind for event in reader.draft.parts.events if isinstance(event, PartStartEvent)]
    assert kinds[0] == 'thinking'
    reader.decode_event(chunk({}, finish_reason))
    reader.end()
    assert list_texts(reader.draft.get()) == texts


def test_a_parsed_response_is_text_though_the_profile_opens_the_thinking() -> None:
    reader = openai_chat.OpenAIModel('m', api_key='k', profile=PREFILLED).new_reader()
    for delta in ({'reasoning': 'Hm.'}, {'content': 'Hi'}):
        reader.decode_event(chunk(delta))
    reader.decode_event(STOP)
    reader.end()
    assert list_texts(reader.draft.get()) == [('thinking', 'Hm.'), ('text', 'Hi')]


@chat_rooms
@pytest.mark.parametrize('field', THINKING_FIELDS)
def test_thinking_is_read_from_every_field_in_use(room: Room, field: str) -> None:
    whole = decode_body(room, chat_body({field: 'Hm.', 'content': 'Hi'}))
    streamed, _ = decode_events(
        room, [chunk({field: 'H'}), chunk({field: 'm.', 'content': None}), chunk({'content': 'Hi'}), STOP]
    )
    for response in (whole, streamed):
        assert list_texts(response) == [('thinking', 'Hm.'), ('text', 'Hi')]
        assert [part.id for part in response.parts if isinstance(part, ThinkingPart)] == [field]


@chat_rooms
@pytest.mark.parametrize(
    'message',
    [
        {'reasoning': {'content': 'Hm.'}},
        {'reasoning_content': [{'type': 'text', 'text': 'Hm.'}]},
        {'reasoning': 'Hm.', 'reasoning_content': 'Hm.'},
        {'thinking_blocks': [{'type': 'thinking', 'thinking': 'Hm.'}]},
    ],
)
def test_thinking_in_another_shape_is_read_once(room: Room, message: Json) -> None:
    assert list_texts(decode_body(room, chat_body({**message, 'content': 'Hi'}))) == [
        ('thinking', 'Hm.'),
        ('text', 'Hi'),
    ]


# ---------------------------------------------------------------------- errors with status 200

ERRORS: list[Json] = [
    {'error': 'Too many tokens'},
    {'error': {'message': 'Too many tokens'}},
    {'error': {'message': 'Too many tokens'}, 'choices': []},
    {'error': True, 'message': 'Too many tokens'},
    {'object': 'error', 'message': 'Too many tokens', 'type': 'BadRequestError', 'code': 400},
    {'type': 'error', 'error': {'type': 'x', 'message': 'Too many tokens'}},
    {'code': 500, 'msg': 'Too many tokens', 'success': False},
    {'code': 'InvalidParameter', 'message': 'Too many tokens', 'request_id': 'r'},
    {'error_code': 17, 'error_msg': 'Too many tokens'},
    {'detail': 'Too many tokens'},
    {'errors': [{'message': 'Too many tokens'}]},
    {'base_resp': {'status_code': 1000, 'status_msg': 'Too many tokens'}, 'choices': None},
]


@chat_rooms
@pytest.mark.parametrize('error', ERRORS, ids=str)
def test_an_error_with_status_200_is_raised_in_whatever_shape(room: Room, error: Json) -> None:
    with pytest.raises(ModelAPIError, match='Too many tokens'):
        decode_body(room, error)
    with pytest.raises(ModelAPIError, match='Too many tokens'):
        decode_events(room, [chunk({'content': 'Hi'}), error])


def test_a_code_of_minimax_has_the_status_of_its_kind() -> None:
    with pytest.raises(RateLimitError, match='slow down'):
        decode_body(openai_chat.ROOM, {'choices': None, 'base_resp': {'status_code': 1002, 'status_msg': 'slow down'}})


HARMLESS: list[Json] = [
    {'error': None},
    {'error': {}},
    {'error': ''},
    {'error': {'message': None, 'code': None}},
    {'base_resp': {'status_code': 0, 'status_msg': ''}},
    {'type': 'ping'},
    {'choices': None},
    {'choices': []},
    {'status': 'processing', 'message': 'Wait.'},
]


@chat_rooms
@pytest.mark.parametrize('fields', HARMLESS, ids=str)
def test_what_is_no_error_does_not_end_a_response(room: Room, fields: Json) -> None:
    streamed, _ = decode_events(room, [fields, chunk(None), chunk({'content': 'Hi'}), fields, STOP])
    assert (streamed.text, streamed.state) == ('Hi', 'complete')
    if 'choices' not in fields:
        assert decode_body(room, {**chat_body({'content': 'Hi'}), **fields}).text == 'Hi'


@chat_rooms
def test_a_vendor_behind_a_gateway_can_break_a_response_off(room: Room) -> None:
    end = {'index': 0, 'finish_reason': 'stop', 'native_finish_reason': 'network_error'}
    whole = decode_body(room, {'choices': [{**end, 'message': {'content': 'H'}}]})
    streamed, _ = decode_events(room, [chunk({'content': 'H'}), {'choices': [{**end, 'delta': {}}]}])
    for response in (whole, streamed):
        assert (response.text, response.state, response.finish_reason) == ('H', 'incomplete', 'error')


@chat_rooms
def test_a_message_that_is_null_has_no_parts(room: Room) -> None:
    assert decode_body(room, chat_body(None)).parts == []


# ---------------------------------------------------------------------- tool calls in the text


@rooms
@pytest.mark.parametrize(
    'text', [f'So: {mark}look' for mark in CALL_MARKS] + ['{"name": "look", "arguments": {}}', '[look(x=1)]']
)
def test_a_text_that_looks_like_a_tool_call_is_warned_of(room: Room, text: str) -> None:
    sent = make_response(room, make_text(room, text))
    reader = room.build().new_reader(tool_names=['look'])
    reader.decode(encode_body(room, sent))
    assert [warning for warning in reader.draft.warnings if 'looks like a tool call' in warning] != []
    started, ended = encode_events(room, sent, list)
    reader = room.build().new_reader(tool_names=['look'])
    for event in [*started, *ended]:
        reader.decode_event(event)
    reader.end()
    assert [warning for warning in reader.draft.warnings if 'looks like a tool call' in warning] != []


@pytest.mark.parametrize(
    'text',
    [
        '<tool_call>\n{"name": "add"}',
        '<tool_call>add\n<arg_key>x</arg_key>',
        '<function=add>\n<parameter=x>',
        '[TOOL_CALLS]add[ARGS]{}',
    ],
)
def test_a_call_of_an_unknown_tool_in_the_text_is_warned_of(text: str) -> None:
    reader = openai_chat.ROOM.build().new_reader(tool_names=['look'])
    reader.decode(chat_body({'content': f'So: {text}'}))
    assert len(reader.draft.warnings) == 1


@pytest.mark.parametrize(
    ('message', 'names'),
    [
        ({'content': '<tool_call>{}'}, []),
        ({'content': 'I would look (at it).'}, ['look']),
        ({'content': '{"name": "Ann", "input": 1}'}, ['look']),
        (
            {'content': '<tool_call>', 'tool_calls': [{'id': 'a', 'function': {'name': 'look', 'arguments': ''}}]},
            ['look'],
        ),
        ({'reasoning': 'A <tool_call>?', 'content': 'Hi'}, ['look']),
        ({'content': 'Hermes writes <tool_call> before a call and </tool_call> after it.'}, ['look']),
        ({'content': 'Write `<tool_call>{"name": "look"}`.'}, ['look']),
        ({'content': 'So:\n```\n<tool_call>\n{"name": "add"}\n</tool_call>\n```'}, ['look']),
        ({'content': 'The header to=functions.name names the tool, <function=name> does too.'}, ['look']),
    ],
)
def test_other_texts_are_not_warned_of(message: Json, names: list[str]) -> None:
    reader = openai_chat.ROOM.build().new_reader(tool_names=names)
    reader.decode(chat_body(message))
    assert reader.draft.warnings == []


# ---------------------------------------------------------------------- bytes


class Bytes(ByteStream):
    """A stream of bytes in memory."""

    def __init__(self, chunks: list[bytes], content_type: str) -> None:
        self.headers = {'content-type': content_type}
        self._chunks = [b'', *reversed(chunks)]

    async def read(self) -> bytes:
        return self._chunks.pop() if self._chunks else b''

    def progress(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def read_bytes(data: bytes, content_type: str = 'text/event-stream') -> ModelResponse:
    """Decode bytes as the body of a response that is not streamed."""
    reader = openai_chat.ROOM.build().new_reader()
    reader.read_body(data, {'content-type': content_type})
    return reader.draft.get()


async def read_stream(chunks: list[bytes], content_type: str, kind: type[Bytes] = Bytes) -> ModelResponse:
    """Decode a stream that arrives in these chunks."""

    async def open_bytes() -> ByteStream:
        raise AssertionError('the request must not be sent again')

    stream = WireStream(
        kind(chunks, content_type),
        ModelRequestParameters(),
        budget=Budget(NO_RETRIES),
        new_reader=openai_chat.ROOM.build().new_reader,
        open_bytes=open_bytes,
    )
    async for _ in stream:
        pass
    return stream.get()


HI = b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n'
END = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
BODY = b'{"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}'


@pytest.mark.parametrize(
    'data',
    [
        HI + END + b'data: [DONE] \n\n',
        HI + END + b'data:[DONE]',
        HI.replace(b'data: ', b'data:') + END,
        b'data: null\n\n' + HI + b'data: {}\n\n: ping\n\ndata: ""\n\n' + END,
        HI.replace(b'\n\n', b'\n') + END.replace(b'\n\n', b'\n') + b'data: [DONE]\n',
        HI + END + b'data: not JSON\n\n',
        HI + END + b'data: [DONE]\n\ndata: {"choices": [{"delta": {"content": "junk"}}]}\n\n',
        HI + END + b'data: [DONE]\n\n{"junk": 1',
        BODY,
        b'\n\n \n' + BODY,
        b'data: ' + BODY + b'\n\ndata: [DONE]\n\n',
        BODY + b'\n\ndata: [DONE]\n\n',
    ],
)
@pytest.mark.parametrize('content_type', ['text/event-stream', 'application/json', 'text/plain; charset=utf-8'])
async def test_a_response_is_read_from_odd_bytes(data: bytes, content_type: str) -> None:
    byte_by_byte = [data[at : at + 1] for at in range(len(data))]
    for response in (
        read_bytes(data, content_type),
        await read_stream([data], content_type),
        await read_stream(byte_by_byte, content_type),
    ):
        assert (response.text, response.finish_reason, response.state) == ('Hi', 'stop', 'complete')


class PausingBytes(Bytes):
    """Bytes that pause before each chunk for longer than a server may take after the end of its response."""

    async def read(self) -> bytes:
        await asyncio.sleep(0.02)
        return await super().read()


def write_chunk(finish_reason: str | None, **delta: str) -> bytes:
    return b'data: %b\n\n' % to_json({'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish_reason}]})


@pytest.mark.parametrize('reason', ['null', 'None', 'stop'])
async def test_a_finish_reason_before_the_end_truncates_nothing(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.setattr('pydantic_llm.wire.stream.USAGE_TIMEOUT', 0.01)
    first = [write_chunk(reason), write_chunk(reason)]  # while the model thinks
    texts = [write_chunk(None, content='H') + write_chunk(reason, content='i'), write_chunk(reason), END]
    response = await read_stream([*first, *texts], 'text/event-stream', PausingBytes)
    assert (response.text, response.finish_reason, response.state) == ('Hi', 'stop', 'complete')


def test_the_fragments_of_a_refusal_are_joined_once() -> None:
    reader = openai_chat.ROOM.build().new_reader()
    started = time.process_time()
    for _ in range(20_000):
        reader.decode_event(chunk({'refusal': 'I can not. ' * 20}))
    assert len((reader.draft.get().provider_details or {})['refusal']) == 20_000 * 220
    assert time.process_time() - started < 4, 'a refusal costs the square of its length'


def test_junk_after_the_end_is_warned_of() -> None:
    assert read_bytes(HI + END + b'data: not JSON\n\n').warnings != []


@pytest.mark.parametrize('data', [HI + b'data: not JSON\n\n', b'data: not JSON\n\n', b''])
def test_junk_before_the_end_is_an_error(data: bytes) -> None:
    with pytest.raises(LLMError):
        read_bytes(data)


@pytest.mark.parametrize(
    'data',
    [
        b'error: {"code": 400, "message": "Too many tokens", "type": "invalid_request_error"}\n\ndata: [DONE]\n\n',
        HI + b'error: {"code": 400, "message": "Too many tokens"}\n\ndata: [DONE]\n\n',
        HI + b'{"error": {"message": "Too many tokens"}}\n\n',
        b'{"error": {"message": "Too many tokens"}}',
        HI + b'event: error\ndata: {"error": "Too many tokens"}\n\n',
    ],
)
def test_an_error_is_raised_from_odd_bytes(data: bytes) -> None:
    with pytest.raises(ModelAPIError, match='Too many tokens'):
        read_bytes(data)
