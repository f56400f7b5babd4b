"""A message that was encoded before is not encoded again, and the body is the same as if it were.

The reference is the general way, which a history of subclasses takes: `wire.known` knows the message classes alone.
"""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any, cast

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    BinaryContent,
    CachePoint,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.testing.room import Room
from tests.conformance.histories import DETAILS, PART_IDS, SIGNATURES, TEXTS, TOOLS, VALUES, Maker
from tests.conformance.rooms import ROOMS

CASES = 15
"""Histories per room."""

PLAIN_TEXTS = ('Hello.', 'How is the weather in Oslo?', 'Grüße, 世界 🌍', '{"a": 1}', ' spaces ')
PLAIN_VALUES: tuple[Any, ...] = ('sunny', {'sky': 'blue'}, [1, 'a', None], None, True, 1, 1.0, {'a': {'b': [True]}})
ODD = 0.03
"""The share of values that no conversation should have, so that most histories need no repair."""

SETTINGS: tuple[Any, ...] = (
    *({}, {}, {'thinking': 'low'}, {'unsupported_settings': 'drop'}, {'openai_send_reasoning_ids': False}),
    *({'anthropic_cache_messages': True}, {'anthropic_cache': '1h'}, {'openai_previous_response_id': 'auto'}),
)


KNOWN_ROOMS = ('openai-chat', 'openai-responses', 'anthropic', 'gemini', 'cohere', 'groq', 'huggingface')


def find_room(name: str) -> Room:
    return next(room for room in ROOMS if room.name == name)


class OtherRequest(ModelRequest):
    """A request of an application's own class."""


class OtherResponse(ModelResponse):
    """A response of an application's own class."""


# ---------------------------------------------------------------------- histories that need no repair


class Talk:
    """A conversation as an application has it, with few values that need a repair."""

    def __init__(self, chance: Random, room: Room) -> None:
        self.chance = chance
        self.odd = Maker(chance, room)
        self.vendor = room.build().system
        self.number = 0
        self.history: list[ModelMessage] = [
            ModelRequest(
                [*self.maybe(0.5, SystemPromptPart(self.text())), self.make_prompt()], instructions='Be brief.'
            )
        ]

    def maybe(self, share: float, part: Any) -> list[Any]:
        return [part] if self.chance.random() < share else []

    def choose(self, values: Sequence[Any], odd: Sequence[Any]) -> Any:
        return copy.deepcopy(self.chance.choice(odd if self.chance.random() < ODD else values))

    def text(self) -> str:
        return self.choose(PLAIN_TEXTS, TEXTS)

    def make_prompt(self) -> UserPromptPart:
        match self.chance.randrange(10):
            case 0:
                return UserPromptPart([self.text(), BinaryContent(b'\x89PNG', media_type='image/png'), self.text()])
            case 1:
                return UserPromptPart([self.text(), TextContent(self.text()), *self.maybe(0.2, CachePoint())])
            case _:
                return UserPromptPart(self.text())

    def add_turn(self) -> None:
        """Add a response, and what the application sends next."""
        response = self.make_response()
        results = [self.make_result(call) for call in response.tool_calls]
        prompts = self.maybe(0.2 if results else 1, self.make_prompt())
        prompts += self.maybe(0.03, SystemPromptPart(self.text()))
        parts = [*results, *prompts]
        if self.chance.random() < 2 * ODD:
            self.chance.shuffle(parts)
        self.history += [response, ModelRequest(parts)]

    def make_response(self) -> ModelResponse:
        vendor = self.choose([self.vendor], ['openai', 'anthropic', None])
        made: Any = {'provider_name': vendor}
        parts: list[Any] = self.maybe(0.4, self.make_thinking(made)) + self.maybe(0.7, TextPart(self.text(), **made))
        parts += [self.make_call(made) for _ in range(self.chance.choice([0, 0, 1, 2]) if parts else 1)]
        id = f'resp_{self.number}'
        return ModelResponse(parts, model_name='claude-x', provider_response_id=id, provider_url='https://a', **made)

    def make_thinking(self, made: Any) -> ThinkingPart:
        id, details = self.choose([None, 'rs_1', f'rs_{self.number}'], PART_IDS), self.choose([None], DETAILS)
        signature = self.choose([None, 'c2ln'], SIGNATURES)
        return ThinkingPart(self.text(), id=id, signature=signature, provider_details=details, **made)

    def make_call(self, made: Any) -> ToolCallPart:
        self.number += 1
        args = self.choose(['{"city": "Oslo"}', {'city': 'Oslo'}, {'n': [1, True]}, None], ['{"a', {'\ud83d': 1}])
        id = self.choose([f'call_{self.number}'], ['call_1', f'resp_{self.number}:call_1', ''])
        details = self.choose([None, {'thought_signature': 'c2ln'}], DETAILS)
        return ToolCallPart(self.choose(['look', 'a_b'], ['x.y']), args, id, provider_details=details, **made)

    def make_result(self, call: ToolCallPart) -> ToolReturnPart | RetryPromptPart:
        if self.chance.random() < 0.1:
            return RetryPromptPart(self.text(), tool_name=call.tool_name, tool_call_id=call.tool_call_id)
        content = self.choose(PLAIN_VALUES, VALUES)
        return ToolReturnPart(call.tool_name, content, call.tool_call_id, outcome=self.choose(['success'], ['failed']))


