"""Settings with invalid values end in one sentence that names the setting, in every room, before anything is sent."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.settings import ModelSettings
from pydantic_llm.testing.room import Room
from pydantic_llm.tools.definition import ToolDefinition
from tests.conformance.rooms import ROOMS

HELLO = [ModelRequest.user_text_prompt('Hello.')]
TOOLS = ModelRequestParameters(function_tools=[ToolDefinition('look')])

ENDLESS: dict[str, Any] = {}
ENDLESS['again'] = ENDLESS

BAD: tuple[Any, ...] = (
    5000, -1, 1.5, float('nan'), float('inf'), True, 'hight', 'max', '', b'bytes', [], [None], [5], {}, {'a': None},
    {1: 2}, {'a': object()}, object(), print, set[str](), 10**5000, ENDLESS, {'a': '\ud800'},
)  # fmt: skip

SHARED = ModelSettings.__annotations__

REFUSED: list[tuple[str, Any]] = [
    *(('thinking', value) for value in (-1, 'maximum', 'hight', [], 1.5, 10**400)),
    *(('temperature', value) for value in ('hot', float('nan'), -1, [0.5], True)),
    *(('top_p', value) for value in (2, -0.5, '0.5')),
    *(('max_tokens', value) for value in (-1, 0, '5', 1.5, True)),
    *(('top_k', value) for value in (-1, 2.5, '40')),
    *(('stop_sequences', value) for value in ('END', [5], {'END': 1}, b'END')),
    *(('logit_bias', value) for value in ([1], {'word': 5}, {'5': 'x'}, 'x')),
    *(('tool_choice', value) for value in (5, True, [5])),
    *(('parallel_tool_calls', value) for value in ('yes', 1, [])),
    *(('timeout', value) for value in (float('nan'), -1, '5', 0)),
    *(('first_token_timeout', value) for value in (float('nan'), '5')),
    *(('idle_timeout', value) for value in (float('nan'), '5')),
    *(('retries', value) for value in (-1, 'x', 1.5)),
    *(('seed', value) for value in ('x', 1.5)),
    *(('presence_penalty', value) for value in ('x', float('inf'))),
    *(('logprobs', value) for value in ('x', 5)),
    *(('top_logprobs', value) for value in ('x', -1)),
    *(('service_tier', value) for value in (5, ['flex'])),
    *(('constraint', value) for value in ({'type': 'object'}, 'a|b')),
    *(('extra_body', value) for value in ('x', [('a', 1)], 5)),
    *(('extra_headers', value) for value in ({'x-a': 5}, {'x-a': None}, {5: 'a'}, 'x-a: 5', [('a', 'b')])),
    *(('unsupported_settings', value) for value in ('ignore', 5)),
]  # fmt: skip


def settings_of(name: str, value: Any) -> ModelSettings:
    return cast('ModelSettings', {name: value})


@pytest.mark.parametrize('room', ROOMS, ids=str)
@pytest.mark.parametrize(('name', 'value'), REFUSED)
def test_an_invalid_value_is_refused_with_the_name_of_the_setting(room: Room, name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf'^{name} is .*: give '):
        room.build().prepare(HELLO, settings_of(name, value), TOOLS)


@pytest.mark.parametrize('room', ROOMS, ids=str)
def test_no_value_of_any_setting_ends_in_an_error_from_the_inside(room: Room) -> None:
    model = room.build()
    for name in {**SHARED, **room.own_settings.__annotations__}:
        for value in BAD:
            try:
                model._encode_request(model.prepare(HELLO, settings_of(name, value), TOOLS))  # pyright: ignore[reportPrivateUsage]
            except UserError:
                pass
            except Exception as error:
                raise AssertionError(f'{name} of type {type(value)} ends in {error!r}') from error


@pytest.mark.parametrize('room', ROOMS, ids=str)
@pytest.mark.parametrize('extra', [{'n': 3}, {'n': 0}, {'generationConfig': {'candidateCount': 2}}])
def test_several_responses_to_one_request_are_refused(room: Room, extra: dict[str, Any]) -> None:
    model = room.build()
    with pytest.raises(UserError, match=r'extra_body has .*send several requests'):
        model._encode_request(model.prepare(HELLO, {'extra_body': extra}))  # pyright: ignore[reportPrivateUsage]
    model._encode_request(model.prepare(HELLO, {'extra_body': {'n': 1}}))  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize('room', ROOMS, ids=str)
def test_the_type_of_a_rooms_own_setting_is_checked(room: Room) -> None:
    model = room.build()
    for name in room.own_fields:
        with pytest.raises(UserError, match=rf'^{name} is .*: give '):
            model.prepare(HELLO, settings_of(name, object()), TOOLS)


@pytest.mark.parametrize('room', ROOMS, ids=str)
def test_a_setting_of_none_takes_it_back(room: Room) -> None:
    model = room.make()
    model._settings = cast('ModelSettings', {'temperature': 0.5, 'max_tokens': 3000})  # pyright: ignore[reportPrivateUsage]
    plain, taken_back = room.make(), cast('ModelSettings', {'temperature': None, 'max_tokens': None, 'thinking': None})
    assert model.encode(model.prepare(HELLO, taken_back)) == plain.encode(plain.prepare(HELLO))


def test_a_message_never_repeats_a_header_or_a_body() -> None:
    for name, value in [
        ('extra_headers', {'a': 'sk-secret', 'b': 5}),
        ('extra_headers', 'sk-secret'),
        ('extra_body', 'sk-secret'),
    ]:
        with pytest.raises(UserError) as raised:
            ROOMS[0].build().prepare(HELLO, settings_of(name, value))
        assert 'sk-secret' not in str(raised.value)


@pytest.mark.parametrize('settings', [5, 'x', [('temperature', 1)]])
def test_settings_that_are_no_mapping_are_refused(settings: Any) -> None:
    with pytest.raises(UserError, match=r'model.settings .*dict'):
        ROOMS[0].build().prepare(HELLO, settings)
