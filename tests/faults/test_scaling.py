"""Nothing is quadratic: the time of every reader and merger grows no faster than the size of its input.

Rooms are in `test_scaling_rooms`. A reader that reads everything again for each fragment, or copies a list for each
item, is slow for long responses, and a server or a client can choose how long that takes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import pydantic_llm
from pydantic_llm.exceptions import LLMError
from pydantic_llm.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.local.detokenize import Detokenizer
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.streaming.parts import PartsManager
from pydantic_llm.streaming.stops import StopMatcher
from pydantic_llm.streaming.text_calls.forced import ForcedReader
from pydantic_llm.streaming.text_calls.formats import CALL_FORMATS
from pydantic_llm.streaming.thinking import HEADERS, THINK_TAGS, ThinkTags
from pydantic_llm.testing.exchange import decode_events
from pydantic_llm.testing.room import Room
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.transport.eventstream import FrameSplitter, encode_frame
from pydantic_llm.transport.sse import EventSplitter
from pydantic_llm.wire.surrogates import SurrogateJoiner
from tests.conformance.rooms import ROOMS
from tests.faults.scaling import FACTORS, Work, assert_linear, is_linear, measure

Json = dict[str, Any]

# ---------------------------------------------------------------------- the measurement itself


def _copy_a_list(count: int) -> Callable[[], object]:
    def run() -> None:
        items: list[int] = []
        for item in range(count):
            items = [*items, item]

    return run


def test_a_list_that_is_copied_for_each_item_is_found() -> None:
    assert not is_linear(measure(Work('copies', _copy_a_list, 2000)))


def test_a_list_that_grows_is_linear() -> None:
    assert_linear(Work('appends', lambda count: lambda: [str(item) for item in range(count)], 20_000))


# ---------------------------------------------------------------------- events of a stream


def anthropic(delta: Json, index: object = 0) -> Json:
    return {'type': 'content_block_delta', 'index': index, 'delta': delta}


def anthropic_start(block: Json, index: int = 0) -> Json:
    return {'type': 'content_block_start', 'index': index, 'content_block': block}


def bedrock(delta: Json, index: int = 0) -> Json:
    return {'contentBlockDelta': {'contentBlockIndex': index, 'delta': delta}}


def cohere(type: str, index: int, **message: Any) -> Json:
    return {'type': type, 'index': index, 'delta': {'message': message}}


def gemini(*parts: Json, **fields: Any) -> Json:
    return {'candidates': [{'index': 0, 'content': {'role': 'model', 'parts': [*parts]}, **fields}]}


def chat(**delta: Any) -> Json:
    return {'id': 'x', 'choices': [{'index': 0, 'delta': delta}]}


def chat_call(index: int | None = 0, id: str | None = None, **function: Any) -> Json:
    return chat(tool_calls=[{'index': index, 'id': id, 'function': function}])


def responses(type: str, index: int | None = 0, **fields: Any) -> Json:
    return {'type': f'response.{type}', 'item_id': f'it{index}', 'output_index': index, **fields}


def item(type: str, number: int, **fields: Any) -> Json:
    return {'type': type, 'id': f'it{number}', **fields}


def call_item(number: int, args: str = '') -> Json:
    return item('function_call', 0, name='look', call_id=f'c{number}', arguments=args)


TOKEN = {'token': 'a', 'logprob': -1, 'bytes': [97], 'top_logprobs': []}
TRUNCATED_CALL = responses('output_item.done', item=call_item(0, '{"a": "'))

EVENTS: dict[str, tuple[list[Json], Callable[[int], Json]]] = {
    'anthropic: citations': (
        [anthropic_start({'type': 'text', 'text': ''})],
        lambda i: anthropic({'type': 'citations_delta', 'citation': {'number': i}}),
    ),
    'anthropic: texts of an unknown block': (
        [anthropic_start({'type': 'new', 'text': ''})],
        lambda _: anthropic({'type': 'new_delta', 'text': 'abcd' * 20}),
    ),
    'anthropic: citations of an unknown block': (
        [anthropic_start({'type': 'new'})],
        lambda i: anthropic({'type': 'citations_delta', 'citation': {'number': i}}),
    ),
    'anthropic: blocks without an end': ([], lambda i: anthropic_start({'type': 'text', 'text': 'a'}, i)),
    'anthropic: deltas without a block': (
        [anthropic_start({'type': 'text', 'text': 'a'}, index) for index in range(500)],
        lambda _: anthropic({'type': 'input_json_delta', 'partial_json': 'a'}, 'none'),
    ),
    'anthropic: thinking and text in one block': (
        [],
        lambda i: anthropic([{'type': 'text_delta', 'text': 'a'}, {'type': 'thinking_delta', 'thinking': 'a'}][i % 2]),
    ),
    'anthropic: ends': ([], lambda _: {'type': 'message_stop'}),
    'bedrock: citations': ([], lambda i: bedrock({'citation': {'number': i}})),
    'bedrock: encrypted thinking': ([], lambda _: bedrock({'reasoningContent': {'redactedContent': 'YWJjZGVm' * 4}})),
    'bedrock: blocks without an end': ([], lambda i: bedrock({'text': 'a'}, i)),
    'cohere: citations': (
        [cohere('content-delta', 0, content={'text': 'a'})],
        lambda i: cohere('citation-start', i, citations={'number': i}),
    ),
    'cohere: log probabilities': (
        [],
        lambda _: {**cohere('content-delta', 0, content={'text': 'a'}), 'logprobs': {'text': 'a', 'logprobs': [-1]}},
    ),
    'gemini: citations': ([], lambda i: gemini(citationMetadata={'citationSources': [{'number': i}]})),
    'gemini: log probabilities': (
        [],
        lambda _: gemini({'text': 'a'}, logprobsResult={'chosenCandidates': [{'token': 'a', 'logProbability': -1}]}),
    ),
    'openai-chat: whitespace': ([], lambda _: chat(content='  ')),
    'openai-chat: whitespace after thinking': ([chat(content='<think>a</think>')], lambda _: chat(content=' ')),
    'openai-chat: blocks of thinking': ([], lambda _: chat(content='<think>a</think>')),
    'openai-chat: beginnings of tags': ([chat(content='<think>')], lambda _: chat(content='</thin')),
    'openai-chat: ends of tags': ([], lambda _: chat(content='`</think>` ')),
    'openai-chat: refusals': ([], lambda _: chat(refusal='abcd' * 10)),
    'openai-chat: annotations': ([], lambda i: chat(annotations=[{'number': i}])),
    'openai-chat: log probabilities': (
        [],
        lambda _: {'choices': [{'delta': {'content': 'a'}, 'logprobs': {'content': [TOKEN]}}]},
    ),
    'openai-chat: pieces of arguments': ([chat_call(name='look')], lambda _: chat_call(arguments='abcd')),
    'openai-chat: arguments that begin again': (
        [chat_call(id='a', name='look', arguments=f' {{"a": "{"x" * 20_000}"}}')],
        lambda _: chat_call(id='a', name='look', arguments='{"b": 1}'),
    ),
    'openai-chat: arguments before their name': ([], lambda _: chat_call(id='a', arguments='abcd' * 20)),
    'openai-chat: calls at one index': ([], lambda i: chat_call(id=f'c{i}', name='look', arguments='{}')),
    'openai-chat: pieces of names': ([], lambda i: chat_call(i // 2, name=('lo', 'ok')[i % 2])),
    'openai-chat: half characters': ([], lambda _: chat(content='a\ud83d')),
    'mistral: references': (
        [],
        lambda i: chat(content=[{'type': 'thinking', 'thinking': [{'type': 'reference', 'reference_ids': [i]}]}]),
    ),
    'openai-responses: messages': ([], lambda i: responses('output_text.delta', i, content_index=0, delta='abcd')),
    'openai-responses: texts of a message': ([], lambda i: responses('output_text.delta', content_index=i, delta='a')),
    'openai-responses: items of one id': ([], lambda _: responses('output_item.added', item=item('message', 0))),
    'openai-responses: calls of one id': ([], lambda i: responses('output_item.added', item=call_item(i))),
    'openai-responses: whole calls of one id': (
        [],
        lambda i: responses('output_item.done', item=call_item(i, '{}')),
    ),
    'openai-responses: whole messages without an id': (
        [],
        lambda i: responses(
            'output_item.done',
            None,
            item={'type': 'message', 'content': [{'type': 'output_text', 'text': f'a{i}'}]},
        ),
    ),
    'openai-responses: pieces of arguments': (
        [responses('output_item.added', item=call_item(0))],
        lambda _: responses('function_call_arguments.delta', delta='abcd'),
    ),
    'openai-responses: arguments after a truncated call': (
        [TRUNCATED_CALL],
        lambda _: responses('function_call_arguments.delta', delta='abcd'),
    ),
    'openai-responses: annotations': (
        [responses('output_text.delta', content_index=0, delta='a')],
        lambda i: responses('output_text.annotation.added', content_index=0, annotation={'number': i}),
    ),
}
"""Room and what its stream has many of -> the events before them, and one of them."""


def make_stream(room: Room, begun: list[Json], event: Callable[[int], Json], count: int) -> Callable[[], object]:
    events = [*begun, *map(event, range(count))]

    def decode() -> None:
        with suppress(LLMError):  # at the end: the response is not complete
            decode_events(room, events)

    return decode


@pytest.mark.parametrize('name', EVENTS)
def test_the_time_of_many_events_of_one_kind_grows_with_their_number(name: str) -> None:
    [room] = [room for room in ROOMS if room.name == name.partition(':')[0]]
    assert_linear(Work(name, partial(make_stream, room, *EVENTS[name]), 600))


@pytest.mark.parametrize('id', ['it', 'other'])
def test_the_time_of_the_last_event_of_the_responses_api_grows_with_its_items(id: str) -> None:
    [room] = [room for room in ROOMS if room.name == 'openai-responses']

    def make(count: int) -> Callable[[], object]:
        texts = [responses('output_text.delta', index, content_index=0, delta='abcd') for index in range(count)]
        output = [
            {'type': 'message', 'id': f'{id}{index}', 'content': [{'type': 'output_text', 'text': 'xyz'}]}
            for index in range(count)
        ]
        last = {'type': 'response.completed', 'response': {'status': 'completed', 'output': output}}
        return lambda: decode_events(room, [*texts, last])

    assert_linear(Work(id, make, 300))


# ---------------------------------------------------------------------- text, whole and in pieces

CALLS: dict[str, tuple[str, str, str]] = {
    'json': ('{"name": "look", "arguments": {"a": "', 'abcd', '"}}'),
    'llama': ('{"name": "look", "parameters": {"a": "', 'abcd', '"}}'),
    'hermes': ('<tool_call>{"name": "look", "arguments": {"a": "', 'abcd', '"}}</tool_call>'),
    'mistral': ('[TOOL_CALLS]look[ARGS]{"a": "', 'abcd', '"}'),
    'pythonic': ('[look(a="', 'abcd', '")]'),
    'harmony': ('<|channel|>commentary to=functions.look<|message|>{"a": "', 'abcd', '"}<|call|>'),
    'deepseek': (
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look<｜tool▁sep｜>{"a": "',
        'abcd',
        '"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    ),
    'kimi': (
        '<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>{"a": "',
        'abcd',
        '"}<|tool_call_end|><|tool_calls_section_end|>',
    ),
    'gemma': ('<|tool_call>call:look{a:<|"|>', 'abcd', '<|"|>}<tool_call|>'),
    'seed': ('<seed:tool_call><function=look><parameter=a>', 'abcd', '</parameter></function></seed:tool_call>'),
    'minimax': (
        '<minimax:tool_call><invoke name="look"><parameter name="a">',
        'abcd',
        '</parameter></invoke></minimax:tool_call>',
    ),
    'lfm': ('<|tool_call_start|>[look(a="', 'abcd', '")]<|tool_call_end|>'),
    'command': ('<|START_ACTION|>[{"tool_name": "look", "parameters": {"a": "', 'abcd', '"}}]<|END_ACTION|>'),
    'dsml': (
        '<｜DSML｜function_calls><｜DSML｜invoke name="look"><｜DSML｜parameter name="a" string="true">',
        'abcd',
        '</｜DSML｜parameter></｜DSML｜invoke></｜DSML｜function_calls>',
    ),
    'apertus': ('<|tools_prefix|>[{"look": {"a": "', 'abcd', '"}}]<|tools_suffix|>'),
    'nemotron': ('<TOOLCALL>[{"name": "look", "arguments": {"a": "', 'abcd', '"}}]</TOOLCALL>'),
    'phi': ('<|tool_call|>[{"name": "look", "arguments": {"a": "', 'abcd', '"}}]<|/tool_call|>'),
    'functiongemma': ('<start_function_call>call:look{a:<escape>', 'abcd', '<escape>}<end_function_call>'),
    'step': (
        '<｜tool_calls_begin｜><｜tool_call_begin｜><steptml:invoke name="look"><steptml:parameter name="a">',
        'abcd',
        '</steptml:parameter></steptml:invoke><｜tool_call_end｜><｜tool_calls_end｜>',
    ),
    'dots': (
        '<dots_function_call><invoke name="look"><parameter name="a">',
        'abcd',
        '</parameter></invoke></dots_function_call>',
    ),
    'longcat': (
        '<longcat_tool_call>look<longcat_arg_key>a</longcat_arg_key><longcat_arg_value>',
        'abcd',
        '</longcat_arg_value></longcat_tool_call>',
    ),
    'minicpm': ('<function name="look"><param name="a">', 'abcd', '</param></function>'),
    'hunyuan': (
        '<tool_calls:opensource><tool_call:opensource>look<arg_key:opensource>a</arg_key:opensource><arg_value:opensource>',
        'abcd',
        '</arg_value:opensource></tool_call:opensource></tool_calls:opensource>',
    ),
    'olmo': ('<function_calls>look(a="', 'abcd', '")</function_calls>'),
    'internlm': ('<|action_start|><|plugin|>{"name": "look", "parameters": {"a": "', 'abcd', '"}}<|action_end|>'),
    'gigachat': ('<|function_call|>{"name": "look", "arguments": {"a": "', 'abcd', '"}}'),
    'granite': ('<function_call> {"name": "look", "arguments": {"a": "', 'abcd', '"}}'),
    'kimi_k3': (
        '<|open|>tools<|sep|><|open|>call tool="look"<|sep|><|open|>argument key="a" type="string"<|sep|>',
        'abcd',
        '<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>',
    ),
    'inkling': ('<|content_invoke_tool_json|>{"name": "look", "args": {"a": "', 'abcd', '"}}<|end_message|>'),
    'muse_glimmer': (
        '<atem:function_calls><atem:invoke name="look"><atem:parameter name="a">',
        'abcd',
        '</atem:parameter></atem:invoke></atem:function_calls>',
    ),
    'minimax_m3': (
        ']<]minimax[>[<tool_call>]<]minimax[>[<invoke name="look">]<]minimax[>[<a>',
        'abcd',
        ']<]minimax[>[</a>]<]minimax[>[</invoke>]<]minimax[>[</tool_call>',
    ),
    'gcml': (
        '<｜GCML｜tool_calls><｜GCML｜invoke name="look"><｜GCML｜parameter name="a" string="true">',
        'abcd',
        '</｜GCML｜parameter></｜GCML｜invoke></｜GCML｜tool_calls>',
    ),
    'solar': (
        '<|tool_call:start|>look\n<|tool_arg:start|>a<|tool_arg:value|>',
        'abcd',
        '<|tool_arg:end|><|tool_call:end|>',
    ),
    'plamo': (
        (
            '<|plamo:begin_tool_requests:plamo|><|plamo:begin_tool_request:plamo|><|plamo:begin_tool_name:plamo|>look'
            '<|plamo:end_tool_name:plamo|><|plamo:begin_tool_arguments:plamo|>{"a": "'
        ),
        'abcd',
        '"}<|plamo:end_tool_arguments:plamo|><|plamo:end_tool_requests:plamo|>',
    ),
    'ifm': (
        '<ifm|tool_calls><ifm|tool_call>look<ifm|arg_key>a</ifm|arg_key><ifm|arg_value>',
        'abcd',
        '</ifm|arg_value></ifm|tool_call></ifm|tool_calls>',
    ),
    'iquest': ('<iquest_tool_call>look<arg_key>a</arg_key><arg_value>', 'abcd', '</arg_value></iquest_tool_call>'),
    'pangu': ('[unused11][{"name": "look", "arguments": {"a": "', 'abcd', '"}}][unused12]'),
    'hyperclova': ('-> tool/function_call\n[{"name": "look", "arguments": {"a": "', 'abcd', '"}}]'),
}
"""Format -> a call whose argument is long: its beginning, what is repeated, and its end."""

ELEMENTS = ']<]minimax[>[<tool_call>]<]minimax[>[<invoke name="look">'

ATTACKS: dict[str, tuple[str, str, str, str]] = {
    'gemma: keys': ('gemma', '<|tool_call>call:look{', 'a:1,', '}<tool_call|>'),
    'gemma: quotes': ('gemma', '<|tool_call>call:look{', 'a:<|"|>b<|"|>,', ''),
    'minimax: invocations': ('minimax', '<minimax:tool_call>', '<invoke name="look">', ''),
    'minimax: parameters': ('minimax', '<minimax:tool_call><invoke name="look">', '<parameter name="a">', ''),
    'minimax_m3: elements': ('minimax_m3', ELEMENTS, ']<]minimax[>[<a>1]<]minimax[>[</a>', ''),
    'minimax_m3: elements without an end': ('minimax_m3', ELEMENTS, ']<]minimax[>[<a>', ''),
    'minimax_m3: ends of no element': ('minimax_m3', f'{ELEMENTS}]<]minimax[>[<a>', ']<]minimax[>[</b>', ''),
    'minimax_m3: text': ('minimax_m3', f'{ELEMENTS}]<]minimax[>[<a>', ' > ]<]minimax', ''),
    'kimi_k3: calls': ('kimi_k3', '<|open|>tools<|sep|>', '<|open|>call tool="look"<|sep|>', ''),
    'kimi_k3: sections': ('kimi_k3', '', '<|open|>think<|sep|>a<|close|>think<|sep|>', ''),
    'inkling: headers': ('inkling', '', '<|message_model|>', ''),
    'inkling: a long header': ('inkling', '<|message_model|>', 'abcd', ''),
    'ifm: calls': ('ifm', '<ifm|tool_calls>', '<ifm|tool_call>look</ifm|tool_call>', '</ifm|tool_calls>'),
    'hermes: open functions': ('hermes', '', '<function=look>', ''),
    'llama: built in': ('llama', '<|python_tag|>look.call(', 'a(', ''),
    'json: whitespace': ('json', '', '    ', ''),
    'json: whitespace after a call': ('json', ''.join(CALLS['json']), '    ', ''),
    'json: brackets after a call': ('json', ''.join(CALLS['json']), '}}}}', ''),
    'json: a lone bracket': ('json', '{', ' abc', ''),
    'json: objects': ('json', '', '{} x', ''),
    'json: calls': ('json', '', ''.join(CALLS['json']), ''),
    'json: brackets': ('json', '', '{[ a', ''),
    'hermes: whitespace': ('hermes', '', '    ', ''),
    'hermes: calls': ('hermes', '', ''.join(CALLS['hermes']), ''),
    'hermes: calls between one pair of marks': ('hermes', '<tool_call>', ''.join(CALLS['json']), '</tool_call>'),
    'hermes: parameters without an end': ('hermes', '<tool_call><function=look>', '<parameter=a>', '</tool_call>'),
    'hermes: keys without an end': ('hermes', '<tool_call>look<arg_key>', '<arg_key>', '</arg_key></tool_call>'),
    'deepseek: calls without arguments': (
        'deepseek',
        '<｜tool▁calls▁begin｜>',
        '<｜tool▁call▁begin｜>',
        '<｜tool▁calls▁end｜>',
    ),
    'kimi: calls without arguments': (
        'kimi',
        '<|tool_calls_section_begin|>',
        '<|tool_call_begin|>',
        '<|tool_calls_section_end|>',
    ),
    'harmony: a long header': ('harmony', '<|channel|>', 'abcd', ''),
    'harmony: messages': ('harmony', '', '<|channel|>final<|message|>a<|end|>', ''),
    'pythonic: whitespace': ('pythonic', '[', '    ', ''),
    'pythonic: quotes': ('pythonic', "[look(a='", "'x ", "')]"),
    'olmo: quotes': ('olmo', '<function_calls>look(a="', '"x ', '")</function_calls>'),
    'step: text before a call': ('step', '<｜tool_calls_begin｜>', '<steptml:invoke ', '<｜tool_calls_end｜>'),
    'pythonic: brackets': ('pythonic', '[look(a=1),', 'x),', ''),
}
"""What the text has much of -> the format, the text before it, what is repeated, and the text after it."""

TEXTS = {f'{name}: a long call': (name, *pieces) for name, pieces in CALLS.items()} | ATTACKS


def make_calls(name: str, size: int, count: int) -> Callable[[], object]:
    """Return the reading of text in pieces of `size` characters, complete and truncated."""
    format, begin, repeated, end = TEXTS[name]
    [found] = [each for each in CALL_FORMATS.values() if each.name == format]
    text = f'{begin}{repeated * count}{end}'

    def read() -> None:
        for truncated in (False, True):
            reader = found.make(['look'], found.keys)
            feed(reader.feed, text, size)
            list(reader.close(truncated=truncated))

    return read


def feed(add: Callable[[str], Iterable[object]], text: str, size: int) -> None:
    for at in range(0, len(text), size):
        list(add(text[at : at + size]))


@pytest.mark.parametrize('size', [4, 10**9])
@pytest.mark.parametrize('name', TEXTS)
def test_the_time_of_tool_calls_in_text_grows_with_its_length(name: str, size: int) -> None:
    assert_linear(Work(name, partial(make_calls, name, size), 1500))


def make_tags(repeated: str, size: int, count: int) -> Callable[[], object]:
    def read() -> None:
        tags = ThinkTags(others=THINK_TAGS[1:], headers=HEADERS)
        feed(tags.feed, repeated * count, size)
        list(tags.close())

    return read


@pytest.mark.parametrize('size', [4, 10**9])
@pytest.mark.parametrize('repeated', ['    ', '<think>a</think>', HEADERS[-1], '<', '<think>', '\n'])
def test_the_time_of_thinking_between_tags_grows_with_its_length(repeated: str, size: int) -> None:
    assert_linear(Work(repeated, partial(make_tags, repeated, size), 1500))


# ---------------------------------------------------------------------- tokens and bytes


def make_bytes(splitter: Callable[[], Any], data: bytes, size: int, count: int) -> Callable[[], object]:
    sent = data * count

    def split() -> None:
        reader = splitter()
        for at in range(0, len(sent), size):
            reader.feed(sent[at : at + size])

    return split


FRAME = encode_frame({':event-type': 'x'}, b'{}')
LONG_FRAME = encode_frame({':event-type': 'x'}, b'x' * 2_000_000)[:1000]

BYTES: dict[str, Callable[[int], Callable[[], object]]] = {
    'events, byte by byte': partial(make_bytes, EventSplitter, b'data: {}\n\n', 1),
    'events at once': partial(make_bytes, EventSplitter, b'data: {}\n\n', 10**9),
    'a long line, byte by byte': partial(make_bytes, EventSplitter, b'data: ab', 1),
    'lines of one event': partial(make_bytes, EventSplitter, b'data: a\n', 8),
    'frames, byte by byte': partial(make_bytes, FrameSplitter, FRAME, 1),
    'frames at once': partial(make_bytes, FrameSplitter, FRAME, 10**9),
    'a long frame, byte by byte': lambda count: make_bytes(FrameSplitter, LONG_FRAME[:12] + b'x' * 10 * count, 1, 1),
}
"""What a server sends -> the work of splitting it."""


@pytest.mark.parametrize('name', BYTES)
def test_the_time_of_bytes_grows_with_their_number(name: str) -> None:
    assert_linear(Work(name, BYTES[name], 500))


def make_tokens(count: int) -> Callable[[], object]:
    def decode() -> None:
        decoder = TokenDecoder(lambda tokens: ''.join(map(chr, tokens)), stop_sequences=['ccc', 'abd'])
        detokenizer = Detokenizer(lambda tokens: ''.join(map(chr, tokens)))
        matcher = StopMatcher(['    x'])
        for number in range(count):
            decoder.feed(97 + number % 3)
            detokenizer.feed(97)
            matcher.feed(' ')

    return decode


def test_the_time_of_tokens_grows_with_their_number() -> None:
    assert_linear(Work('tokens', make_tokens, 1000))


def make_halves(count: int) -> Callable[[], object]:
    def join() -> None:
        joiner = SurrogateJoiner()
        for _ in range(count):
            joiner.feed({'choices': [{'index': 0, 'delta': {'content': 'a\ud83d'}}]})

    return join


def make_forced(count: int) -> Callable[[], object]:
    def read() -> None:
        reader = ForcedReader(('name', 'arguments'))
        feed(reader.feed, '{"name": "look", "arguments": {"a": "' + 'abcd' * count, 4)
        list(reader.close(truncated=True))

    return read


def make_marks(count: int) -> Callable[[], object]:
    """Return the reading of a call with many end marks in one of its arguments."""

    def read() -> None:
        reader = CALL_FORMATS['hermes'].make(['look'], ('name', 'arguments'))
        feed(reader.feed, '<tool_call>{"name": "look", "arguments": {"a": "' + '</tool_call> x ' * count, 4)
        list(reader.close(truncated=True))

    return read


def make_parts(count: int) -> Callable[[], object]:
    def add() -> None:
        parts = PartsManager()
        for number in range(count):
            parts.tool_call('unnamed', args='abcd' * 20)
            parts.text('text', 'abcd')
            parts.add_to_details('text', 'citations', [{'number': number}])
            parts.logprobs('text', [TOKEN])
        parts.tool_call('unnamed', name='look')
        parts.end()

    return add


def make_messages(count: int) -> Callable[[], object]:
    messages = [ModelRequest([UserPromptPart('Hello?')]), ModelResponse([TextPart('Hi.')])] * count
    return lambda: ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages))


def make_tools(count: int) -> Callable[[], object]:
    """Return the preparation of a request with many tools, whose schema has many definitions."""
    properties = {f'p{index}': {'$ref': f'#/$defs/D{index}'} for index in range(count)}
    definitions = {f'D{index}': {'type': 'string', 'maxLength': index} for index in range(count)}
    schema = {'type': 'object', 'properties': properties, '$defs': definitions}
    tools = [ToolDefinition('look', parameters_json_schema=schema), *(ToolDefinition(f't{i}') for i in range(count))]

    def prepare() -> None:
        for room in ROOMS[:5]:
            room.prepare([ModelRequest([UserPromptPart('x')])], {'max_tokens': 9}, ModelRequestParameters(tools))

    return prepare


OTHERS = {
    'halves of characters': (make_halves, 500),
    'a forced call': (make_forced, 2000),
    'marks in a call': (make_marks, 100),
    'the verbs of the parts manager': (make_parts, 1000),
    'stored messages': (make_messages, 250),
    'tools': (make_tools, 20),
}


@pytest.mark.parametrize('name', OTHERS)
def test_the_time_of_other_mergers_grows_with_their_input(name: str) -> None:
    make, units = OTHERS[name]
    assert_linear(Work(name, make, units))


# ---------------------------------------------------------------------- completeness

READERS = {
    'ArgsReader': 'a protocol',
    'BracketScanner': 'a part of the readers of calls',
    'Detokenizer': 'tokens',
    'EventSplitter': 'bytes',
    'ForcedReader': 'a forced call',
    'FrameSplitter': 'bytes',
    'ElementArgs': 'calls: a part of the readers of calls',
    'GemmaArgs': 'calls: a part of the readers of calls',
    'HarmonyReader': 'calls',
    'JsonArgs': 'calls: a part of the readers of calls',
    'JsonObjectReader': 'calls',
    'CallReader': 'a protocol',
    'ChainedReader': 'the readers of calls, one after the other',
    'MarkedArgs': 'calls: a part of the readers of calls',
    'MarkedReader': 'calls',
    'PartialCallReader': 'calls: a part of the readers of calls',
    'PythonicReader': 'calls',
    'ResponseDecoder': 'a part of local models: think tags, then the readers of calls',
    'ResponseReader': 'rooms, byte by byte',
    'SectionReader': 'calls',
    'StopMatcher': 'tokens',
    'StopReader': 'tokens: a StopMatcher',
    'SurrogateJoiner': 'halves of characters',
    'ThinkTags': 'tags',
    'TokenDecoder': 'tokens',
    'ToolCallAssembler': 'events of openai-chat',
}
"""Every class that reads a stream piece by piece, and the rows above that measure it."""


def test_every_reader_is_measured() -> None:
    folder = Path(pydantic_llm.__file__).parent
    sources = [source for file in folder.rglob('*.py') if 'def feed(' in (source := file.read_text())]
    classes = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    readers = {
        node.name
        for node in classes
        if any(isinstance(each, ast.FunctionDef) and each.name == 'feed' for each in node.body)
    }
    assert readers == READERS.keys()
    assert CALLS.keys() == CALL_FORMATS.keys()
    assert FACTORS == (1, 4, 16)