def send(room: Room, history: Sequence[ModelMessage], settings: Any) -> tuple[object, ...]:
    """Return the body, the headers and the warnings of a request, or its error."""
    model = room.build()
    try:
        request = model.prepare(history, settings, ModelRequestParameters(TOOLS))
        raw = model._encode_request(request)
    except UserError as error:
        return (str(error),)
    return raw.body, raw.headers, request.warnings


def send_generally(room: Room, history: Sequence[ModelMessage], settings: Any) -> tuple[object, ...]:
    """Do the same with messages that are never known."""
    return send(room, [as_other(message) for message in copy.deepcopy(list(history))], settings)


def as_other(message: ModelMessage) -> ModelMessage:
    values = {field.name: getattr(message, field.name) for field in fields(message) if field.name != 'kind'}
    return OtherRequest(**values) if isinstance(message, ModelRequest) else OtherResponse(**values)


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_a_known_history_has_the_body_of_a_new_one(room: Room) -> None:
    for number in range(CASES):
        chance = Random(f'{room.name} {number}')
        talk, settings = Talk(chance, room), chance.choice(SETTINGS)
        for _ in range(chance.randint(1, 6)):
            talk.add_turn()
            expected = send_generally(room, talk.history, settings)
            assert send(room, talk.history, settings) == expected
            assert send(room, [*talk.history], settings) == expected


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_a_history_that_needs_repairs_has_the_body_of_a_new_one(room: Room) -> None:
    for number in range(CASES):
        case = Maker(Random(f'{room.name} {number}'), room).make_case()
        expected = send_generally(room, case.history, case.settings)
        assert [send(room, case.history, case.settings) for _ in range(2)] == [expected, expected]


# ---------------------------------------------------------------------- messages that change

UNREAD = ('part_kind', 'timestamp')
"""The fields of parts that no application changes."""

VALUES_OF_FIELDS: dict[str, Sequence[Any]] = {
    'content': [*PLAIN_TEXTS, *TEXTS],
    'args': ['{"a": 1}', '{"a": true}', {'a': 1}, {'a': True}, {'a': 1.0}, '{"a', None],
    'tool_call_id': ['call_1', 'call_2', 'x:y'],
    'tool_name': ['look', 'a_b', 'x.y'],
    'outcome': ['success', 'failed'],
    'signature': [None, 'c2ln', 'c2lnbg=='],
    'provider_details': [None, {'thought_signature': 'c2ln'}, {'a': True}, {'a': 1}, {'extra_content': 1}],
}
"""Field of a part -> values for it, some of which are equal in Python and differ in JSON."""

NAMES = (None, 'rs_1', 'msg_1', 'fc_1', 'openai', 'anthropic', 'google-gla')
"""The values of other fields."""


def choose_values(part: Any, name: str) -> Sequence[Any]:
    return (
        [*PLAIN_VALUES, *VALUES]
        if (type(part), name) == (ToolReturnPart, 'content')
        else VALUES_OF_FIELDS.get(name, NAMES)
    )


