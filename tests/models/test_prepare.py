"""`prepare`: settings, profile and parameters become one request that decides nothing any more."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    BinaryContent,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.names import SETTING_HOMES
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.profiles import ModelProfile
from pydantic_llm.profiles.schema import TransformedSchema
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.foreign_settings import _load_names  # pyright: ignore[reportPrivateUsage]
from pydantic_llm.wire.prepare import PreparedRequest, prepare

HELLO: list[ModelMessage] = [ModelRequest([UserPromptPart('Hello.')])]
LOOK, FIND = ToolDefinition('look'), ToolDefinition('find')
DONE, FAIL = ToolDefinition('done'), ToolDefinition('fail')
OUTPUT = OutputObjectDefinition({'type': 'object', 'properties': {}}, 'answer', 'What it is.')


def prepared(
    messages: list[ModelMessage] | None = None,
    settings: Any = None,
    parameters: ModelRequestParameters | None = None,
    profile: ModelProfile | None = None,
    **options: Any,
) -> PreparedRequest:
    return prepare(
        HELLO if messages is None else messages,
        settings or {},
        parameters,
        **{
            'model_name': 'm',
            'system': 'vendor',
            'profile': profile or ModelProfile(),
            'supported': {'temperature', 'seed'},
            'prefix': 'vendor_',
            'stream': False,
            **options,
        },
    )


# ---------------------------------------------------------------------- the history


def test_a_sound_history_is_not_copied() -> None:
    request = prepared()
    assert request.messages is HELLO
    assert request.warnings == []


def test_what_was_mended_is_listed_or_refused() -> None:
    broken: list[ModelMessage] = [*HELLO, ModelResponse([ToolCallPart('look', '{}', 'a')])]
    sentence = "a result was added for the tool call 'a' of 'look', which had no result"
    assert prepared(broken).warnings == [sentence]
    assert prepared(broken, {'unsupported_settings': 'drop'}).warnings == []
    with pytest.raises(UserError, match=f"{sentence}. Set unsupported_settings='warn' to send the request without it"):
        prepared(broken, {'unsupported_settings': 'error'})


def test_the_newest_requests_instructions_are_sent_alone() -> None:
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart('a')], instructions='Old.'),
        ModelResponse([TextPart('b')]),
        ModelRequest([UserPromptPart('c')], instructions='New.'),
        ModelResponse([TextPart('d')]),
    ]
    assert prepared(history).instructions == ['New.']
    assert prepared([*history, ModelRequest([UserPromptPart('e')])]).instructions == []
    assert prepared([ModelRequest([], instructions='Alone.')]).instructions == ['Alone.']


# ---------------------------------------------------------------------- settings

WITHOUT_SEED = ModelProfile(unsupported_settings=frozenset({'seed'}))
LEFT_OUT: list[tuple[str, Any, str]] = [
    ('top_k', {}, "'top_k' was not sent: the API of 'vendor' does not support it"),
    ('seed', {'profile': WITHOUT_SEED}, "'seed' was not sent: 'm' does not take it"),
    ('temprature', {}, "'temprature' was not sent: there is no such setting; did you mean 'temperature'?"),
    ('wombat', {}, "'wombat' was not sent: there is no such setting"),
    (
        'vendor_modee',
        {'own': {'vendor_mode'}},
        "'vendor_modee' was not sent: this API has no such setting; did you mean 'vendor_mode'?",
    ),
]


@pytest.mark.parametrize(('name', 'options', 'sentence'), LEFT_OUT)
def test_a_setting_that_cannot_be_sent_is_left_out_and_listed(name: str, options: Any, sentence: str) -> None:
    settings = {name: 1, 'temperature': 0.5}
    request = prepared(settings=settings, **options)
    assert (request.settings, request.warnings) == ({'temperature': 0.5}, [sentence])
    assert settings == {name: 1, 'temperature': 0.5}


def test_settings_that_are_anybodys_are_kept() -> None:
    settings: Any = {
        'temperature': 0.0,
        'max_tokens': 1,
        'timeout': 3.0,
        'extra_headers': {},
        'extra_body': {},
        'vendor_anything': None,
        'unsupported_settings': 'error',
    }
    assert prepared(settings=settings).settings == settings


def test_another_vendors_settings_are_dropped_without_a_word() -> None:
    request = prepared(settings={'openai_store': True, 'bedrock_effort': 'low', 'unsupported_settings': 'error'})
    assert (request.settings, request.warnings) == ({'unsupported_settings': 'error'}, [])


@pytest.mark.parametrize(
    ('name', 'sentence'),
    [
        ('anthropic_cach', "there is no such setting; did you mean 'anthropic_cache'?"),
        ('google_safety_setting', "there is no such setting; did you mean 'google_safety_settings'?"),
        ('openrouter_provder', "there is no such setting; did you mean 'openrouter_provider'?"),
        ('azure_anything', 'there is no such setting'),
        ('wombat_temperature', "there is no such setting; did you mean 'temperature'?"),
    ],
)
def test_a_name_that_no_api_has_is_reported_even_with_a_known_prefix(name: str, sentence: str) -> None:
    assert prepared(settings={name: 1}).warnings == [f'{name!r} was not sent: {sentence}']


@pytest.mark.parametrize('prefix', SETTING_HOMES)
def test_the_settings_of_every_prefix_are_known_everywhere(prefix: str) -> None:
    names = [name for name in _load_names(prefix) if name.startswith(prefix)]
    assert names
    assert prepared(settings=dict.fromkeys(names, 1)).warnings == []


def test_a_wish_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UserError, match="unsupported_settings is 'warn', 'error' or 'drop', not 'shout'"):
        prepared(settings={'top_k': 1, 'unsupported_settings': 'shout'})


# ---------------------------------------------------------------------- tools


@pytest.mark.parametrize(
    ('wanted', 'parameters', 'choice'),
    [
        (None, ModelRequestParameters([LOOK]), 'auto'),
        ('auto', ModelRequestParameters([LOOK], output_tools=[DONE]), 'auto'),
        (None, ModelRequestParameters([LOOK], output_tools=[DONE], allow_text_output=False), 'required'),
        (None, ModelRequestParameters([LOOK], allow_text_output=False), 'auto'),
        ('required', ModelRequestParameters([LOOK]), 'required'),
        ('required', ModelRequestParameters(native_tools=[WebSearchTool()]), 'required'),
        ('none', ModelRequestParameters([LOOK]), 'none'),
        ('none', ModelRequestParameters(), 'none'),
        (['look'], ModelRequestParameters([LOOK, FIND]), ('look',)),
        (['look'], ModelRequestParameters([LOOK]), ('look',)),
        (('find', 'look'), ModelRequestParameters([LOOK, FIND]), 'required'),
        (['look', 'done'], ModelRequestParameters([LOOK, FIND], output_tools=[DONE]), ('look', 'done')),
    ],
)
def test_a_wish_for_tools_is_resolved(wanted: Any, parameters: ModelRequestParameters, choice: Any) -> None:
    settings = {} if wanted is None else {'tool_choice': wanted}
    request = prepared(settings=settings, parameters=parameters)
    assert (request.tool_choice, request.warnings) == (choice, [])
    assert [tool.name for tool in request.parameters.tools] == [tool.name for tool in parameters.tools]


@pytest.mark.parametrize(('text', 'choice'), [(True, 'auto'), (False, ('done', 'fail'))])
def test_without_tools_an_output_can_still_be_given(text: bool, choice: Any) -> None:
    parameters = ModelRequestParameters([LOOK], output_tools=[DONE, FAIL], allow_text_output=text)
    request = prepared(settings={'tool_choice': 'none'}, parameters=parameters)
    assert ([tool.name for tool in request.parameters.tools], request.tool_choice) == (['done', 'fail'], choice)


def test_a_tool_cannot_be_required_where_there_is_none() -> None:
    request = prepared(settings={'tool_choice': 'required'})
    assert (request.tool_choice, request.warnings) == (
        'auto',
        ["'tool_choice' was not sent: the request has no tools"],
    )


@pytest.mark.parametrize(
    ('wanted', 'sentence'),
    [
        ('always', "tool_choice is 'auto', 'none', 'required' or a list of tool names, not 'always'"),
        ([], "tool_choice is an empty list; use 'none' to forbid tools"),
        (['lok'], "tool_choice names 'lok', which is not among the tools \\['look'\\]"),
    ],
)
def test_a_wish_for_tools_that_cannot_be_met_is_refused(wanted: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        prepared(settings={'tool_choice': wanted}, parameters=ModelRequestParameters([LOOK]))


def test_tools_for_a_model_that_calls_none_are_refused() -> None:
    with pytest.raises(UserError, match="'m' cannot call tools, and was given 'look', 'done'"):
        prepared(
            parameters=ModelRequestParameters([LOOK], output_tools=[DONE]), profile=ModelProfile(supports_tools=False)
        )


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(UserError, match="Two tools are called 'look': give one of them another name"):
        prepared(parameters=ModelRequestParameters([LOOK, FIND], output_tools=[ToolDefinition('look')]))


# ---------------------------------------------------------------------- outputs

CAPABLE = ModelProfile(supports_json_schema_output=True)


@pytest.mark.parametrize(
    ('mode', 'default', 'resolved'),
    [
        ('auto', 'tool', 'tool'),
        ('auto', 'native', 'native'),
        ('text', 'native', 'text'),
        ('prompted', 'tool', 'prompted'),
    ],
)
def test_the_output_is_asked_for_in_one_way(mode: Any, default: Any, resolved: str) -> None:
    profile = ModelProfile(supports_json_schema_output=True, default_structured_output_mode=default)
    parameters = ModelRequestParameters([LOOK], output_mode=mode, output_object=OUTPUT, output_tools=[DONE])
    found = prepared(parameters=parameters, profile=profile).parameters
    assert found.output_mode == resolved
    assert (found.output_object == OUTPUT) == (resolved in ('native', 'prompted'))
    assert (list(found.output_tools) == [DONE]) == (resolved in ('tool', 'text'))
    assert parameters.output_tools == [DONE]


@pytest.mark.parametrize('mode', ['native', 'prompted'])
def test_an_output_that_nobody_describes_is_refused(mode: Any) -> None:
    with pytest.raises(UserError, match=f"output_mode='{mode}' needs an output_object in ModelRequestParameters"):
        prepared(parameters=ModelRequestParameters(output_mode=mode), profile=CAPABLE)


def test_a_schema_that_cannot_be_enforced_is_refused() -> None:
    with pytest.raises(UserError, match=r"'m' cannot be held to a JSON schema by its API \(output_mode='native'\)"):
        prepared(parameters=ModelRequestParameters(output_mode='native', output_object=OUTPUT))


@pytest.mark.parametrize(
    ('own', 'profile', 'said'),
    [
        (None, 'P: {schema}!', 'P: {}!'),
        ('O: {schema}', 'P: {schema}', 'O: {}'),
        ('Just so.', 'P', 'Just so.\n\n{}'),
        ('', 'P', None),
    ],
)
def test_a_prompted_output_is_described_in_the_instructions(own: str | None, profile: str, said: str | None) -> None:
    parameters = ModelRequestParameters(output_mode='prompted', output_object=OUTPUT, prompted_output_template=own)
    history: list[ModelMessage] = [ModelRequest([UserPromptPart('Hello.')], instructions='Be brief.')]
    request = prepared(history, parameters=parameters, profile=ModelProfile(prompted_output_template=profile))
    schema = '{"type": "object", "properties": {}, "title": "answer", "description": "What it is."}'
    expected = [] if said is None else [said.replace('{}', schema)]
    assert request.instructions == ['Be brief.', *expected]
    assert OUTPUT.json_schema == {'type': 'object', 'properties': {}}


# ---------------------------------------------------------------------- schemas


def test_schemas_are_made_fit_and_what_they_lose_is_listed() -> None:
    def fit(schema: dict[str, Any], strict: bool | None) -> TransformedSchema:
        return TransformedSchema({**schema, 'fit': True}, strict=strict is not False, losses=('maxLength of a',))

    parameters = ModelRequestParameters(
        [ToolDefinition('look', {'type': 'object'}, strict=False)],
        output_mode='native',
        output_object=OutputObjectDefinition({'type': 'object'}),
    )
    before = deepcopy(parameters)
    profile = ModelProfile(supports_json_schema_output=True, json_schema_transformer=fit)
    request = prepared(parameters=parameters, profile=profile)
    assert list(request.parameters.function_tools) == [
        ToolDefinition('look', {'type': 'object', 'fit': True}, strict=False)
    ]
    assert request.parameters.output_object == OutputObjectDefinition({'type': 'object', 'fit': True}, strict=True)
    assert request.warnings == [
        "the schema of tool 'look' can no longer enforce maxLength of a",
        "the schema of output 'final_result' can no longer enforce maxLength of a",
    ]
    assert parameters == before


# ---------------------------------------------------------------------- what a room says


def test_a_setting_that_a_room_leaves_out_is_gone_and_listed_once() -> None:
    request = prepared(settings={'seed': 1})
    request.drop_setting('seed', 'it is Tuesday')
    request.drop_setting('seed', 'it is Wednesday')
    assert (request.settings, request.warnings) == ({}, ["'seed' was not sent: it is Tuesday"])


def test_a_sentence_of_a_room_is_listed_once() -> None:
    request = prepared()
    for sentence in ('a', 'b', 'a'):
        request.note(sentence)
    assert request.warnings == ['a', 'b']


def test_parts_of_past_answers_that_are_left_out_are_listed_by_their_maker() -> None:
    request = prepared()
    for part in (
        ThinkingPart('Hm.', provider_name='other'),
        ThinkingPart('', signature='s'),
        ThinkingPart('', provider_name='other'),
        FilePart(BinaryContent(b'x', media_type='image/png'), provider_name='other'),
        NativeToolCallPart('web_search', {}, 'n', provider_name='other'),
        NativeToolCallPart('web_search', {}, 'm', provider_name='other'),
    ):
        request.drop_part(part)
    request.note_thinking_as_text(ThinkingPart('Hm.', provider_name='other'))
    start = "dropped, since the API of 'vendor' cannot represent it in a past response: "
    assert request.warnings == [
        f"{start}thinking of 'other'",
        f'{start}thinking of another model',
        f"{start}a file that 'other' made",
        f"{start}what 'web_search', a tool of 'other' itself, did",
        "thinking of 'other' was sent as text between tags",
    ]
