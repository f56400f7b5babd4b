"""Random histories with everything that models and applications have put into one, encoded for every room.

`python -m tests.conformance.histories 10000 [SEED]` encodes 10,000 of them as the transport would send them, and checks
each body with the validator of its vendor. A history that is refused is printed, reduced to what is needed.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf, nan
from random import Random
from typing import Any, cast

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    CompactionPart,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.settings import ModelSettings
from pydantic_llm.testing.room import Room
from pydantic_llm.tools.definition import ToolDefinition
from tests.conformance.rooms import ROOMS
from tests.conformance.validators import VALIDATORS
from tests.conformance.validators.rules import parse_strictly

# ---------------------------------------------------------------------- what histories are made of

TEXTS = (
    *('Hello.', 'How is the weather in Oslo?', 'The answer is ', 'Done.\n', ' \n', '\n\n', '', ' ', '\t'),
    *(
        '\ufeffA byte order mark.',
        'A NUL \x00 inside.',
        'Half an emoji \ud83d',
        '\ude00 the other half',
        '\u2028',
        '\u200b',
    ),
    *('<think>hidden</think>', '{"json": NaN}', 'Grüße, 世界 🌍', 'x' * 5000),
)
NAMES = (
    *(
        'look',
        'look',
        'look',
        'search.evidence',
        'multi tool',
        'functions.f:0',
        'x' * 80,
        'x' * 200,
        '',
        '1st',
        'a.b',
        'a_b',
    ),
    *('naïve', '日本', 'half \ud83d', 'a"b\n', 'web_search', 'final_result', '$FUNCTIONS.look', '-look'),
)
IDS = (
    *('call_1', 'call_1', 'call_2', 'call_3', 'toolu_01A', 'functions.look:0', 'a b/ü', 'x' * 80, '', 'abcdefghi'),
    *('half \ud83d', 'a|b', 'tooluse_A.b:c', '0'),
)
ARGUMENTS: tuple[str | dict[str, Any] | None, ...] = (
    *('{"city": "Oslo"}', '{"city": "Oslo"}', '{}', '', None, ' ', '{"x": NaN}', '{"x": [1e999, -Infinity]}', '{"a'),
    *('not JSON', 'null', '[1, 2]', '"text"', '7', '{"a": 1}{"b": 2}', '{"half": "\\ud83d"}', '{"half": "\ud83d"}'),
    *('\ufeff{"a": 1}', '{"nul": "\\u0000"}', '{"a": 1, "a": 2}', '\x00', '{"n": 1' + '0' * 400 + '}'),
    *({}, {'city': 'Oslo'}, {'x': nan}, {'x': [{'y': inf}]}, {'half': '\ud83d'}, {'\ud83d': 1}, {'': ''}),
)
VALUES: tuple[Any, ...] = (
    *(
        'sunny',
        'sunny',
        '',
        '\n',
        'half \ud83d',
        {'sky': 'blue'},
        {'x': nan},
        {},
        [],
        [1, 'a', None],
        None,
        True,
        7,
        inf,
    ),
    *({'half': '\ud83d'}, ['', ' '], b'\xff', {'nested': [{'deep': -inf}]}),
)
VENDORS = (
    *('openai', 'anthropic', 'google-gla', 'google-vertex', 'bedrock', 'cohere', 'groq', 'huggingface', 'litellm'),
    *('mistral', 'acme', 'acmechat', 'deepseek', None, 'unknown', ''),
)
SIGNATURES = (None, None, '', 'c2lnbmF0dXJl', 'not base64!', 'half \ud83d')
PART_IDS = (
    None,
    None,
    '',
    'rs_1',
    'msg_1',
    'fc_1',
    'item_1',
    'x' * 80,
    'redacted_thinking',
    'reasoning',
    'reasoning_content',
)
NATIVE_TOOLS = (
    *('web_search', 'code_execution', 'web_fetch', 'image_generation', 'file_search', 'mcp_server:a', 'url_context'),
    *('tool_search', 'advisor', 'unknown', '', 'x y'),
)
NATIVE_VALUES: tuple[Any, ...] = (
    *(value for value in VALUES if value != b'\xff'),
    *('x', [{'url': 'https://example.com'}], [{'type': 'web_search_result', 'url': 'https://a.example', 'title': 't'}]),
    *({'stdout': 'x', 'stderr': '', 'return_code': 0, 'type': 'code_execution_result', 'content': []}, {'type': 'x'}),
    *({'outcome': 'OUTCOME_OK', 'output': '1'}, {'status': 'completed'}, {'content': nan}, {'tool_references': ['x']}),
)
DETAILS: tuple[Any, ...] = (
    *(None, None, {}, {'x': None}, {'thought_signature': {'a': 1}}, {'thought_signature': 'c2ln'}, {'citations': 7}),
    *({'citations': [7]}, {'block': None}, {'item': 7}, {'status': nan}, {'logprobs': [nan]}),
    *(
        {'signature': 7},
        {'server_name': []},
        {'type': 'x'},
        {'annotations': ['x']},
        {'anthropic_caller': 'x'},
        {'phase': 1},
    ),
)
ERRORS: list[Any] = [{'type': 'missing', 'loc': ('x',), 'msg': 'Field required', 'input': nan}]

PDF = b'%PDF-1.4'
FILES: tuple[Callable[[], UserContent], ...] = (
    lambda: BinaryContent(b'\x89PNG', media_type='image/png'),
    lambda: BinaryContent(b'\xff\xd8', media_type='image/jpeg', vendor_metadata={'detail': 'low'}),
    lambda: ImageUrl('https://example.com/a.png'),
    lambda: BinaryContent(PDF, media_type='application/pdf', vendor_metadata={'name': 'report.pdf'}),
    lambda: BinaryContent(PDF, media_type='application/pdf', vendor_metadata={'name': 'report pdf'}),
    lambda: BinaryContent(PDF, media_type='application/pdf', vendor_metadata={'name': 'Document 1'}),
    lambda: BinaryContent(PDF, media_type='application/pdf', identifier='report'),
    lambda: DocumentUrl('https://example.com/report.pdf'),
    lambda: BinaryContent(b'text', media_type='text/plain'),
    lambda: BinaryContent(b'RIFF', media_type='audio/wav'),
    lambda: BinaryContent(b'ID3', media_type='audio/mpeg'),
    lambda: AudioUrl('https://example.com/a.mp3'),
    lambda: BinaryContent(b'mp4', media_type='video/mp4'),
    lambda: VideoUrl('https://example.com/a.mp4'),
)
MADE_FILES = (
    BinaryContent(b'\x89PNG', media_type='image/png'),
    BinaryContent(b'', media_type='image/png'),
    BinaryContent(b'RIFF', media_type='audio/wav'),
    BinaryContent(b'x', media_type='application/x-unknown'),
)
TOOLS = (
    ToolDefinition(
        'look', {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}, 'Look.'
    ),
    ToolDefinition('a_b', {'type': 'object', 'properties': {}}),
)
ALLOWED_ERRORS = (
    r'leaves no room to think',
    r"^What is cached for '1h' must come before",
    r"^'acme' does not accept BinaryContent",  # made by another model, and given back by a tool
    r'^CachePoint\(\) has nothing before it',
    r'^What is cached for',
    r'^messages (holds nothing to send|has no content)',
)
"""The errors for what truly cannot be sent. Each names the parameter."""


@dataclass
class Case:
    """A history with the settings and parameters of its request."""

    history: list[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters
    stream: bool


# ---------------------------------------------------------------------- making them


class Maker:
    """Makes one history for a room."""

    def __init__(self, chance: Random, room: Room) -> None:
        self.chance = chance
        self.room = room
        self.vendor = room.build().system

    def make_case(self) -> Case:
        chance = self.chance
        settings: Any = {}
        if chance.random() < 0.25:
            settings['thinking'] = chance.choice(['low', 'high', True, False])
        if chance.random() < 0.25:
            settings['max_tokens'] = chance.choice([5000, 30_000])
        tools = TOOLS[: chance.choice([0, 1, 2])]
        return Case(self.make_history(), settings, ModelRequestParameters(tools), chance.random() < 0.5)

    def make_history(self) -> list[ModelMessage]:
        history: list[ModelMessage] = []
        if self.chance.random() < 0.85:
            history.append(self._make_request(self._make_prompts(1)))
        for _ in range(self.chance.randint(0, 3)):
            response = self._make_response()
            history.append(response)
            history += self._make_answers(response)
        return history or [self._make_request(self._make_prompts(1))]

    def _make_request(self, parts: Sequence[ModelRequestPart]) -> ModelRequest:
        return ModelRequest(parts, instructions=self._sometimes(0.2, lambda: self.chance.choice(TEXTS)))

    def _sometimes(self, share: float, make: Callable[[], Any]) -> Any:
        return make() if self.chance.random() < share else None

    def _make_prompts(self, least: int = 0) -> list[ModelRequestPart]:
        """Make system prompts, user prompts and requests to try again, in any order; sometimes none."""
        parts: list[ModelRequestPart] = []
        for _ in range(self.chance.choice([least, 1, 1, 2])):
            match self.chance.randrange(8):
                case 0:
                    parts.append(SystemPromptPart(self.chance.choice(TEXTS)))
                case 1:
                    parts.append(RetryPromptPart(self.chance.choice([*TEXTS, ERRORS])))
                case 2 | 3 | 4:
                    parts.append(UserPromptPart(self.chance.choice(TEXTS)))
                case _:
                    parts.append(UserPromptPart([self._make_content() for _ in range(self.chance.randint(0, 4))]))
        return parts

    def _make_content(self) -> UserContent:
        match self.chance.randrange(10):
            case 0:
                return CachePoint(ttl=self.chance.choice(['5m', '1h']))
            case 1:
                return TextContent(self.chance.choice(TEXTS), metadata={'a': 1})
            case 2 | 3 | 4 | 5:
                return self.chance.choice(TEXTS)
            case _:
                return self.chance.choice(find_files(self.room))()

    # ---- responses

    def _make_response(self) -> ModelResponse:
        parts = [self._make_part() for _ in range(self.chance.choice([0, 1, 1, 2, 3, 4, 5]))]
        return ModelResponse(
            parts,
            provider_name=self._choose_vendor(),
            provider_details=self.chance.choice(DETAILS),
            model_name='m',
            state=self.chance.choice(['complete', 'complete', 'incomplete', 'interrupted']),
            finish_reason=self.chance.choice([None, 'stop', 'length', 'tool_call', 'content_filter', 'error']),
        )

    def _choose_vendor(self) -> str | None:
        return self.vendor if self.chance.random() < 0.5 else self.chance.choice(VENDORS)

    def _make_part(self) -> ModelResponsePart:
        chance, vendor, details = self.chance, self._choose_vendor(), self.chance.choice(DETAILS)
        id = chance.choice(PART_IDS)
        made: dict[str, Any] = {'provider_name': vendor, 'provider_details': details}
        match chance.randrange(13):
            case 0 | 1 | 2:
                return TextPart(chance.choice(TEXTS), id=id, **made)
            case 3 | 4:
                return ThinkingPart(chance.choice(TEXTS), id=id, signature=chance.choice(SIGNATURES), **made)
            case 5 | 6 | 7 | 8:
                args = chance.choice(ARGUMENTS)
                return ToolCallPart(chance.choice(NAMES), args, chance.choice(IDS), id=id, **made)
            case 9:
                args = chance.choice(ARGUMENTS)
                return NativeToolCallPart(chance.choice(NATIVE_TOOLS), args, self._native_id(), id=id, **made)
            case 10:
                content = chance.choice(NATIVE_VALUES)
                return NativeToolReturnPart(chance.choice(NATIVE_TOOLS), content, self._native_id(), **made)
            case 11:
                return FilePart(chance.choice(MADE_FILES), id=id, **made)
            case _:
                return CompactionPart(chance.choice([None, *TEXTS]), id=id, **made)

    def _native_id(self) -> str:
        return self.chance.choice(['srvtoolu_1', 'ws_1', 'ci_1', 'tooluse_1', 'x', ''])

    # ---- what follows a response

    def _make_answers(self, response: ModelResponse) -> Iterator[ModelMessage]:
        """Yield requests with the tool results: in order or not, in one or split, some missing, some of no call."""
        results = [self._make_result(call.tool_name, call.tool_call_id) for call in response.tool_calls]
        match self.chance.randrange(8):
            case 0:
                self.chance.shuffle(results)
            case 1:
                results = results[1:]
            case 2:
                results.append(self._make_result(self.chance.choice(NAMES), self.chance.choice(IDS)))
            case 3 if results:
                results.append(results[0])
            case 4:
                for result in results:
                    yield self._make_request([*self._make_prompts(), result])
                return
            case 5:
                return
            case _:
                pass
        prompts = self._make_prompts(0 if results else 1)
        parts = [*prompts, *results] if self.chance.random() < 0.2 else [*results, *prompts]
        yield self._make_request(parts)

    def _make_result(self, name: str, id: str) -> ModelRequestPart:
        if self.chance.random() < 0.25:
            return RetryPromptPart(self.chance.choice([*TEXTS, ERRORS]), tool_name=name, tool_call_id=id)
        content: Any = self.chance.choice(VALUES)
        if self.chance.random() < 0.15 and (files := find_result_files(self.room)):
            content = [content, self.chance.choice(files)()]
        return ToolReturnPart(name, content, id, outcome=self.chance.choice(['success', 'failed', 'denied']))


@cache
def find_files(room: Room) -> tuple[Callable[[], UserContent], ...]:
    """Return the files that the room supports in a user prompt."""
    return tuple(make for make in FILES if not _find_error(room, [UserPromptPart(['Look.', make()])]))


@cache
def find_result_files(room: Room) -> tuple[Callable[[], UserContent], ...]:
    """Return the files that the room supports in a tool result, and as a prompt, if its tool call is missing."""
    return tuple(
        make for make in find_files(room) if not _find_error(room, [ToolReturnPart('look', [make()], 'abcdefghi')])
    )


def _find_error(room: Room, parts: list[ModelRequestPart]) -> str:
    call = ModelResponse([ToolCallPart('look', '{}', 'abcdefghi')])
    start: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello.')]
    history = [*start, call, ModelRequest(parts)] if isinstance(parts[0], ToolReturnPart) else [ModelRequest(parts)]
    try:
        room.build().encode(room.prepare(history, None, ModelRequestParameters(TOOLS)))
    except UserError as error:
        return str(error)
    return ''


# ---------------------------------------------------------------------- checking them


def find_problems(room: Room, case: Case) -> list[str]:
    """Return what the vendor would refuse in the request, and any error but those that are allowed."""
    try:
        request = room.prepare(case.history, case.settings, case.parameters, stream=case.stream)
        content = room.build()._encode_request(request).body
    except UserError as error:
        return [] if is_allowed(error) else [f'UserError: {error}']
    except Exception as error:  # noqa: BLE001 -- any other error is what is looked for
        return [f'{type(error).__name__}: {error}']
    has_own_blocks = any(_is_own_block(part, room) for message in case.history for part in message.parts)
    try:
        problems = VALIDATORS[room.name](parse_strictly(content.decode()))
        return [line for line in problems if not (has_own_blocks and INSIDE.search(line))]
    except Exception as error:  # noqa: BLE001 -- a body that a validator cannot even read is wrong
        return [f'the validator cannot read the body: {type(error).__name__}: {error}']


INSIDE = re.compile(
    r'needs the field|has no field|has an unknown type|is none of|is not between|instead of one'
    r'|is not (an object|a list|null|a boolean|a number|a string|str|int|float|bool|base64)|srvtoolu'
)
"""Problems inside of a block. A vendor may get them from its own room, if the history has blocks of its own tools:
these go back to it as they came."""


def _is_own_block(part: object, room: Room) -> bool:
    return isinstance(part, (NativeToolCallPart, NativeToolReturnPart)) and part.provider_name == room.build().system


def is_allowed(error: UserError) -> bool:
    return any(re.search(pattern, str(error)) for pattern in ALLOWED_ERRORS)


def make_case(room: Room, seed: int, number: int) -> Case:
    """Return the case with this number of the sequence that `seed` starts."""
    return Maker(Random(f'{seed} {number} {room.name}'), room).make_case()


def shrink(room: Room, case: Case) -> Case:
    """Return a case with the same problem and as few messages, parts and items as possible."""
    kinds = {classify(problem) for problem in find_problems(room, case)}

    def fails(other: Case) -> bool:
        return not kinds.isdisjoint(classify(problem) for problem in find_problems(room, other))

    smaller = True
    while smaller:
        smaller = False
        for other in _reduce(case):
            if fails(other):
                case, smaller = other, True
                break
    return case


def classify(problem: str) -> str:
    """Return the problem without its numbers and values."""
    return re.sub(r"\d+|'[^']*'|\"[^\"]*\"", '_', problem)[:120]


def _reduce(case: Case) -> Iterator[Case]:
    """Yield cases that have one thing less."""
    history = case.history
    for index, message in enumerate(history):
        yield replace(case, history=[*history[:index], *history[index + 1 :]])
        for parts in _reduce_parts(message):
            yield replace(case, history=[*history[:index], replace(message, parts=parts), *history[index + 1 :]])
        if isinstance(message, ModelRequest) and message.instructions:
            yield replace(case, history=[*history[:index], replace(message, instructions=None), *history[index + 1 :]])
    for name in case.settings:
        rest = {key: value for key, value in case.settings.items() if key != name}
        yield replace(case, settings=cast('ModelSettings', rest))
    if case.parameters.function_tools:
        yield replace(case, parameters=ModelRequestParameters())


def _reduce_parts(message: ModelMessage) -> Iterator[list[Any]]:
    parts: list[Any] = [*message.parts]
    for index, part in enumerate(parts):
        yield [*parts[:index], *parts[index + 1 :]]
        if isinstance(part, UserPromptPart) and not isinstance(part.content, str):
            for number in range(len(part.content)):
                items = [*part.content[:number], *part.content[number + 1 :]]
                yield [*parts[:index], replace(part, content=items), *parts[index + 1 :]]
        if getattr(part, 'provider_details', None):
            yield [*parts[:index], replace(part, provider_details=None), *parts[index + 1 :]]


def describe(room: Room, seed: int, number: int, case: Case) -> str:
    """Return a report of a refused history: how to make it again, what is wrong, and what is left after shrinking."""
    small = shrink(room, case)
    lines = [f'{room.name}, seed {seed}, number {number}:']
    lines += [f'  refused: {problem[:300]}' for problem in find_problems(room, small)]
    lines += [f'  {line[:600]}' for line in map(show, small.history)]
    return '\n'.join([*lines, f'  settings {dict(small.settings)!r}, stream {small.stream}'])


def show(message: ModelMessage) -> str:
    """Return a message as text that can be printed, without times."""
    text = re.sub(r'(, )?timestamp=datetime\.datetime\([^)]*\)+', '', repr(message))
    return text.encode('ascii', 'backslashreplace').decode()


def check(room: Room, seed: int, numbers: Sequence[int]) -> list[str]:
    """Return a report for each kind of problem in the cases with these numbers."""
    reports: dict[str, str] = {}
    for number in numbers:
        case = make_case(room, seed, number)
        for problem in find_problems(room, case):
            kind = classify(problem)
            if kind not in reports:
                reports[kind] = describe(room, seed, number, case)
    return [*reports.values()]


def main(count: int, seed: int) -> bool:
    """Check `count` histories, and print each kind of problem once. Return whether there was none."""
    kinds: Counter[tuple[str, str]] = Counter()
    for number in range(count):
        room = ROOMS[number % len(ROOMS)]
        case = make_case(room, seed, number)
        for kind in {classify(problem) for problem in find_problems(room, case)}:
            kinds[room.name, kind] += 1
            if kinds[room.name, kind] == 1:
                sys.stdout.write(f'{describe(room, seed, number, case)}\n')
    for (name, kind), times in kinds.most_common():
        sys.stdout.write(f'{times:6} {name:17} {kind}\n')
    sys.stdout.write(f'{count} histories, seed {seed}: {len(kinds)} kinds of problems\n')
    return not kinds


if __name__ == '__main__':
    wanted = int(sys.argv[1])
    start = int(sys.argv[2]) if len(sys.argv) > 2 else Random().randrange(2**32)
    sys.exit(0 if main(wanted, start) else 1)
