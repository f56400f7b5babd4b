"""`TestModel`: the tools that it calls, its output, and its streams."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from jsonschema import validate
from pydantic import BaseModel

from pydantic_llm import Agent, RunContext, Tool
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import (
    ModelRequestParameters,
    OutputObjectDefinition,
    infer_model,
    override_allow_model_requests,
)
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.usage import RequestUsage
from tests.replay import replay


def tool(name: str, /, **properties: Any) -> ToolDefinition:
    return ToolDefinition(name, {'type': 'object', 'properties': properties, 'required': list(properties)})


INTEGER, STRING = {'type': 'integer'}, {'type': 'string'}
WEATHER, CLOCK = tool('weather', city=STRING, days=INTEGER), tool('clock')
PLACE, PERSON = tool('place', name=STRING), tool('person', age=INTEGER)
CITY = OutputObjectDefinition(
    {'type': 'object', 'properties': {'city': STRING, 'size': INTEGER}, 'required': ['city', 'size']}
)
FUNCTIONS = ModelRequestParameters(function_tools=[WEATHER, CLOCK])
OUTPUTS = ModelRequestParameters(
    function_tools=[WEATHER, CLOCK], output_tools=[PLACE, PERSON], output_mode='tool', allow_text_output=False
)
EITHER = replace(OUTPUTS, allow_text_output=True)
FRESH: list[ModelMessage] = [ModelRequest.user_text_prompt('What is the weather?')]
TOOLS_ARE_DONE: list[ModelMessage] = [
    *FRESH,
    ModelResponse([ToolCallPart('weather', {}, 'call_1'), ToolCallPart('clock', {}, 'call_2')]),
    ModelRequest([ToolReturnPart('weather', {'sky': 'blue'}, 'call_1'), ToolReturnPart('clock', 'noon', 'call_2')]),
]


def summarize(response: ModelResponse) -> list[Any]:
    """Return the tool calls as (name, arguments), and the texts."""
    return [
        (part.tool_name, part.args) if isinstance(part, ToolCallPart) else getattr(part, 'content', part)
        for part in response.parts
    ]


async def ask(
    model: TestModel,
    messages: Sequence[ModelMessage] = FRESH,
    parameters: ModelRequestParameters | None = None,
    **settings: Any,
) -> list[Any]:
    return summarize(await model.request(messages, ModelSettings(**settings), parameters))


# ------------------------------------------------------------------------------------------------- tools


async def test_a_fresh_conversation_calls_every_function_tool_once() -> None:
    response = await TestModel().request(FRESH, None, FUNCTIONS)
    assert response == ModelResponse(
        [ToolCallPart('weather', {'city': 'a', 'days': 0}, 'call_1'), ToolCallPart('clock', {}, 'call_2')],
        usage=RequestUsage(input_tokens=54, output_tokens=8),
        model_name='test',
        provider_name='test',
        finish_reason='tool_call',
        timestamp=response.timestamp,
    )


async def test_only_the_named_tools_are_called_in_the_order_of_their_names() -> None:
    assert await ask(TestModel(call_tools=['clock', 'weather']), FRESH, FUNCTIONS) == [
        ('clock', {}),
        ('weather', {'city': 'a', 'days': 0}),
    ]
    assert await ask(TestModel(call_tools=['clock']), FRESH, FUNCTIONS) == [('clock', {})]
    assert await ask(TestModel(call_tools=[]), FRESH, FUNCTIONS) == ['success (no tool calls)']


async def test_a_name_that_no_tool_has_is_an_error() -> None:
    with pytest.raises(UserError, match=r"call_tools names 'moon'.*\['weather', 'clock'\]"):
        await ask(TestModel(call_tools=['moon']), FRESH, FUNCTIONS)


async def test_a_name_is_an_error_even_if_there_are_no_tools_or_the_conversation_goes_on() -> None:
    model = TestModel(call_tools=['moon'])
    with pytest.raises(UserError, match=r"call_tools names 'moon'.*\[\]"):
        await Agent(model).run('Hello')
    first = await Agent(TestModel(), tools=[abs_of]).run('Hello')
    with pytest.raises(UserError, match=r"call_tools names 'moon'.*\['abs_of'\]"):
        await Agent(model, tools=[abs_of]).run('Hello', message_history=first.all_messages())


async def test_a_tool_that_is_hidden_after_its_call_is_no_error() -> None:
    def hide_later(ctx: RunContext, definition: ToolDefinition) -> ToolDefinition | None:
        return definition if ctx.run_step == 1 else None

    agent = Agent(TestModel(call_tools=['abs_of']), tools=[Tool(abs_of, prepare=hide_later)])
    assert (await agent.run('Hello')).output == '{"abs_of":0}'


def abs_of(number: int) -> int:
    return abs(number)


async def test_behind_a_gateway_an_output_tool_is_known_by_its_name() -> None:
    final = ToolDefinition('final_result', {'type': 'object', 'properties': {'answer': {'type': 'string'}}})
    parameters = ModelRequestParameters([*FUNCTIONS.function_tools, final])
    response = await TestModel().request(
        [ModelRequest.user_text_prompt('Hello')], {'tool_choice': 'required'}, parameters
    )
    assert [call.tool_name for call in response.tool_calls] == ['weather', 'clock']


def test_call_tools_is_not_a_single_name() -> None:
    with pytest.raises(UserError, match="call_tools takes a list of tool names or 'all', not 'weather'"):
        TestModel(call_tools='weather')


async def test_another_seed_makes_other_arguments() -> None:
    assert await ask(TestModel(seed=3), FRESH, FUNCTIONS) == [('weather', {'city': 'd', 'days': 3}), ('clock', {})]


async def test_the_tools_are_not_called_again_after_a_response() -> None:
    assert await ask(TestModel(), TOOLS_ARE_DONE, FUNCTIONS) == ['{"weather":{"sky":"blue"},"clock":"noon"}']
    history = [*TOOLS_ARE_DONE, ModelResponse([TextPart('It is noon')]), ModelRequest.user_text_prompt('And now?')]
    assert await ask(TestModel(), history, FUNCTIONS) == ['{"weather":{"sky":"blue"},"clock":"noon"}']


@pytest.mark.parametrize(
    'retry',
    [
        RetryPromptPart('No such city', tool_name='weather', tool_call_id='call_1'),
        ToolReturnPart('weather', 'No such city', 'call_1', outcome='retried'),
    ],
)
async def test_a_tool_that_asks_for_a_retry_is_called_again_with_a_new_id(retry: Any) -> None:
    results = ModelRequest([retry, ToolReturnPart('clock', 'noon', 'call_2')])
    response = await TestModel().request([*TOOLS_ARE_DONE[:2], results], None, FUNCTIONS)
    assert response.parts == [ToolCallPart('weather', {'city': 'a', 'days': 0}, 'call_3')]


async def test_an_output_tool_that_asks_for_a_retry_is_called_again() -> None:
    history = [
        *TOOLS_ARE_DONE,
        ModelResponse([ToolCallPart('person', {'age': 1}, 'call_3')]),
        ModelRequest([RetryPromptPart('Too young', tool_name='person', tool_call_id='call_3')]),
    ]
    assert await ask(TestModel(), history, OUTPUTS) == [('person', {'age': 0})]
    assert await ask(TestModel(custom_output_args={'age': 40}), history, OUTPUTS) == [('person', {'age': 40})]


async def test_a_retry_without_a_tool_gets_the_output_again() -> None:
    history = [*TOOLS_ARE_DONE, ModelResponse([TextPart('?')]), ModelRequest([RetryPromptPart('Not like that')])]
    assert await ask(TestModel(), history, OUTPUTS) == [('place', {'name': 'a'})]
    assert await ask(TestModel(custom_output_text='!'), history, FUNCTIONS) == ['!']


@pytest.mark.parametrize(
    ('choice', 'parameters', 'fresh', 'done'),
    [
        ('auto', FUNCTIONS, ['weather', 'clock'], 'text'),
        ('none', FUNCTIONS, 'text', 'text'),
        ('required', FUNCTIONS, ['weather', 'clock'], ['weather', 'clock']),
        (['clock'], FUNCTIONS, ['clock'], ['clock']),
        ('auto', OUTPUTS, ['weather', 'clock'], ['place']),
        ('none', OUTPUTS, ['place'], ['place']),
        ('required', OUTPUTS, ['weather', 'clock'], ['place']),
        (['clock'], OUTPUTS, ['clock'], ['clock']),
        (['person'], OUTPUTS, ['person'], ['person']),
        (['clock', 'person'], OUTPUTS, ['clock'], ['person']),
        ('auto', EITHER, ['weather', 'clock'], 'text'),
        ('none', EITHER, 'text', 'text'),
        ('required', EITHER, ['weather', 'clock'], ['place']),
    ],
)
async def test_tool_choice_is_obeyed(choice: Any, parameters: ModelRequestParameters, fresh: Any, done: Any) -> None:
    def names(parts: list[Any]) -> Any:
        return 'text' if isinstance(parts[0], str) else [name for name, _ in parts]

    model = TestModel()
    responses = [await ask(model, messages, parameters, tool_choice=choice) for messages in (FRESH, TOOLS_ARE_DONE)]
    assert [names(parts) for parts in responses] == [fresh, done]


async def test_a_tool_whose_name_is_part_of_a_tool_choice_is_not_called() -> None:
    parameters = ModelRequestParameters(function_tools=[tool('one')])
    assert await ask(TestModel(), FRESH, parameters, tool_choice='none') == ['success (no tool calls)']


async def test_a_required_tool_is_called_even_if_call_tools_is_empty() -> None:
    assert await ask(TestModel(call_tools=[]), FRESH, FUNCTIONS, tool_choice='required') == [
        ('weather', {'city': 'a', 'days': 0})
    ]


# ------------------------------------------------------------------------------------------------- output


async def test_without_tools_the_response_is_text() -> None:
    response = await TestModel().request(FRESH)
    assert response == ModelResponse(
        [TextPart('success (no tool calls)')],
        usage=RequestUsage(input_tokens=54, output_tokens=4),
        model_name='test',
        provider_name='test',
        finish_reason='stop',
        timestamp=response.timestamp,
    )


async def test_a_conversation_may_be_empty() -> None:
    assert await ask(TestModel(), []) == ['success (no tool calls)']


async def test_the_text_can_be_given() -> None:
    model = TestModel(custom_output_text='It is noon.')
    assert await ask(model) == ['It is noon.']
    assert await ask(model, FRESH, FUNCTIONS) == [('weather', {'city': 'a', 'days': 0}), ('clock', {})]
    assert await ask(model, TOOLS_ARE_DONE, FUNCTIONS) == ['It is noon.']


async def test_the_seed_picks_the_output_tool() -> None:
    assert await ask(TestModel(), TOOLS_ARE_DONE, OUTPUTS) == [('place', {'name': 'a'})]
    assert await ask(TestModel(seed=1), TOOLS_ARE_DONE, OUTPUTS) == [('person', {'age': 1})]


async def test_text_is_preferred_to_an_output_tool_if_both_are_allowed() -> None:
    assert await ask(TestModel(call_tools=[]), FRESH, EITHER) == ['success (no tool calls)']
    assert await ask(TestModel(call_tools=[], custom_output_args={'name': 'x'}), FRESH, EITHER) == [
        ('place', {'name': 'x'})
    ]


class Person(BaseModel):
    age: int


@dataclass
class Place:
    name: str


@pytest.mark.parametrize(
    ('given', 'sent'), [({'q': 1}, {'q': 1}), (Person(age=3), {'age': 3}), (Place('x'), {'name': 'x'})]
)
async def test_the_arguments_of_the_output_tool_can_be_given(given: Any, sent: Any) -> None:
    assert await ask(TestModel(custom_output_args=given), TOOLS_ARE_DONE, OUTPUTS) == [('place', sent)]


async def test_an_output_that_is_not_an_object_is_wrapped_like_its_schema() -> None:
    wrapped = ToolDefinition(
        'final', tool('', response=INTEGER).parameters_json_schema, outer_typed_dict_key='response'
    )
    parameters = ModelRequestParameters(output_tools=[wrapped], output_mode='tool', allow_text_output=False)
    assert await ask(TestModel(), FRESH, parameters) == [('final', {'response': 0})]
    assert await ask(TestModel(custom_output_args=7), FRESH, parameters) == [('final', {'response': 7})]


@pytest.mark.parametrize('mode', ['native', 'prompted'])
async def test_an_object_is_written_as_json(mode: Any) -> None:
    parameters = ModelRequestParameters(output_mode=mode, output_object=CITY)
    assert await ask(TestModel(), FRESH, parameters) == ['{"city":"a","size":0}']
    assert await ask(TestModel(custom_output_args={'city': 'x', 'size': 9}), FRESH, parameters) == [
        '{"city":"x","size":9}'
    ]
    assert await ask(TestModel(custom_output_text='no JSON'), FRESH, parameters) == ['no JSON']


async def test_the_output_mode_auto_is_the_profiles() -> None:
    parameters = ModelRequestParameters(
        output_mode='auto', output_object=CITY, output_tools=[PLACE], allow_text_output=False
    )
    assert await ask(TestModel(), FRESH, parameters) == [('place', {'name': 'a'})]
    native = TestModel(profile={'default_structured_output_mode': 'native'})
    assert await ask(native, FRESH, replace(parameters, allow_text_output=True)) == ['{"city":"a","size":0}']


@pytest.mark.parametrize(
    ('options', 'parameters', 'message'),
    [
        ({'custom_output_text': 'x'}, OUTPUTS, 'custom_output_text is given, but this request takes no text'),
        ({'custom_output_args': {}}, FUNCTIONS, 'custom_output_args are given, but this request takes text'),
    ],
)
async def test_an_output_that_does_not_fit_the_request_is_an_error(
    options: Any, parameters: ModelRequestParameters, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        await ask(TestModel(**options), TOOLS_ARE_DONE, parameters)


def test_two_custom_outputs_are_an_error() -> None:
    with pytest.raises(UserError, match='custom_output_text and custom_output_args are both given'):
        TestModel(custom_output_text='x', custom_output_args={})


async def test_the_text_holds_every_kind_of_tool_result() -> None:
    png = BinaryContent(b'\x89\xff', media_type='image/png')
    history = [
        *TOOLS_ARE_DONE[:2],
        ModelRequest([ToolReturnPart('weather', [png, {1, 2}], 'call_1'), ToolReturnPart('clock', object, 'call_2')]),
    ]
    [text] = await ask(TestModel(), history, FUNCTIONS)
    returned = json.loads(text)
    assert (returned['weather'][0]['data'], returned['weather'][1]) == (png.base64, [1, 2])
    assert returned['clock'] == "<class 'object'>"


# ------------------------------------------------------------------------------------------------- recorded requests


async def test_the_newest_request_is_kept() -> None:
    model = TestModel(settings={'temperature': 0.5, 'max_tokens': 7})
    assert (model.last_model_request_parameters, model.last_model_settings, model.last_messages) == (None, None, None)
    response = await model.request(FRESH, {'max_tokens': 9}, FUNCTIONS)
    assert response.warnings == []
    assert model.last_model_request_parameters is FUNCTIONS
    assert model.last_model_settings == {'temperature': 0.5, 'max_tokens': 9}
    assert model.last_messages == FRESH


async def test_a_part_that_no_vendor_accepts_is_a_warning() -> None:
    orphan = ModelRequest([ToolReturnPart('clock', 'noon', 'call_9')])
    response = await TestModel().request([orphan])
    assert response.warnings == ["a result of tool 'clock' was sent as text: no tool call has its id 'call_9'"]


async def test_usage_grows_with_the_conversation_and_counts_words() -> None:
    async def usage(*messages: ModelMessage) -> RequestUsage:
        return (await TestModel(custom_output_text='one two, three').request(messages)).usage

    question = ModelRequest(
        [UserPromptPart(['Who is this?', BinaryContent(b'', media_type='image/png')])], instructions='Be brief'
    )
    assert await usage(question) == RequestUsage(input_tokens=50 + 3 + 100 + 2, output_tokens=3)
    followed_up = (question, ModelResponse([TextPart('A cat')]), ModelRequest.user_text_prompt('Sure?'))
    assert await usage(*followed_up) == RequestUsage(input_tokens=50 + 3 + 100 + 2 + 1, output_tokens=3)
    called = ModelResponse([ToolCallPart('look', {}, 'call_1')])
    returned = ModelRequest(
        [ToolReturnPart('look', ['two cats', BinaryContent(b'', media_type='image/png')], 'call_1')]
    )
    assert await usage(called, returned) == RequestUsage(input_tokens=50 + 2 + 2 + 100, output_tokens=3)


async def test_the_switch_for_requests_does_not_apply() -> None:
    with override_allow_model_requests(allow_model_requests=False):
        assert await ask(TestModel()) == ['success (no tool calls)']


def test_the_model_is_called_test() -> None:
    model = infer_model('test')
    assert isinstance(model, TestModel)
    assert (model.model_name, model.system, model.model_id, model.base_url) == ('test', 'test', 'test:test', None)
    assert TestModel(model_name='other').model_name == 'other'


async def test_the_same_request_gets_the_same_response_and_no_message_is_changed() -> None:
    before = repr(TOOLS_ARE_DONE)
    assert await ask(TestModel(), TOOLS_ARE_DONE, OUTPUTS) == await ask(TestModel(), TOOLS_ARE_DONE, OUTPUTS)
    assert repr(TOOLS_ARE_DONE) == before


async def test_arguments_are_valid_for_a_schema_that_is_only_a_reference() -> None:
    schema = {'$ref': '#/$defs/P', '$defs': {'P': PERSON.parameters_json_schema}}
    parameters = ModelRequestParameters(function_tools=[ToolDefinition('f', schema), ToolDefinition('g', {})])
    parts = await ask(TestModel(), FRESH, parameters)
    assert parts == [('f', {'age': 0}), ('g', {})]
    validate(parts[0][1], schema)


async def test_the_error_of_a_schema_without_a_value_names_the_remedies() -> None:
    never = tool('never', x={'type': 'string', 'minLength': 2, 'maxLength': 1})
    with pytest.raises(UserError, match=r"no value for the schema {'type': 'string', 'minLength': 2.*call_tools.*"):
        await ask(TestModel(), FRESH, ModelRequestParameters(function_tools=[never]))


# ------------------------------------------------------------------------------------------------- streams

REQUESTS = [
    (FRESH, FUNCTIONS),
    (TOOLS_ARE_DONE, FUNCTIONS),
    (TOOLS_ARE_DONE, OUTPUTS),
    (FRESH, ModelRequestParameters(output_mode='native', output_object=CITY)),
]


@pytest.mark.parametrize(('messages', 'parameters'), REQUESTS)
async def test_a_streamed_response_equals_the_whole_one(
    messages: list[ModelMessage], parameters: ModelRequestParameters
) -> None:
    model = TestModel()
    async with model.request_stream(messages, None, parameters) as stream:
        events = [event async for event in stream]
    whole = await model.request(messages, None, parameters)
    assert stream.get() == replace(whole, timestamp=stream.get().timestamp)
    assert replay(iter(events)) == whole.parts
    assert stream.usage() == whole.usage


async def read_events(
    model: TestModel, parameters: ModelRequestParameters | None = None
) -> list[ModelResponseStreamEvent]:
    async with model.request_stream(FRESH, None, parameters) as stream:
        return [event async for event in stream if event.event_kind != 'final_result']


async def test_text_is_streamed_word_by_word() -> None:
    text = TextPart('Blue, mostly.')
    assert await read_events(TestModel(custom_output_text='Blue, mostly.')) == [
        PartStartEvent(0, TextPart('Blue, ')),
        PartDeltaEvent(0, TextPartDelta('mostly.')),
        PartEndEvent(0, text),
    ]


@pytest.mark.parametrize('text', ['', ' ', ' a', 'a ', ',,', '{"a": [1,2 ]}\n', 'a\n\nb  c', 'é…,x:'])
async def test_text_is_streamed_without_losing_a_character(text: str) -> None:
    events = await read_events(TestModel(custom_output_text=text))
    assert replay(iter(events)) == [TextPart(text)]


async def test_arguments_are_streamed_one_by_one() -> None:
    whole = ToolCallPart('weather', {'city': 'a', 'days': 0}, 'call_1')
    assert await read_events(TestModel(), ModelRequestParameters(function_tools=[WEATHER])) == [
        PartStartEvent(0, ToolCallPart('weather', {}, 'call_1')),
        PartDeltaEvent(0, ToolCallPartDelta({'city': 'a'}, 'call_1')),
        PartDeltaEvent(0, ToolCallPartDelta({'city': 'a', 'days': 0}, 'call_1')),
        PartEndEvent(0, whole),
    ]


async def test_a_stream_that_is_left_early_is_interrupted() -> None:
    async with TestModel().request_stream(FRESH) as stream:
        await anext(stream)
        await anext(stream)
    assert (stream.get().state, stream.get().parts) == ('interrupted', [TextPart('success ')])
    assert [event async for event in stream] == []
