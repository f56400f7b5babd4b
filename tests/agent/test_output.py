"""Output types, how they are requested, and how responses are read as outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

import jsonschema
import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from pydantic_llm import (
    ContentFilterError,
    ModelResponse,
    ModelRetry,
    NativeOutput,
    PromptedOutput,
    RunContext,
    TextOutput,
    Tool,
    ToolDefinition,
    ToolOutput,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_llm.agent import Agent, StructuredDict
from pydantic_llm.exceptions import StreamInterruptedError
from pydantic_llm.messages import BinaryContent, FilePart, NativeToolCallPart, RetryPromptPart, TextPart, ThinkingPart
from pydantic_llm.models import OutputObjectDefinition
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.profiles import ModelProfile
from tests.agent.scripted import Scripted, call, outline

T = TypeVar('T')


class City(BaseModel):
    """A city."""

    name: str
    people: int = 0


class Box(BaseModel, Generic[T]):
    held: T


@dataclass
class Point:
    x: int
    y: int


class Colour(TypedDict):
    red: int


def final(args: Any, name: str = 'final_result', id: str = 'f1') -> Any:
    return call(name, args, id)


OUTPUTS: list[tuple[Any, Any, Any]] = [
    (City, {'name': 'Paris'}, City(name='Paris')),
    (Point, {'x': 1, 'y': 2}, Point(1, 2)),
    (Colour, {'red': 1}, {'red': 1}),
    (dict[str, int], {'a': 1}, {'a': 1}),
    (int, {'response': 7}, 7),
    (bool, {'response': True}, True),
    (list[City], {'response': [{'name': 'Paris'}]}, [City(name='Paris')]),
    (tuple[int, str], {'response': [1, 'a']}, (1, 'a')),
    (Literal['a', 'b'], {'response': 'b'}, 'b'),
    (Annotated[int, Field(gt=1)], {'response': 2}, 2),
    (ToolOutput(City | Point), {'response': {'x': 1, 'y': 2}}, Point(1, 2)),
    (StructuredDict({'type': 'object', 'properties': {'a': {'type': 'integer'}}}), {'a': 'any'}, {'a': 'any'}),
]


@pytest.mark.parametrize(('output_type', 'args', 'output'), OUTPUTS, ids=lambda value: str(value)[:40])
async def test_types_of_all_kinds_are_outputs(output_type: Any, args: Any, output: Any) -> None:
    model = Scripted(final(args))
    assert (await Agent(model, output_type=output_type).run('?')).output == output
    [definition] = model.requests[0].parameters.output_tools
    assert definition.parameters_json_schema['type'] == 'object'
    assert definition.outer_typed_dict_key == ('response' if 'response' in args else None)


async def test_the_request_offers_the_output_as_a_tool() -> None:
    model = Scripted(final({'name': 'Paris'}))
    result = await Agent(model, output_type=City).run('?')
    parameters = model.requests[0].parameters
    assert (parameters.output_mode, parameters.allow_text_output) == ('tool', False)
    schema = {
        'type': 'object',
        'properties': {'name': {'type': 'string'}, 'people': {'type': 'integer', 'default': 0}},
        'required': ['name'],
    }
    assert parameters.output_tools == [ToolDefinition('final_result', schema, 'A city.', kind='output')]
    assert outline(result.all_messages()) == [
        [('user', '?')],
        [('call', 'final_result', {'name': 'Paris'}, 'f1')],
        [('return', 'final_result', 'This is the final answer.', 'f1', 'success')],
    ]


async def test_the_tool_result_for_the_output_can_be_replaced() -> None:
    result = await Agent(Scripted(final({'name': 'Paris'})), output_type=City).run('?')
    changed = outline(result.all_messages(output_tool_return_content='Shown to the user.'))
    assert changed[2] == [('return', 'final_result', 'Shown to the user.', 'f1', 'success')]
    assert b'Shown' in result.new_messages_json(output_tool_return_content='Shown to the user.')
    assert outline(result.all_messages())[2][0][2] == 'This is the final answer.'
    with pytest.raises(UserError, match='the model did not give the output by calling a tool'):
        (await Agent(Scripted('x')).run('?')).all_messages(output_tool_return_content='?')


@pytest.mark.parametrize('output_type', [[City, Point], City | Point, (City, Point)], ids=str)
async def test_each_of_several_types_is_a_tool(output_type: Any) -> None:
    model = Scripted(final({'x': 1, 'y': 2}, 'final_result_Point'))
    assert (await Agent(model, output_type=output_type).run('?')).output == Point(1, 2)
    names = [definition.name for definition in model.requests[0].parameters.output_tools]
    assert names == ['final_result_City', 'final_result_Point']


async def test_names_of_output_tools_are_valid_for_every_vendor() -> None:
    model = Scripted(final({'response': [1]}, 'final_result_list_int'))
    agent = Agent(model, output_type=[list[int], dict[str, City], Literal['x y'], ToolOutput(City, name='town')])
    assert (await agent.run('?')).output == [1]
    names = [definition.name for definition in model.requests[0].parameters.output_tools]
    assert names == ['final_result_list_int', 'final_result_dict_str_City', 'final_result_Literal', 'town']


async def test_the_name_of_an_output_tool_has_at_most_64_characters() -> None:
    long, same = (type('City' * 20, (BaseModel,), {'__annotations__': {name: int}}) for name in ('m', 'n'))

    def plan() -> str:
        return 'planned'

    plan.__name__ = 'plan_' * 20
    model = Scripted(final({'n': 1}, f'final_result_{"City" * 12}_2'))
    output_type: Any = [long, same, plan]
    assert (await Agent(model, output_type=output_type).run('?')).output == same.model_validate({'n': 1})
    names = [definition.name for definition in model.requests[0].parameters.output_tools]
    assert [len(name) for name in names] == [61, 63, 61]


async def test_the_name_of_a_generic_type_is_valid_for_every_vendor() -> None:
    model = Scripted(final({'held': 1}, 'final_result_Box_int'))
    assert (await Agent(model, output_type=[Box[int], City]).run('?')).output == Box(held=1)


async def test_two_types_with_the_same_name_are_two_tools() -> None:
    other: Any = type('City', (BaseModel,), {'__annotations__': {'n': int}})
    model = Scripted(final({'n': 1}, 'final_result_City_2'))
    assert (await Agent(model, output_type=[City, other]).run('?')).output == other(n=1)


async def test_text_and_types_can_be_mixed() -> None:
    agent: Agent[None, Any] = Agent(Scripted('Which one?'), output_type=[City, str])
    assert (await agent.run('?')).output == 'Which one?'
    model = Scripted(final({'name': 'Paris'}))
    assert (await agent.run('?', model=model)).output == City(name='Paris')
    assert model.requests[0].parameters.allow_text_output


async def test_a_run_can_replace_the_output_type() -> None:
    agent = Agent(Scripted('x'))
    result = await agent.run('?', output_type=int, model=Scripted(final({'response': 7})))
    assert result.output == 7


async def test_an_agent_with_validators_rejects_another_output_type() -> None:
    agent = Agent(Scripted('x'))
    agent.output_validator(lambda output: output)
    with pytest.raises(UserError, match='output_type cannot be given to a run of an agent with output validators'):
        await agent.run('?', output_type=int)


# ------------------------------------------------------------------------------------------------------ functions


async def test_an_output_function_is_called_with_the_models_arguments() -> None:
    def add(ctx: RunContext[int], a: int, b: int = 1) -> int:
        """Add them.

        Args:
            a: The first.
        """
        return a + b + ctx.deps

    model = Scripted(final({'a': 'x'}), final({'a': 5}))
    agent = Agent(model, output_type=add, deps_type=int)
    result = await agent.run('?', deps=10)
    assert result.output == 16
    assert outline(result.all_messages())[2][0][:2] == ('retry', 'final_result')
    [definition] = model.requests[0].parameters.output_tools
    assert definition.description == 'Add them.'
    assert definition.parameters_json_schema['properties']['a'] == {'type': 'integer', 'description': 'The first.'}


async def test_an_output_function_can_reject_and_can_be_async() -> None:
    async def pick(n: int) -> str:
        if n < 3:
            raise ModelRetry('Higher.')
        return f'{n}!'

    agent = Agent(Scripted(final({'n': 1}), final({'n': 3})), output_type=[pick, City])
    agent.model = Scripted(final({'n': 1}, 'final_result_pick'), final({'n': 3}, 'final_result_pick'))
    result = await agent.run('?')
    assert result.output == '3!'
    assert outline(result.all_messages())[2] == [('retry', 'final_result_pick', 'Higher.', 'f1')]


async def test_an_error_in_an_output_function_is_raised_to_the_caller() -> None:
    def broken(city: City) -> str:
        return City(name=7).name  # type: ignore[arg-type]

    with pytest.raises(ValueError, match='Input should be a valid string'):
        await Agent(Scripted(final({'name': 'Paris'})), output_type=broken).run('?')


async def test_a_text_output_calls_its_function_with_the_text() -> None:
    async def words(ctx: RunContext[str], text: str) -> list[str]:
        if ctx.deps not in text:
            raise ModelRetry(f'Say {ctx.deps}.')
        return text.split()

    agent = Agent(Scripted('hello', 'hello world'), output_type=TextOutput(words), deps_type=str)
    result = await agent.run('?', deps='world')
    assert result.output == ['hello', 'world']
    assert outline(result.all_messages())[2] == [('retry', 'Say world.')]
    assert (await Agent(Scripted('a b'), output_type=[TextOutput(str.split), int]).run('?')).output == ['a', 'b']


# ---------------------------------------------------------------------------------------------------------- modes

NATIVE = ModelProfile(supports_json_schema_output=True, default_structured_output_mode='native')


async def test_native_output_sends_the_schema_and_reads_the_text() -> None:
    model = Scripted(ThinkingPart('Hm.'), '{"name": "Paris"}')
    model = Scripted([ThinkingPart('Hm.'), TextPart('{"name": "Paris"}')])
    agent = Agent(model, output_type=NativeOutput(City, name='town', strict=True))
    assert (await agent.run('?')).output == City(name='Paris')
    parameters = model.requests[0].parameters
    assert (parameters.output_mode, parameters.output_tools, parameters.allow_text_output) == ('native', [], True)
    assert parameters.output_object is not None
    assert parameters.output_object.json_schema['properties'].keys() == {'name', 'people'}
    assert (parameters.output_object.name, parameters.output_object.description) == ('town', 'A city.')
    assert parameters.output_object.strict


async def test_prompted_output_reads_json_inside_a_fence_or_prose() -> None:
    for text in (
        '{"name": "Paris"}',
        '```json\n{"name": "Paris"}\n```',
        'Sure! Here it is:\n\n```\n{"name": "Paris"}\n```\nAnything else?',
        'Sure: {"name": "Paris"}. Anything else?',
    ):
        model = Scripted(text)
        agent = Agent(model, output_type=PromptedOutput([City], template='Give {schema}'))
        assert (await agent.run('?')).output == City(name='Paris')
        parameters = model.requests[0].parameters
        assert (parameters.output_mode, parameters.prompted_output_template) == ('prompted', 'Give {schema}')
        assert parameters.output_object == OutputObjectDefinition(
            {
                'type': 'object',
                'properties': {'name': {'type': 'string'}, 'people': {'type': 'integer', 'default': 0}},
                'required': ['name'],
            },
            name='City',
            description='A city.',
        )


async def test_the_retry_prompt_quotes_a_response_without_json() -> None:
    result = await Agent(Scripted('I cannot }say{.', '{"name": "P"}'), output_type=PromptedOutput(City)).run('?')
    [retry] = result.all_messages()[2].parts
    assert isinstance(retry, RetryPromptPart)
    assert [error['input'] for error in retry.content] == ['I cannot }say{.']  # type: ignore[index]


@pytest.mark.parametrize('mode', [NativeOutput, PromptedOutput])
async def test_several_types_are_discriminated_by_kind(mode: Any) -> None:
    def double(n: int) -> int:
        return 2 * n

    agent = Agent(Scripted('{"result": {"kind": "double", "data": {"n": 4}}}'), output_type=mode([City, int, double]))
    assert (await agent.run('?')).output == 8
    model = Scripted('{"result": {"kind": "int", "data": 4}}')
    assert (await agent.run('?', model=model)).output == 4
    schema = model.requests[0].parameters.output_object.json_schema  # type: ignore[union-attr]
    assert schema['properties'].keys() == {'result'}
    assert len(schema['properties']['result']['oneOf']) == 3


@pytest.mark.parametrize(
    ('profile', 'output_type', 'mode'),
    [
        (ModelProfile(), City, 'tool'),
        (NATIVE, City, 'native'),
        (NATIVE, [City, str], 'tool'),
        (NATIVE, ToolOutput(City), 'tool'),
        (NATIVE, str, 'text'),
        (ModelProfile(default_structured_output_mode='prompted'), City, 'prompted'),
        (ModelProfile(supports_tools=False), City, 'prompted'),
    ],
)
async def test_the_auto_mode_follows_the_profile(profile: ModelProfile, output_type: Any, mode: str) -> None:
    response = final({'name': 'P'}) if mode == 'tool' else '{"name": "P"}'
    model = Scripted(response, profile=profile)
    await Agent(model, output_type=output_type).run('?')
    assert model.requests[0].parameters.output_mode == mode


async def test_json_is_read_after_the_last_native_tool_call() -> None:
    parts = [TextPart('Let me {search}.'), NativeToolCallPart('web_search'), TextPart('{"name": '), TextPart('"P"}')]
    assert (await Agent(Scripted(parts), output_type=NativeOutput(City)).run('?')).output == City(name='P')


@pytest.mark.parametrize(
    ('output_type', 'message'),
    [
        ([], 'output_type is an empty sequence'),
        ([NativeOutput(City), Point], 'NativeOutput cannot be combined with other outputs'),
        ([ToolOutput(City, name='a'), ToolOutput(Point, name='a')], "Two outputs have the tool name 'a'"),
        (Scripted, "'Scripted' has a type that has no JSON schema"),
    ],
    ids=str,
)
async def test_an_invalid_output_type_is_an_error(output_type: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        await Agent(Scripted('x'), output_type=output_type).run('?')


# ------------------------------------------------------------------------------------------- validators, retries


async def test_validators_run_in_order_and_may_change_the_output() -> None:
    agent = Agent(Scripted('one', 'two'), deps_type=str)

    @agent.output_validator
    async def forbid(ctx: RunContext[str], output: str) -> str:
        if output == ctx.deps:
            raise ModelRetry(f'Not {output}, for the {ctx.retry + 1}. time.')
        assert not ctx.partial_output
        return output.upper()

    @agent.output_validator
    def shout(output: str) -> str:
        return output + '!'

    result = await agent.run('?', deps='one')
    assert result.output == 'TWO!'
    assert outline(result.all_messages())[2] == [('retry', 'Not one, for the 1. time.')]


async def test_an_output_that_is_rejected_too_often_ends_the_run() -> None:
    model = Scripted(final({'response': 'x'}))
    with pytest.raises(
        UnexpectedModelBehavior, match=r'^The output exceeded output_retries=2; what was wrong'
    ) as raised:
        await Agent(model, output_type=int, retries=0, output_retries=2).run('?')
    assert isinstance(raised.value.__cause__, ValueError)
    assert len(model.requests) == 3


async def test_an_output_can_set_its_own_retries() -> None:
    seen: list[tuple[int, int]] = []
    model = Scripted(final({'response': 1}))
    agent = Agent(model, output_type=ToolOutput(int, max_retries=3), retries=0)

    @agent.output_validator
    def never(ctx: RunContext, output: int) -> int:
        seen.append((ctx.retry, ctx.max_retries))
        raise ModelRetry('No.')

    with pytest.raises(UnexpectedModelBehavior, match='output_retries=3'):
        await agent.run('?')
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


async def test_failing_tools_do_not_count_against_the_output() -> None:
    agent = Agent(Scripted(call('fail'), '', 'done'), retries=1)

    @agent.tool_plain
    def fail() -> None:
        raise ModelRetry('No.')

    assert (await agent.run('?')).output == 'done'


async def test_text_instead_of_an_output_tool_gets_a_retry_prompt_with_its_name() -> None:
    agent = Agent(Scripted('Paris.', final({'name': 'Paris'})), output_type=City)
    messages = outline((await agent.run('?')).all_messages())
    assert messages[2] == [('retry', "Text is not an answer here. Give the answer by calling 'final_result'.")]


# --------------------------------------------------------------------------------------- the other tool calls


@pytest.mark.parametrize(('strategy', 'ran'), [('early', []), ('graceful', [1]), ('exhaustive', [1])])
async def test_the_end_strategy_decides_which_other_tools_run(strategy: Any, ran: list[int]) -> None:
    calls = [call('note', {'n': 1}, 'a'), final({'response': 7}, id='b'), call('nothing', id='c')]
    noted: list[int] = []
    agent = Agent(Scripted(calls), output_type=int, end_strategy=strategy)

    @agent.tool_plain
    def note(n: int) -> None:
        noted.append(n)

    result = await agent.run('?')
    assert (result.output, noted) == (7, ran)
    first, output, nothing = outline(result.all_messages())[2]
    assert output == ('return', 'final_result', 'This is the final answer.', 'b', 'success')
    not_needed = (
        'return',
        'note',
        'This call was not carried out: the final answer had been given.',
        'a',
        'interrupted',
    )
    assert first == (('return', 'note', None, 'a', 'success') if ran else not_needed)
    assert nothing[0] == ('retry' if ran else 'return')


@pytest.mark.parametrize(('strategy', 'finished'), [('early', [1]), ('graceful', [1]), ('exhaustive', [1, 2])])
async def test_the_first_valid_output_of_several_is_used(strategy: Any, finished: list[int]) -> None:
    seen: list[int] = []

    def finish(n: int) -> int:
        seen.append(n)
        return n

    calls = [final({'n': 'x'}, id='a'), final({'n': 1}, id='b'), final({'n': 2}, id='c')]
    result = await Agent(Scripted(calls), output_type=finish, end_strategy=strategy).run('?')
    assert (result.output, seen) == (1, finished)
    tool_results = outline(result.all_messages())[2]
    assert [tool_result[0] for tool_result in tool_results] == ['retry', 'return', 'return']
    assert (result.all_messages(output_tool_return_content='It.')[2].parts[1].content) == 'It.'  # type: ignore[union-attr]


async def test_tools_run_when_the_output_of_their_response_is_rejected() -> None:
    calls = [final({'response': 'x'}, id='a'), call('note', {'n': 1}, 'b')]
    noted: list[int] = []
    agent = Agent(Scripted(calls, final({'response': 7})), output_type=int)

    @agent.tool_plain
    def note(n: int) -> None:
        noted.append(n)

    result = await agent.run('?')
    assert (result.output, noted) == (7, [1])
    assert [part[:2] for part in outline(result.all_messages())[2]] == [('retry', 'final_result'), ('return', 'note')]


# ------------------------------------------------------------------------------------------- invalid responses

NOTHING: list[Any] = [[], [TextPart('')], [TextPart(' \n')], [ThinkingPart('Hm.')]]


@pytest.mark.parametrize('parts', NOTHING)
async def test_an_empty_response_is_requested_again(parts: Any) -> None:
    result = await Agent(Scripted(parts, 'x')).run('?')
    assert result.output == 'x'
    assert outline(result.all_messages())[2] == [('retry', 'The answer was empty.')]


async def test_too_many_empty_responses_end_the_run() -> None:
    with pytest.raises(
        UnexpectedModelBehavior, match='output_retries=1; what was wrong the last time: The answer was empty'
    ):
        await Agent(Scripted([])).run('?')


@pytest.mark.parametrize(
    ('details', 'reason'), [({'error': 'No such tool.'}, 'No such tool'), (None, 'its text is no answer')]
)
async def test_a_response_that_ends_with_an_error_is_requested_again(details: Any, reason: str) -> None:
    failed = ModelResponse([TextPart('<function=f>')], finish_reason='error', provider_details=details)
    result = await Agent(Scripted(failed, 'x')).run('?')
    assert result.output == 'x'
    assert outline(result.all_messages())[2] == [('retry', f'The answer ended with an error: {reason}.')]


async def test_a_stream_that_ends_with_an_error_is_requested_again() -> None:
    failed = ModelResponse([TextPart('<function=f>')], finish_reason='error')
    async with Agent(Scripted(failed, call('final_result', '{"response": 7}')), output_type=int).run_stream('?') as run:
        assert await run.get_output() == 7


async def test_a_response_that_is_a_file_is_not_empty() -> None:
    image = BinaryContent(b'x', media_type='image/png')
    for reason in ('stop', 'length'):
        result = await Agent(Scripted(ModelResponse([FilePart(image)], finish_reason=reason))).run('?')
        assert (result.output, result.response.images) == ('', [image])


async def test_a_fully_blocked_response_is_an_error() -> None:
    details = {'finish_reason': 'SAFETY'}
    model = Scripted(ModelResponse([], finish_reason='content_filter', provider_details=details))
    with pytest.raises(ContentFilterError, match='blocked the whole response of scripted') as raised:
        await Agent(model).run('?')
    assert raised.value.body == details
    assert len(model.requests) == 1


async def test_a_partly_blocked_response_keeps_its_beginning() -> None:
    model = Scripted(ModelResponse([TextPart('Once')], finish_reason='content_filter'))
    assert (await Agent(model).run('?')).output == 'Once'


TRUNCATED: list[tuple[Any, Any, str]] = [
    (str, [], 'before it wrote anything'),
    (str, [ThinkingPart('Hm.')], 'before it wrote anything'),
    (City, [call('final_result', '{"name": "Par')], "in the middle of the arguments of 'final_result'"),
    (str, [TextPart('So:'), call('ping', '{"a')], "in the middle of the arguments of 'ping'"),
    (City, [call('final_result', '')], "in the middle of the arguments of 'final_result'"),
    (NativeOutput(City), [TextPart('{"name": "Par')], 'in the middle of the output'),
]


@pytest.mark.parametrize(('output_type', 'parts', 'where'), TRUNCATED, ids=str)
async def test_a_response_truncated_by_max_tokens_is_an_error_and_not_requested_again(
    output_type: Any, parts: Any, where: str
) -> None:
    model = Scripted(ModelResponse(parts, finish_reason='length'), settings={'max_tokens': 9})
    with pytest.raises(
        UnexpectedModelBehavior, match=f'^The model reached max_tokens=9 {where}; set max_tokens higher'
    ):
        await Agent(model, output_type=output_type).run('?')
    assert len(model.requests) == 1


async def test_truncated_text_is_an_output_and_complete_tool_calls_are_executed() -> None:
    assert (await Agent(Scripted(ModelResponse([TextPart('Onc')], finish_reason='length'))).run('?')).output == 'Onc'
    model = Scripted(ModelResponse([call('final_result', '{"name": "Paris"}')], finish_reason='length'))
    assert (await Agent(model, output_type=City).run('?')).output == City(name='Paris')


async def test_a_response_truncated_by_the_vendor_is_an_error_with_the_partial_response() -> None:
    response = ModelResponse([TextPart('Onc')], state='incomplete', provider_name='vendor')
    with pytest.raises(
        StreamInterruptedError, match='The vendor truncated the response of scripted before it was'
    ) as raised:
        await Agent(Scripted(response)).run('?')
    assert raised.value.response == response
    assert raised.value.retryable


async def test_a_response_that_the_server_broke_off_is_an_error() -> None:
    response = ModelResponse([TextPart('Onc')], state='incomplete', finish_reason='error')
    with pytest.raises(StreamInterruptedError):
        await Agent(Scripted(response)).run('?')


async def test_an_incomplete_response_with_a_finish_reason_is_handled_by_the_reason() -> None:
    response = ModelResponse([TextPart('Once')], state='incomplete', finish_reason='length')
    assert (await Agent(Scripted(response)).run('?')).output == 'Once'


# ------------------------------------------------------------------------------------------- schemas of the caller

TIRE: dict[str, Any] = {'type': 'object', 'properties': {'brand': {'type': 'string'}}}
CAR: dict[str, Any] = {'type': 'object', 'properties': {'tires': {'type': 'array', 'items': {'$ref': '#/$defs/Tire'}}}}
OLD_CAR: dict[str, Any] = {'type': 'object', 'properties': {'tire': {'$ref': '#/definitions/Tire'}}}
TREE: dict[str, Any] = {'type': 'object', 'properties': {'children': {'type': 'array', 'items': {'$ref': '#'}}}}

GIVEN: list[tuple[dict[str, Any], Any]] = [
    ({**CAR, '$defs': {'Tire': TIRE}}, {'tires': [{'brand': 'a'}]}),
    ({**OLD_CAR, 'definitions': {'Tire': TIRE}}, {'tire': {'brand': 'a'}}),
    ({'$ref': '#/$defs/Car', '$defs': {'Car': CAR, 'Tire': TIRE}}, {'tires': [{'brand': 'a'}]}),
    ({'$ref': '#/$defs/A', '$defs': {'A': {'$ref': '#/$defs/Car'}, 'Car': CAR, 'Tire': TIRE}}, {'tires': []}),
    ({**TREE, '$defs': {}}, {'children': [{'children': []}]}),
    ({**CAR, '$defs': {'Tire': {'$ref': '#/$defs/T~1 x'}, 'T/ x': TIRE}}, {'tires': [{'brand': 'a'}]}),
]


def collect_references(schema: Any) -> set[str]:
    """Return the references in a schema."""
    if isinstance(schema, dict):
        own = {schema['$ref']} if '$ref' in schema else set()
        return own.union(*map(collect_references, schema.values()))
    return set().union(*map(collect_references, schema)) if isinstance(schema, list) else set()


@pytest.mark.parametrize(('schema', 'value'), GIVEN, ids=[str(schema) for schema, _ in GIVEN])
@pytest.mark.parametrize('where', ['output', 'list', 'tool'])
async def test_a_structured_dict_may_have_definitions(schema: dict[str, Any], value: Any, where: str) -> None:
    made = StructuredDict(schema, name='car')
    many: Any = list[made]  # type: ignore[valid-type]

    def look(car: Any, count: int) -> None: ...

    look.__annotations__['car'] = made
    if where == 'tool':
        sent = Tool(look).tool_def.parameters_json_schema
    else:
        wanted = value if where == 'output' else {'response': [value]}
        model = Scripted(final(wanted))
        result = await Agent(model, output_type=made if where == 'output' else many).run('?')
        assert result.output == (value if where == 'output' else [value])
        sent = model.requests[0].parameters.output_tools[0].parameters_json_schema
    assert sent['type'] == 'object'
    references = {reference.rpartition('/')[2] for reference in collect_references(sent)}
    assert references <= sent.get('$defs', {}).keys()
    assert {'definitions', '$given'}.isdisjoint(str(sent).replace("'", ' ').split())
    jsonschema.validate(wanted if where != 'tool' else {'car': value, 'count': 1}, sent)


@pytest.mark.parametrize(
    ('schema', 'problem'),
    [
        (3, 'it is 3, not an object'),
        ({'type': 'array'}, "it describes a value of the type 'array', and must describe an object"),
        ({'type': 'object', 'properties': []}, "'properties' of .* must be an object of schemas"),
        (
            {'type': 'object', 'properties': {'a': {'$ref': '#/$defs/B'}}},
            r"\$.a refers to '#/\$defs/B', and there is no",
        ),
    ],
)
def test_a_malformed_structured_dict_is_refused(schema: Any, problem: str) -> None:
    with pytest.raises(UserError, match=f"The schema of output 'car' is not a valid JSON schema: {problem}"):
        StructuredDict(schema, name='car')


class Cat(BaseModel):
    lives: int


class Dog(BaseModel):
    barks: bool = False


async def test_the_definitions_of_a_native_union_have_the_names_of_the_classes() -> None:
    model = Scripted('{"result": {"kind": "Cat", "data": {"lives": 9}}}')
    assert (await Agent(model, output_type=NativeOutput([Cat, Dog])).run('?')).output == Cat(lives=9)
    schema = model.requests[0].parameters.output_object.json_schema  # type: ignore[union-attr]
    assert sorted(schema['$defs']) == ['Cat', 'CatOutput', 'Dog', 'DogOutput']


async def test_an_output_of_unknown_keys_alone_is_no_default() -> None:
    model = Scripted(final({'dog': {'barks': True}}), final({'barks': True}))
    assert (await Agent(model, output_type=Dog).run('?')).output == Dog(barks=True)

    def keep(dog: Dog) -> Dog:
        return dog

    assert (await Agent(Scripted(final({'dog': {'barks': True}})), output_type=keep).run('?')).output == Dog(barks=True)
    native = Scripted('{"pet": {"barks": true}}', '{"barks": true}', profile=NATIVE)
    assert (await Agent(native, output_type=NativeOutput(Dog)).run('?')).output == Dog(barks=True)


async def test_a_lambda_may_make_the_output() -> None:
    agent = Agent(Scripted(final({'a': 3}, 'final_result_lambda')), output_type=[lambda a: a, City])
    assert (await agent.run('?')).output == 3


@pytest.mark.parametrize(
    'validator',
    [lambda: None, lambda a, b, c: a, lambda *, output: output],
    ids=['no parameter', 'three parameters', 'a keyword'],
)
def test_a_validator_that_cannot_be_called_is_refused(validator: Any) -> None:
    with pytest.raises(UserError, match='must take one argument, and may take a RunContext first'):
        Agent('test').output_validator(validator)


def test_a_validator_that_takes_only_a_context_is_refused() -> None:
    def validate(ctx: RunContext[None]) -> None: ...

    with pytest.raises(UserError, match="'validate' must take one argument"):
        Agent('test').output_validator(validate)
    with pytest.raises(UserError, match="'validate' must take one argument"):
        Agent('test', output_type=TextOutput(validate))


async def test_instructions_may_have_an_optional_context() -> None:
    def say(ctx: RunContext[None] | None = None) -> str:
        return 'nothing' if ctx is None else 'a context'

    model = Scripted('Hi.')
    await Agent(model, instructions=say).run('?')
    assert model.requests[0].messages[-1].instructions == 'a context'  # type: ignore[union-attr]


# ---------------------------------------------------------------------- native tools that refuse an output


class Town(BaseModel):
    name: str


REFUSES = ModelProfile(native_tools_refuse=frozenset({'tool', 'native'}))


@pytest.mark.parametrize('default', ['tool', 'native'])
def test_an_output_that_native_tools_refuse_is_prompted(default: Any) -> None:
    profile = REFUSES.merge({'default_structured_output_mode': default, 'supports_json_schema_output': True})
    model = Scripted('{"name": "Rome"}', profile=profile)
    agent = Agent(model, output_type=Town, native_tools=[WebSearchTool()])
    assert agent.run_sync('?').output == Town(name='Rome')
    assert model.requests[0].parameters.output_mode == 'prompted'


def test_without_native_tools_or_with_a_choice_of_ones_own_the_output_is_not_prompted() -> None:
    for output_type, tools in ((Town, []), (ToolOutput(Town), [WebSearchTool()])):
        model = Scripted(call('final_result', {'name': 'Rome'}), profile=REFUSES)
        assert Agent(model, output_type=output_type, native_tools=tools).run_sync('?').output == Town(name='Rome')
        assert model.requests[0].parameters.output_mode == 'tool'