@dataclass
class Change:
    """One change of a random message, as an application could make it."""

    chance: Random
    history: list[ModelMessage]

    def make(self) -> None:
        message = self.chance.choice(self.history)
        part: Any = self.chance.choice(message.parts) if message.parts else None
        changes = (self.set_field, self.set_field, self.change_inside, self.change_parts, self.change_message)
        self.chance.choice(changes)(message, part)

    def set_field(self, message: ModelMessage, part: Any) -> None:
        """Set a field of a part to a value that is equal in Python, to a new one, or to that of another part."""
        if part is None:
            return
        name = self.chance.choice(
            [field.name for field in fields(part) if field.name not in ('part_kind', 'timestamp')]
        )
        values: dict[str, Sequence[Any]] = {
            'content': [*PLAIN_TEXTS, *TEXTS] if not isinstance(part, ToolReturnPart) else [*PLAIN_VALUES, *VALUES],
            'args': ['{"a": 1}', '{"a": true}', {'a': 1}, {'a': True}, {'a': 1.0}, '{"a', None],
            'tool_call_id': ['call_1', 'call_2', 'x:y'],
            'tool_name': ['look', 'a_b', 'x.y'],
            'outcome': ['success', 'failed'],
            'provider_details': [None, {'thought_signature': 'c2ln'}, {'a': True}, {'a': 1}],
        }
        setattr(part, name, self.chance.choice(values.get(name, [None, 'rs_1', 'msg_1', 'openai', 'anthropic'])))

    def change_inside(self, message: ModelMessage, part: Any) -> None:
        """Change an object inside of a part."""
        for value in (getattr(part, name, None) for name in ('content', 'args', 'provider_details')):
            if isinstance(value, dict):
                value[self.chance.choice(['a', 'city', 'sky'])] = self.chance.choice([1, True, 1.0, 'x', [1]])
            elif isinstance(value, list) and value:
                value[-1] = self.chance.choice(['x', 1, True])
                if isinstance(value[0], BinaryContent):
                    value[0].data = b'other'

    def change_parts(self, message: ModelMessage, part: Any) -> None:
        parts = cast('list[Any]', message.parts)
        match self.chance.randrange(4):
            case 0 if part is not None:
                parts.remove(part)
            case 1 if part is not None:
                parts[0] = replace(parts[0])
            case 2:
                parts.reverse()
            case _:
                parts.append(TextPart('More.') if isinstance(message, ModelResponse) else UserPromptPart('More.'))

    def change_message(self, message: ModelMessage, part: Any) -> None:
        if isinstance(message, ModelResponse):
            name = self.chance.choice(['model_name', 'provider_url', 'provider_response_id', 'provider_name', 'state'])
            setattr(message, name, self.chance.choice(['x', 'claude-y', 'https://b', 'complete', 'incomplete']))
        else:
            message.instructions = self.chance.choice([None, 'Be kind.'])
        if self.chance.random() < 0.2:
            index = self.history.index(message)
            self.history[index] = replace(message) if self.chance.random() < 0.5 else copy.copy(message)


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_a_message_that_changed_is_encoded_again(room: Room) -> None:
    for number in range(CASES):
        chance = Random(f'{room.name} {number} changes')
        talk, settings = Talk(chance, room), chance.choice(SETTINGS)
        for _ in range(4):
            talk.add_turn()
        for _ in range(6):
            expected = send_generally(room, talk.history, settings)
            assert send(room, talk.history, settings) == expected, number
            Change(chance, talk.history).make()


@pytest.mark.parametrize('name', KNOWN_ROOMS)
def test_each_field_that_is_sent_is_compared(name: str) -> None:
    room = find_room(name)
    vendor: Any = {'provider_name': room.build().system}
    call = ToolCallPart('look', '{}', 'call_1', id='fc_1', provider_details={'a': 1}, **vendor)
    thinking = ThinkingPart('Hm.', id='rs_1', signature='c2ln', provider_details={'raw': 1}, **vendor)
    parts: list[Any] = [thinking, TextPart('Yes.', id='msg_1', **vendor), call]
    results: list[Any] = [ToolReturnPart('look', {'a': 1}, 'call_1'), RetryPromptPart('No.'), UserPromptPart('Go on.')]
    history: list[ModelMessage] = [ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('Hello.')])]
    history += [ModelResponse(parts), ModelRequest(results), ModelResponse([TextPart('Bye.')])]
    history += [ModelRequest([UserPromptPart('Bye.')])]
    for part in [part for message in history for part in message.parts]:
        for field in fields(part):
            for value in () if field.name in UNREAD else choose_values(part, field.name):
                send(room, history, {})
                before = getattr(part, field.name)
                setattr(part, field.name, copy.deepcopy(value))
                assert send(room, history, {}) == send_generally(room, history, {}), (part, field.name)
                setattr(part, field.name, before)


