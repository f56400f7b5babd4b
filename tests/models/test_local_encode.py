"""Encoding requests for models in this process: messages and tools → the input of a chat template."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from pydantic_llm.constraints import Choice, Grammar, JsonSchema
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    BinaryContent,
    CachePoint,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.local import SHARED_SETTINGS, Sampling, Tokenizer, key_of, sampling_from
from pydantic_llm.models.local.decode import ResponseDecoder
from pydantic_llm.models.local.encode import RequestEncoder
from pydantic_llm.models.local.options import LocalOptions
from pydantic_llm.models.local.schemas import close_objects
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.profiles.local import local_profile
from pydantic_llm.settings import ModelSettings
from pydantic_llm.streaming.draft import ResponseDraft
from pydantic_llm.streaming.text_calls.elements import ELEMENT_MARK
from pydantic_llm.tools.definition import ToolDefinition
from pydantic_llm.wire.prepare import PreparedRequest, prepare
from tests.replay import replay

HERMES = '{{ tools }} <tool_call>'
WITHOUT_TOOLS = '{% for message in messages %}{{ message.content }}{% endfor %}'

CITY = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}
CLOSED_CITY = {**CITY, 'additionalProperties': False}
WEATHER = ToolDefinition('weather', CITY, 'Tells the weather.')
DESTINATION = {
    'type': 'object',
    'properties': {'place': {'$ref': '#/$defs/Place'}},
    '$defs': {'Place': {'type': 'object', 'properties': {'near': {'$ref': '#/$defs/Place'}}}},
}
TRAVEL = ToolDefinition('travel', DESTINATION, 'Goes there.')


class FakeHub:
    """A tokenizer like those of Hugging Face, which records the input of its template."""

    def __init__(self, template: str, *, refuses: str = '', ends: str = '') -> None:
        self.chat_template = template
        self.refuses, self.ends = refuses, ends
        self.given: dict[str, Any] = {}
        self.added_tokens_decoder: dict[int, Any] = {7: SimpleNamespace(special=True, __str__=lambda: '<eos>')}
        self.all_special_ids, self.all_special_tokens = [7], ['<eos>']

    def get_added_vocab(self) -> dict[str, int]:
        return {}

    def apply_chat_template(self, messages: list[dict[str, Any]], **options: Any) -> str:
        if any(message['role'] == self.refuses for message in messages):
            raise ValueError(f'no {self.refuses} here')
        if 'probe-' in (text := json.dumps([messages, options])):  # the encoder finds out what the template renders
            contents = [message['content'] for message in messages]
            return json.dumps(contents) if self.chat_template == WITHOUT_TOOLS else text
        self.given = {'messages': messages, **options}
        return f'prompt{self.ends}'


def make_encoder(hub: FakeHub, *, takes_images: bool = False, **options: Any) -> RequestEncoder:
    found: LocalOptions = options  # type: ignore[assignment] -- the tests know the keys
    return RequestEncoder(Tokenizer(hub), takes_images=takes_images, options=found)


def request(
    messages: list[ModelMessage] | str,
    parameters: ModelRequestParameters | None = None,
    **settings: Any,
) -> PreparedRequest:
    history: list[ModelMessage] = [ModelRequest.user_text_prompt(messages)] if isinstance(messages, str) else messages
    found: ModelSettings = settings  # type: ignore[assignment] -- the tests know the keys
    return prepare(
        history,
        found,
        parameters,
        model_name='tiny',
        system='transformers',
        profile=local_profile('tiny'),
        supported=SHARED_SETTINGS,
        prefix='transformers_',
        own=(),
        stream=False,
    )


def encode_turns(messages: list[ModelMessage], template: str = HERMES, **options: Any) -> list[dict[str, Any]]:
    """Return the turns that the template gets."""
    hub = FakeHub(template)
    make_encoder(hub, **options).encode(request(messages))
    turns: list[dict[str, Any]] = hub.given['messages']
    return turns


CALLED: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart('Rain?')], instructions='Be kind.'),
    ModelResponse(
        [
            ThinkingPart('Hm.', provider_name='transformers'),
            TextPart('Let me see.'),
            ToolCallPart('weather', '{"city": "Oslo"}', 'call_1'),
        ]
    ),
    ModelRequest([ToolReturnPart('weather', {'rain': True}, 'call_1')], instructions='Be kind.'),
]


def test_a_conversation_with_calls_becomes_turns() -> None:
    assert encode_turns(CALLED) == [
        {'role': 'system', 'content': 'Be brief.\n\nBe kind.'},
        {'role': 'user', 'content': 'Rain?'},
        {
            'role': 'assistant',
            'content': 'Let me see.',
            'tool_calls': [
                {'type': 'function', 'id': 'call_1', 'function': {'name': 'weather', 'arguments': {'city': 'Oslo'}}}
            ],
        },
        {'role': 'tool', 'content': '{"rain":true}', 'name': 'weather', 'tool_call_id': 'call_1'},
    ]


def test_calls_are_sent_as_text_to_a_template_without_tools() -> None:
    assert encode_turns(CALLED, WITHOUT_TOOLS)[1:] == [
        {'role': 'user', 'content': 'Rain?'},
        {'role': 'assistant', 'content': 'Let me see.\n\n{"name": "weather", "arguments": {"city": "Oslo"}}'},
        {'role': 'user', 'content': 'The tool weather answered:\n{"rain":true}'},
    ]


def test_past_thinking_is_sent_in_the_field_of_the_template() -> None:
    turns = encode_turns(CALLED, HERMES + ' message.reasoning_content')
    assert turns[2]['reasoning_content'] == 'Hm.'


def test_neighbouring_turns_of_one_role_are_merged() -> None:
    parts = [UserPromptPart('One.'), UserPromptPart(['Two.', CachePoint()]), RetryPromptPart(content='No.')]
    turns = encode_turns([ModelRequest(parts)])
    assert turns == [{'role': 'user', 'content': 'One.\n\nTwo.\n\nNo.\n\nCorrect this and try again.'}]


def test_a_template_without_system_prompts_gets_them_in_the_user_turn() -> None:
    hub = FakeHub(HERMES, refuses='system')
    make_encoder(hub).encode(request(CALLED[:1]))
    assert hub.given['messages'] == [{'role': 'user', 'content': 'Be brief.\n\nBe kind.\n\nRain?'}]


def test_an_error_of_the_template_is_a_user_error() -> None:
    with pytest.raises(UserError, match='does not take this conversation: no user here'):
        make_encoder(FakeHub(HERMES, refuses='user')).encode(request('Rain?'))


def test_a_model_without_a_template_is_a_user_error() -> None:
    with pytest.raises(UserError, match='chat_template='):
        make_encoder(FakeHub('')).encode(request('Rain?'))


def test_the_template_of_the_caller_overrides_that_of_the_model() -> None:
    hub = FakeHub('')
    make_encoder(hub, chat_template='{{ messages }}').encode(request('Rain?'))
    assert hub.given['chat_template'] == '{{ messages }}'


def test_images_are_pieces_of_a_turn() -> None:
    hub = FakeHub(HERMES)
    picture = BinaryContent(b'png', media_type='image/png')
    encoded = make_encoder(hub, takes_images=True).encode(request([ModelRequest([UserPromptPart(['Look:', picture])])]))
    assert hub.given['messages'] == [
        {'role': 'user', 'content': [{'type': 'text', 'text': 'Look:'}, {'type': 'image'}]}
    ]
    assert encoded.images == [b'png']


@pytest.mark.parametrize(
    'content',
    [
        BinaryContent(b'png', media_type='image/png'),
        BinaryContent(b'RIFF', media_type='audio/wav'),
        ImageUrl('https://x/y.png'),
    ],
)
def test_unsupported_content_is_a_user_error(content: Any) -> None:
    with pytest.raises(UserError, match='reads text alone'):
        make_encoder(FakeHub(HERMES)).encode(request([ModelRequest([UserPromptPart([content])])]))


def test_tools_are_sent_to_a_template_that_renders_them() -> None:
    hub = FakeHub(HERMES)
    encoded = make_encoder(hub).encode(request('Rain?', ModelRequestParameters([WEATHER])))
    assert hub.given['tools'] == [
        {'type': 'function', 'function': {'name': 'weather', 'description': 'Tells the weather.', 'parameters': CITY}}
    ]
    assert encoded.calls is not None
    assert {'<tool_call>', '</tool_call>', '<arg_key>', '<think>', '</think>'} <= {*encoded.visible_tokens}


def test_tools_are_sent_as_text_to_a_template_without_tools() -> None:
    hub = FakeHub(WITHOUT_TOOLS)
    make_encoder(hub, tool_name_key='tool').encode(request('Rain?', ModelRequestParameters([WEATHER])))
    assert 'tools' not in hub.given
    instructions = hub.given['messages'][0]['content']
    assert json.dumps(CITY) in instructions
    assert '"tool": "<the tool\'s name>"' in instructions


def test_tools_are_not_sent_with_tool_choice_none() -> None:
    hub = FakeHub(HERMES)
    encoded = make_encoder(hub).encode(request('Rain?', ModelRequestParameters([WEATHER]), tool_choice='none'))
    assert 'tools' not in hub.given
    assert encoded.calls is None


def test_a_forced_call_is_opened_in_the_prompt_and_constrained_to_its_schema() -> None:
    encoded = make_encoder(FakeHub(HERMES)).encode(
        request('Rain?', ModelRequestParameters([WEATHER]), tool_choice='required')
    )
    assert encoded.text == 'prompt<tool_call>\n'
    assert encoded.constraint == JsonSchema(
        {
            'type': 'object',
            'properties': {'name': {'const': 'weather'}, 'arguments': CLOSED_CITY},
            'required': ['name', 'arguments'],
            'additionalProperties': False,
        }
    )


NATIVE = ModelRequestParameters(output_mode='native', output_object=OutputObjectDefinition(CITY))
KIMI_PROMPT = '<|open|>message role="assistant"<|sep|>'


@pytest.mark.parametrize(
    ('template', 'prompt', 'response', 'parts'),
    [
        ('<|open|>', f'{KIMI_PROMPT}<|open|>think<|sep|>', 'Hm.<|close|>think<|sep|>', ['Hm.']),
        ('<|open|>', f'{KIMI_PROMPT}<|open|>response<|sep|>', 'Ok.<|close|>response<|sep|>', ['Ok.']),
        ('<|content_thinking|>', '<|message_model|>', '<|content_thinking|>Hm.<|end_message|>', ['Hm.']),
        ('<|content_thinking|>', '<|message_model|>', 'Ok.', ['Ok.']),
        ('atem:', '<|start|>assistant', ' to=self<|message|>Hm.<|eom|>', ['Hm.']),
        ('atem:', '<|start|>assistant', ' to=user<|message|>Ok.<|eot|>', ['Ok.']),
    ],
)
@pytest.mark.parametrize('has_tools', [True, False])
def test_a_response_continues_the_section_that_its_prompt_begins(
    template: str, prompt: str, response: str, parts: list[str], *, has_tools: bool
) -> None:
    parameters = ModelRequestParameters([WEATHER] if has_tools else [])
    encoded = make_encoder(FakeHub(f'{{{{ tools }}}} {template}', ends=prompt)).encode(request('Rain?', parameters))
    draft = ResponseDraft('m')
    decoder = ResponseDecoder(draft, calls=encoded.calls, tags=encoded.tags)
    for character in response:
        decoder.feed(character)
    decoder.close(truncated=False)
    found = draft.parts.get()
    assert [getattr(part, 'content', '') for part in found] == parts
    assert {part.part_kind for part in found} == {'thinking' if parts == ['Hm.'] else 'text'}


@pytest.mark.parametrize(
    ('template', 'prompt', 'opened'),
    [
        ('<|open|>', '<|open|>think<|sep|>', '<|open|>think<|sep|><|close|>think<|sep|><|open|>response<|sep|>'),
        ('<|open|>', '<|open|>response<|sep|>', '<|open|>response<|sep|>'),
        ('<|content_thinking|>', '<|message_model|>', '<|message_model|><|content_text|>'),
        ('atem:', '<|start|>assistant', '<|start|>assistant to=user<|message|>'),
        ('<|channel|>', '<|start|>assistant', '<|start|>assistant<|channel|>final<|message|>'),
        (f'{ELEMENT_MARK}<tool_call>', '<mm:think>\n', '<mm:think>\n</mm:think>\n\n'),
    ],
)
def test_a_constraint_begins_in_the_text_of_a_response(template: str, prompt: str, opened: str) -> None:
    encoder = make_encoder(FakeHub(f'{{{{ tools }}}} {template} </mm:think>', ends=prompt))
    for parameters, settings in ((NATIVE, {}), (ModelRequestParameters([WEATHER]), {'tool_choice': 'required'})):
        assert encoder.encode(request('Rain?', parameters, **settings)).text == f'prompt{opened}'


def test_references_in_a_nested_schema_are_changed_to_match() -> None:
    encoded = make_encoder(FakeHub(HERMES)).encode(
        request('Rain?', ModelRequestParameters([WEATHER, TRAVEL]), tool_choice='required')
    )
    assert isinstance(encoded.constraint, JsonSchema)
    travel = encoded.constraint.json_schema['anyOf'][1]['properties']['arguments']
    place = '#/anyOf/1/properties/arguments/$defs/Place'
    assert travel['properties'] == {'place': {'$ref': place}}
    assert travel['$defs']['Place']['properties'] == {'near': {'$ref': place}}


def test_a_forced_call_is_constrained_to_the_named_tools() -> None:
    parameters = ModelRequestParameters([WEATHER, TRAVEL])
    encoded = make_encoder(FakeHub(HERMES)).encode(request('Rain?', parameters, tool_choice=['travel']))
    assert isinstance(encoded.constraint, JsonSchema)
    assert encoded.constraint.json_schema['properties']['name'] == {'const': 'travel'}


def test_native_output_constrains_the_response_to_its_schema() -> None:
    assert make_encoder(FakeHub(HERMES)).encode(request('Rain?', NATIVE)).constraint == JsonSchema(CLOSED_CITY)


def test_objects_are_closed_unless_the_schema_decides() -> None:
    inner = {'type': 'object', 'properties': {'properties': CITY}}
    schema = {'properties': {'a': inner, 'b': {'additionalProperties': True, 'properties': {}}}, 'anyOf': [CITY]}
    closed_inner = {'type': 'object', 'properties': {'properties': CLOSED_CITY}, 'additionalProperties': False}
    assert close_objects(schema) == {
        'properties': {'a': closed_inner, 'b': {'additionalProperties': True, 'properties': {}}},
        'anyOf': [CLOSED_CITY],
    }


def test_native_output_with_tools_allows_calls() -> None:
    parameters = ModelRequestParameters([WEATHER], output_mode='native', output_object=OutputObjectDefinition(CITY))
    found = make_encoder(FakeHub(HERMES)).encode(request('Rain?', parameters)).constraint
    assert isinstance(found, Grammar)
    assert found.grammar.startswith('start: call | answer\ncall: "<tool_call>\\n" %json {')


def test_a_constraint_with_a_forced_call_is_a_user_error() -> None:
    parameters = ModelRequestParameters([WEATHER])
    with pytest.raises(UserError, match='cannot be combined'):
        make_encoder(FakeHub(HERMES)).encode(
            request('Rain?', parameters, tool_choice='required', constraint=Choice(('yes', 'no')))
        )


def test_thinking_opened_by_the_template_is_closed_if_there_is_a_constraint() -> None:
    encoded = make_encoder(FakeHub(HERMES, ends='<think>\n')).encode(request('Rain?', constraint=Choice(('yes', 'no'))))
    assert encoded.text == 'prompt<think>\n</think>\n\n'
    assert encoded.tags is not None
    assert encoded.tags.kind == 'text'


@pytest.mark.parametrize('ends', ['', '[THINK]\n'])
def test_tags_of_thinking_are_those_of_the_vocabulary(ends: str) -> None:
    hub = FakeHub(HERMES, ends=ends)
    hub.get_added_vocab = lambda: {'[THINK]': 1, '[/THINK]': 2, '<|channel>': 3, '<channel|>': 4}  # type: ignore[method-assign]
    encoded = make_encoder(hub).encode(request('Rain?'))
    assert encoded.tags is not None
    assert {'[THINK]', '[/THINK]', '<|channel>', '<channel|>', '</think>'} <= {*encoded.visible_tokens}
    text = 'Hm.[/THINK]Yes.' if ends else '[THINK]Hm.[/THINK]Yes.'
    assert [*encoded.tags.feed(text)] == [('thinking', 'Hm.'), ('text', 'Yes.')]


def decode(text: str, *, truncated: bool = False) -> list[tuple[str, str]]:
    """Return the kind and content of each part of a response of characters; its events give the same parts."""
    encoded = make_encoder(FakeHub(HERMES)).encode(request('Rain?', ModelRequestParameters([WEATHER])))
    draft = ResponseDraft('tiny', 'transformers', None, [])
    decoder = ResponseDecoder(draft, calls=encoded.calls, tags=encoded.tags, tools=[WEATHER])
    for character in text:
        decoder.feed(character)
    decoder.close(truncated=truncated)
    draft.parts.end()
    parts = draft.parts.get()
    assert replay(draft.parts.take_events()) == parts
    return [(part.part_kind, f'{getattr(part, "args", getattr(part, "content", ""))}') for part in parts]


RAIN = '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>'


def test_thinking_without_a_start_tag_is_thinking() -> None:
    assert decode(f'Hm.</think>\n\nWell. {RAIN}') == [
        ('thinking', 'Hm.'),
        ('text', 'Well.'),
        ('tool-call', '{"city": "Oslo"}'),
    ]
    assert decode('Write `</think>`.') == [('text', 'Write `</think>`.')]


def test_a_call_in_thinking_without_an_end_tag_is_a_call_unless_it_was_truncated() -> None:
    thinking = ('thinking', f'Hm. {RAIN}')
    assert decode(f'<think>Hm. {RAIN}') == [thinking, ('tool-call', '{"city": "Oslo"}')]
    assert decode(f'<think>Hm. {RAIN}', truncated=True) == [thinking]
    assert decode(f'<think>Hm. {RAIN}</think>No.') == [thinking, ('text', 'No.')]


def test_thinking_opened_by_the_template_is_thinking() -> None:
    encoded = make_encoder(FakeHub(HERMES, ends='<think>\n')).encode(request('Rain?'))
    assert encoded.tags is not None
    assert [*encoded.tags.feed('Hm.</think>Yes.')] == [('thinking', 'Hm.'), ('text', 'Yes.')]


@pytest.mark.parametrize(
    ('switch', 'level', 'given'),
    [
        ('enable_thinking', False, {'enable_thinking': False}),
        ('enable_thinking', 'high', {'enable_thinking': True}),
        ('reasoning_effort', 'xhigh', {'reasoning_effort': 'high'}),
        ('{% if thinking_mode == "enabled" %}', True, {'thinking_mode': 'enabled'}),
        ('{% if thinking_mode == "enabled" %}', False, {'thinking_mode': 'disabled'}),
        ('{% if thinking %}', False, {'thinking': False}),
        ('{% if not thinking is defined %}{% set thinking = false %}{% endif %}', 'low', {'thinking': True}),
        (
            '{% if thinking is undefined %}{% set thinking = true %}{% endif %}{{ thinking_effort }}',
            'medium',
            {'thinking': True, 'thinking_effort': 'high'},
        ),
        ('{% set thinking = true %}{% if thinking %}{{ reasoning_effort }}', 'low', {'reasoning_effort': 'low'}),
    ],
)
def test_thinking_sets_the_switch_of_the_template(switch: str, level: Any, given: dict[str, Any]) -> None:
    hub = FakeHub(f'{HERMES} {switch}')
    make_encoder(
        hub, apply_chat_template_kwargs={'enable_thinking': True} if switch == 'enable_thinking' else {}
    ).encode(request('Rain?', thinking=level))
    assert {name: hub.given[name] for name in hub.given if 'thinking' in name or 'effort' in name} == given


def test_thinking_without_a_switch_is_a_warning() -> None:
    prepared = request('Rain?', thinking='high')
    make_encoder(FakeHub(HERMES)).encode(prepared)
    assert prepared.warnings == ["'thinking' was not sent: 'tiny' has no setting for thinking"]


def test_mistral_gets_ids_that_its_template_accepts() -> None:
    turns = encode_turns(CALLED, '{{ tools }} [TOOL_CALLS]')
    assert turns[2]['tool_calls'][0]['id'] == turns[3]['tool_call_id'] == 'call00000'


def test_a_native_tool_is_a_user_error() -> None:
    with pytest.raises(UserError, match='no tools of its own'):
        make_encoder(FakeHub(HERMES)).encode(request('Rain?', ModelRequestParameters(native_tools=[WebSearchTool()])))


def test_an_unknown_tool_format_is_a_user_error() -> None:
    with pytest.raises(UserError, match='tool_format is one of'):
        make_encoder(FakeHub(HERMES), tool_format='morse')


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ('settings', 'defaults', 'sampling'),
    [
        ({}, Sampling(), Sampling()),
        ({}, Sampling(temperature=0.7, top_k=20), Sampling(temperature=0.7, top_k=20)),
        ({'temperature': 0}, Sampling(temperature=0.7), Sampling(temperature=0.0)),
        ({'top_p': 0.5}, Sampling(), Sampling(temperature=1.0, top_p=0.5)),
        ({'top_k': 10_000}, Sampling(), Sampling(temperature=1.0, top_k=100)),
        ({'seed': 3}, Sampling(), Sampling(seed=3)),
        ({'transformers_min_p': 0.1}, Sampling(), Sampling(temperature=1.0, min_p=0.1)),
        ({'logit_bias': {'5': 3}}, Sampling(), Sampling(logit_bias={5: 3.0})),
    ],
)
def test_settings_override_the_defaults_of_the_model(settings: Any, defaults: Sampling, sampling: Sampling) -> None:
    assert sampling_from(settings, defaults, prefix='transformers_', vocabulary_size=100) == sampling


@pytest.mark.parametrize(
    'settings',
    [
        {'temperature': -1},
        {'temperature': float('nan')},
        {'temperature': float('inf')},
        {'temperature': True},
        {'temperature': '1'},
        {'top_p': 0},
        {'top_p': 1.1},
        {'top_k': -1},
        {'top_k': 1.5},
        {'seed': 'a'},
        {'presence_penalty': 99},
        {'transformers_repetition_penalty': 0},
        {'logit_bias': {'x': 1}},
        {'logit_bias': {'5': float('nan')}},
        {'logit_bias': {'5': 'high'}},
        {'logit_bias': {'100': 1}},
    ],
)
def test_invalid_numbers_are_user_errors(settings: Any) -> None:
    with pytest.raises(UserError):
        sampling_from(settings, Sampling(), prefix='transformers_', vocabulary_size=100)


def test_equal_options_have_equal_keys() -> None:
    assert key_of('a', {'x': [1, {'y': 2}]}) == key_of('a', {'x': [1, {'y': 2}]})
    assert key_of('a', {'x': [1]}) != key_of('a', {'x': [2]})
    assert key_of([1]) != key_of((1,))
