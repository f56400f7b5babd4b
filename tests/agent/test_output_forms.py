"""Every form of an output, from a whole response and from a stream, with its partial values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from pydantic_llm import (
    Agent,
    BinaryContent,
    BinaryImage,
    ModelRetry,
    NativeOutput,
    PromptedOutput,
    RunContext,
    StructuredDict,
    TextOutput,
    ToolOutput,
    UserError,
)
from pydantic_llm.messages import FilePart, TextPart, ThinkingPart
from pydantic_llm.models.test import TestModel
from tests.agent.scripted import Scripted, call, outline


class City(BaseModel):
    name: str
    people: int = 0


class Moon(TypedDict):
    planet: str


@dataclass
class Desk:
    """Has a method that makes outputs."""

    prefix: str

    def book(self, ctx: RunContext, city: str) -> str:
        return f'{self.prefix} {city} in request {ctx.run_step}'


def count_words(text: str) -> int:
    return len(text.split())


def final(value: Any, kind: str = '') -> Any:
    return call(f'final_result{kind}', value)


Human = StructuredDict(
    {'type': 'object', 'properties': {'name': {'type': 'string'}}, 'required': ['name']}, name='Human'
)
CHOICE = '{"result": {"kind": "City", "data": {"name": "Oslo"}}}'
NO_CHOICE = '{"result": {"kind": "NoneType", "data": null}}'
IMAGE = BinaryContent(b'\x89PNG', media_type='image/png')
SOUND = BinaryContent(b'RIFF', media_type='audio/wav')

FORMS: list[tuple[Any, Any, Any]] = [
    (str, 'Oslo', 'Oslo'),
    (City, final({'name': 'Oslo'}), City(name='Oslo')),
    (Moon, final({'planet': 'Mars'}), {'planet': 'Mars'}),
    (list[City], final({'response': [{'name': 'Oslo'}]}), [City(name='Oslo')]),
    (Literal['a', 'b'], final({'response': 'b'}), 'b'),
    (City | bool, final({'response': True}, '_bool'), True),
    ([City, str], 'Oslo', 'Oslo'),
    (ToolOutput(City, name='city', description='A city.'), call('city', {'name': 'Oslo'}), City(name='Oslo')),
    ([ToolOutput(City, name='city'), TextOutput(count_words)], 'a b c', 3),
    (TextOutput(count_words), 'a b c', 3),
    (NativeOutput(City), '{"name": "Oslo"}', City(name='Oslo')),
    (NativeOutput([City, bool], name='answer'), CHOICE, City(name='Oslo')),
    (PromptedOutput(City, template='As {schema}.'), 'Here: {"name": "Oslo"}', City(name='Oslo')),
    (PromptedOutput([City, bool]), f'```json\n{CHOICE}\n```', City(name='Oslo')),
    (count_words, final({'text': 'a b'}), 2),
    (Desk('Booked').book, final({'city': 'Oslo'}), 'Booked Oslo in request 1'),
    ([Desk('Booked').book, City], final({'name': 'Oslo'}, '_City'), City(name='Oslo')),
    (NativeOutput(count_words), '{"text": "a b"}', 2),
    (Human, final({'name': 'Ada', 'age': 36}), {'name': 'Ada', 'age': 36}),
    (NativeOutput(Human), '{"name": "Ada"}', {'name': 'Ada'}),
    (BinaryImage, FilePart(IMAGE), BinaryImage.of(IMAGE)),
    (list[BinaryImage], [FilePart(SOUND), FilePart(IMAGE)], [BinaryImage.of(IMAGE)]),
    (BinaryImage | str, [TextPart('A harbour:'), FilePart(IMAGE)], BinaryImage.of(IMAGE)),
    (BinaryImage | str, 'No picture.', 'No picture.'),
    (str | None, [], None),
    (str | None, [ThinkingPart('Done.')], None),
    (str | None, 'Done.', 'Done.'),
    ([int, None], final({'response': None}, '_NoneType'), None),
    ([int, None], '', None),
    ([ToolOutput(City, name='city'), None], call('city', {'name': 'Oslo'}), City(name='Oslo')),
    (ToolOutput(int | None), final({'response': None}), None),
    (NativeOutput([City, None]), NO_CHOICE, None),
    (BinaryImage | None, '', None),
]


@pytest.mark.parametrize(('output_type', 'response', 'output'), FORMS)
async def test_each_form_is_read_from_a_whole_response_and_from_a_stream(
    output_type: Any, response: Any, output: Any
) -> None:
    agent: Agent[None, Any] = Agent(Scripted(response), output_type=output_type)
    whole = (await agent.run('?')).output
    async with agent.run_stream('?') as stream:
        values = [value async for value in stream.stream_output(debounce_by=None)]
        streamed = await stream.get_output()
    assert (whole, streamed, values[-1]) == (output, output, output)
    assert type(whole) is type(streamed) is type(output)


@pytest.mark.parametrize('output_type', [row[0] for row in FORMS if 'Image' not in str(row[0])])
async def test_a_model_for_tests_gives_each_form(output_type: Any) -> None:
    agent: Agent[None, Any] = Agent(TestModel(), output_type=output_type)
    whole = (await agent.run('?')).output
    async with agent.run_stream('?') as stream:
        assert await stream.get_output() == whole


PARTIAL: list[tuple[Any, Any, list[Any]]] = [
    (
        City,
        final({'name': 'Oslo', 'people': 7}),
        [City(name=name) for name in ('', 'Oslo')] + [City(name='Oslo', people=7)],
    ),
    (list[str], final({'response': ['Io', 'Europa']}), [['Io'], ['Io', 'Europa']]),
    (Human, final({'name': 'Ada'}), [{'name': 'Ada'}]),
    (NativeOutput(list[str]), '{"response": ["Io", "Europa"]}', [['Io'], ['Io', 'Europa']]),
    (PromptedOutput(list[str]), 'Here: {"response": ["Io", "Europa"]}', [['Io'], ['Io', 'Europa']]),
]


@pytest.mark.parametrize(('output_type', 'response', 'values'), PARTIAL)
async def test_partial_values_are_valid_and_grow(output_type: Any, response: Any, values: list[Any]) -> None:
    agent: Agent[None, Any] = Agent(Scripted(response), output_type=output_type)
    async with agent.run_stream('?') as stream:
        seen = [value async for value in stream.stream_output(debounce_by=None)]
    assert [value for value in seen if value in values] == [value for value in values if value in seen]
    assert seen[-1] == values[-1]
    assert len(seen) > 1 or len(values) == 1


async def test_functions_are_called_once_and_validators_know_partial_outputs() -> None:
    called: list[str] = []
    checked: list[tuple[bool, Any]] = []
    agent: Agent[None, Any] = Agent(Scripted(final({'name': 'Oslo', 'people': 7})), output_type=City)

    @agent.output_validator
    def check(ctx: RunContext, city: City) -> City:
        checked.append((ctx.partial_output, city))
        if not ctx.partial_output and city.people < 7:
            raise ModelRetry('Too few.')
        return city

    async with agent.run_stream('?') as stream:
        [_ async for _ in stream.stream_output(debounce_by=None)]
    assert [is_partial for is_partial, _ in checked] == [True] * (len(checked) - 1) + [False]
    assert len(checked) > 2

    def finish(text: str) -> str:
        called.append(text)
        return text.upper()

    async with Agent(Scripted('a b c'), output_type=TextOutput(finish)).run_stream('?') as words:
        assert [value async for value in words.stream_output(debounce_by=None)] == ['A B C']
    assert called == ['a b c']


@pytest.mark.parametrize('output_type', [None, [None]])
def test_none_alone_is_no_output(output_type: Any) -> None:
    if output_type is None:
        assert Agent(Scripted('Yes.'), output_type=None).output_type is str
        return
    with pytest.raises(UserError, match='output_type has None only'):
        Agent(Scripted('Yes.'), output_type=output_type)


async def test_a_validator_may_reject_none() -> None:
    agent: Agent[None, Any] = Agent(Scripted([], 'Done.'), output_type=str | None)

    @agent.output_validator
    def check(output: str | None) -> str | None:
        if output is None:
            raise ModelRetry('Say something.')
        return output

    assert (await agent.run('?')).output == 'Done.'


def test_an_image_is_no_other_file() -> None:
    with pytest.raises(UserError, match="the media type 'audio/wav'"):
        BinaryImage.of(SOUND)


@pytest.mark.parametrize(
    ('output_type', 'content', 'output'),
    [
        (NativeOutput(City), TextPart('{"name": "Oslo"}'), City(name='Oslo')),
        (PromptedOutput(City), TextPart('{"name": "Oslo"}'), City(name='Oslo')),
        (BinaryImage, FilePart(IMAGE), BinaryImage.of(IMAGE)),
    ],
)
async def test_json_text_or_an_image_next_to_tool_calls_ends_the_run_early(
    output_type: Any, content: Any, output: Any
) -> None:
    ran: list[int] = []
    for strategy in ('early', 'graceful'):
        model = Scripted([content, call('note')], [content])
        agent: Agent[None, Any] = Agent(model, output_type=output_type, end_strategy=strategy)

        @agent.tool_plain
        def note() -> str:
            ran.append(1)
            return 'noted'

        result = await agent.run('?')
        assert result.output == output
        assert (len(model.requests), len(ran)) == ((1, 0) if strategy == 'early' else (2, 1))
        assert outline(result.all_messages())[2][0][-1] == ('interrupted' if strategy == 'early' else 'success')


async def test_text_that_is_no_output_does_not_keep_tools_from_running() -> None:
    model = Scripted([TextPart('Let me look.'), call('note')], '{"name": "Oslo"}')
    agent: Agent[None, Any] = Agent(model, output_type=NativeOutput(City))

    @agent.tool_plain
    def note() -> str:
        return 'noted'

    assert (await agent.run('?')).output == City(name='Oslo')