def test_one_history_is_encoded_for_each_model() -> None:
    for number in range(CASES):
        chance = Random(number)
        talk = Talk(chance, ROOMS[0])
        for _ in range(6):
            talk.add_turn()
            room = chance.choice(ROOMS)
            expected = send_generally(room, talk.history, {})
            assert send(room, talk.history, {}) == expected


@pytest.mark.parametrize(
    'text', ['{"a": 1}', '"', '\\u0041 \x07\x7f\u2028', 'pydantic_llm_mark_content', '<think>', '[DONE]']
)
@pytest.mark.parametrize('name', KNOWN_ROOMS)
def test_any_text_is_written_as_the_room_writes_it(name: str, text: str) -> None:
    room, vendor = find_room(name), find_room(name).build().system
    history: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello.')]
    for number in range(2):
        calls: list[Any] = [
            ToolCallPart('look', args, id, provider_name=vendor) for args, id in make_calls(text, number)
        ]
        for call in calls:
            result = ToolReturnPart('look', text, call.tool_call_id, outcome='failed' if number else 'success')
            history += [ModelResponse([call]), ModelRequest([result])]
        history += [ModelResponse([TextPart(text)]), ModelRequest.user_text_prompt(text)]
        history += [ModelResponse([TextPart(text, provider_name='x')]), ModelRequest.user_text_prompt('Yes.')]
    assert send(room, history, {}) == send_generally(room, history, {})


def make_calls(text: str, number: int) -> list[tuple[Any, str]]:
    """Return arguments and ids of tool calls."""
    arguments: list[Any] = [{'a': text}, f'{{ "a": {1e5},"b" :"é"}}', None, '']
    return [(value, f'call_{number}_{index}') for index, value in enumerate(arguments)]


def test_two_models_that_take_turns_encode_a_message_once_each() -> None:
    history, rooms = make_long(100), [find_room('openai-chat'), find_room('anthropic')]
    new = [count_calls(lambda room=room: send(room, history, {})) for room in rooms]
    known = [count_calls(lambda room=room: send(room, history, {})) for room in rooms * 2]
    assert [after < before / 3 for before, after in zip(new * 2, known, strict=True)] == [True] * 4


# ---------------------------------------------------------------------- the message and the cost


def make_long(turns: int) -> list[ModelMessage]:
    history: list[ModelMessage] = [ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('Hello.')])]
    for number in range(turns):
        add_calls(history, number)
    return history


def add_calls(history: list[ModelMessage], number: int) -> None:
    call = ToolCallPart('look', '{"city": "Oslo"}', f'call_{number}')
    history += [
        ModelResponse([TextPart('Look.'), call]),
        ModelRequest([ToolReturnPart('look', 'sunny', f'call_{number}')]),
    ]


def count_calls(action: Callable[[], object]) -> int:
    """Return the number of calls of functions that the action makes."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ('call', 'c_call')

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize('name', KNOWN_ROOMS)
def test_a_turn_of_a_known_history_costs_the_turn(name: str) -> None:
    room, history = find_room(name), make_long(200)
    new = count_calls(lambda: send(room, history, {}))
    add_calls(history, 200)
    known = count_calls(lambda: send(room, history, {}))
    assert known < new / 4
    assert known < len(history) * 16  # fields are compared, nothing is encoded


def test_what_is_known_of_a_message_is_no_part_of_its_value() -> None:
    room, history = ROOMS[0], make_long(2)
    before, texts = copy.deepcopy(history), repr(history)
    stored = ModelMessagesTypeAdapter.dump_json(history)
    send(room, history, {})
    assert history == before
    assert repr(history) == texts
    assert ModelMessagesTypeAdapter.dump_json(history) == stored
    for copied in (copy.deepcopy(history), pickle.loads(pickle.dumps(history)), [replace(each) for each in history]):
        assert copied == before
        assert [getattr(message, '_known', None) for message in copied] == [None] * len(history)
