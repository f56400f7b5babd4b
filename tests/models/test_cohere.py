"""What the Cohere room sends: messages, tools, output, settings. Every body is one that the SDK's types allow."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    VideoUrl,
)
from pydantic_llm.models import OutputObjectDefinition
from pydantic_llm.models.cohere import CohereModel
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.profiles.cohere import cohere_model_profile
from pydantic_llm.tools.definition import ToolDefinition
from tests.models.cohere_chat import (
    CITY,
    PIXEL,
    TIME,
    WEATHER,
    Json,
    Sent,
    ask,
    citation_of,
    say,
    text,
    thinking_block,
    tool_call,
)

R = 'command-r-08-2024'
R7B = 'command-r7b-12-2024'


def tool(content: Any, id: str = 'a') -> Json:
    return {'role': 'tool', 'tool_call_id': id, 'content': content}


def encode_after_tool_call(*parts: Any, **parameters: Any) -> list[Json]:
    """Return the encoded messages after a tool call."""
    return Sent([ask('hi'), say(ToolCallPart('weather', '{}', 'a')), ask(*parts)], **parameters).messages[2:]


# ---------------------------------------------------------------------- messages


def test_instructions_follow_the_first_system_prompts_and_other_system_prompts_stay_in_place() -> None:
    sent = Sent(
        [
            ask(SystemPromptPart('A'), SystemPromptPart('B'), 'hi'),
            say(TextPart('b')),
            ask(SystemPromptPart('C'), 'so', instructions='D'),
        ]
    )
    assert [(message['role'], message['content']) for message in sent.messages] == [
        ('system', 'A'),
        ('system', 'B'),
        ('system', 'D'),
        ('user', 'hi'),
        ('assistant', [text('b')]),
        ('system', 'C'),
        ('user', 'so'),
    ]


def test_empty_turns_are_skipped_since_the_api_rejects_them() -> None:
    sent = Sent(
        [
            ask(SystemPromptPart(''), 'hi', ['', TextContent('a'), CachePoint()]),
            say(TextPart(''), ThinkingPart('')),
            ask('', [''], 'so'),
        ]
    )
    assert sent.messages == [
        {'role': 'user', 'content': 'hi'},
        {'role': 'user', 'content': [text('a')]},
        {'role': 'user', 'content': 'so'},
    ]
    with pytest.raises(UserError, match='has no content'):
        Sent([ask('')])


@pytest.mark.parametrize(
    'content', [[ImageUrl('https://x.org/a.png')], [ImageUrl('data:image/png;base64,cG5n')], [PIXEL]]
)
def test_an_image_is_sent_as_its_url_or_its_bytes(content: list[Any]) -> None:
    image = content[0]
    url = image.data_uri if isinstance(image, BinaryContent) else image.url
    assert Sent([ask(content)]).messages[0]['content'] == [{'type': 'image_url', 'image_url': {'url': url}}]


def test_an_image_can_have_a_detail() -> None:
    sent = Sent([ask([ImageUrl('https://x.org/a.png', vendor_metadata={'detail': 'high'})])])
    assert sent.messages[0]['content'][0]['image_url']['detail'] == 'high'


def test_a_text_file_is_sent_as_text_between_marks() -> None:
    file = BinaryContent('grüß'.encode(), media_type='text/plain', identifier='f')
    [block] = Sent([ask([file])]).messages[0]['content']
    begin, words, end = block['text'].splitlines()
    assert (begin, words, end) == (
        '-----BEGIN FILE id="f" type="text/plain"-----',
        'grüß',
        '-----END FILE id="f"-----',
    )


@pytest.mark.parametrize(
    'file',
    [
        AudioUrl('https://x.org/a.mp3'),
        VideoUrl('https://x.org/a.mp4'),
        DocumentUrl('https://x.org/a.pdf'),
        DocumentUrl('data:application/pdf;base64,cG5n'),
        BinaryContent(b'x', media_type='application/pdf'),
        BinaryContent(b'x', media_type='image/tiff'),
        BinaryContent(b'x', media_type='audio/wav'),
        UploadedFile('f', 'cohere'),
    ],
)
def test_a_file_that_the_api_does_not_accept_is_rejected_before_anything_is_sent(file: Any) -> None:
    with pytest.raises(UserError, match=r"'cohere' cannot take .*: the Chat API takes text, and JPEG"):
        Sent([ask(['look', file])])


@pytest.mark.parametrize(
    ('url', 'downloads'),
    [
        (ImageUrl('https://x.org/a.png'), False),
        (DocumentUrl('https://x.org/a.txt'), True),
        (DocumentUrl('https://x.org/a'), True),
        (DocumentUrl('https://x.org/a.pdf'), False),
        (DocumentUrl('data:text/plain;base64,cG5n'), False),
        (AudioUrl('https://x.org/a.mp3'), False),
    ],
)
def test_only_files_that_may_be_text_are_downloaded(url: Any, downloads: bool) -> None:
    assert CohereModel(R7B, api_key='k').must_download(url) is downloads


# ---------------------------------------------------------------------- tools at work


@pytest.mark.parametrize(
    ('content', 'sent'),
    [
        (None, '(empty)'),
        (' ', '(empty)'),
        ('rain', 'rain'),
        (3, '3'),
        ({'sky': ['blue']}, '{"sky":["blue"]}'),
        ([], '[]'),
        (['a', {'b': 1}], '["a",{"b":1}]'),
    ],
)
def test_a_tool_result_is_a_text(content: Any, sent: str) -> None:
    assert encode_after_tool_call(ToolReturnPart('weather', content, 'a')) == [tool(sent)]


def test_a_list_of_objects_becomes_documents_that_can_be_cited() -> None:
    rows = [{'sky': 'blue'}, {'id': 'd', 'data': {'sky': 'grey'}}, {'id': 7, 'data': {}}, {'data': 'x'}]
    assert encode_after_tool_call(ToolReturnPart('weather', rows, 'a')) == [
        tool(
            [
                {'type': 'document', 'document': {'data': {'sky': 'blue'}}},
                {'type': 'document', 'document': {'id': 'd', 'data': {'sky': 'grey'}}},
                {'type': 'document', 'document': {'data': {'id': 7, 'data': {}}}},
                {'type': 'document', 'document': {'data': {'data': 'x'}}},
            ]
        )
    ]


def test_files_of_tools_follow_in_a_message_of_the_user() -> None:
    image = BinaryContent(b'png', media_type='image/png', identifier='one')
    first, second = encode_after_tool_call(ToolReturnPart('weather', ['see', image], 'a'))
    assert first == tool('["see","See file one."]')
    assert second == {
        'role': 'user',
        'content': [text('This is file one:'), {'type': 'image_url', 'image_url': {'url': image.data_uri}}],
    }
    assert encode_after_tool_call(ToolReturnPart('weather', image, 'a'))[0] == tool('See file one.')


def test_a_retry_prompt_is_a_tool_result_or_a_message_of_the_user() -> None:
    again = 'No.\n\nCorrect this and try again.'
    assert encode_after_tool_call(RetryPromptPart('No.', tool_name='weather', tool_call_id='a')) == [tool(again)]
    assert Sent([ask('hi'), say(TextPart('x')), ask(RetryPromptPart('No.'))]).messages[2]['content'] == again


# ---------------------------------------------------------------------- past responses


def test_a_past_response_is_sent_back_unchanged() -> None:
    citations = [citation_of('rain', content_index=7), citation_of('sun')]
    response = say(
        ThinkingPart('I will look.', id='tool_plan', provider_name='cohere'),
        ThinkingPart('Hm.', provider_name='cohere'),
        TextPart('rain', provider_name='cohere', provider_details={'citations': citations}),
        ToolCallPart('weather', '{"city":  "Rome"}', 'a'),
    )
    sent = Sent([ask('hi'), response, ask(ToolReturnPart('weather', 'x', 'a'))], function_tools=[WEATHER])
    assert sent.messages[1] == {
        'role': 'assistant',
        'tool_plan': 'I will look.',
        'content': [thinking_block('Hm.'), text('rain')],
        'tool_calls': [tool_call('a', '{"city":  "Rome"}')],
        'citations': [{**citations[0], 'content_index': 1}, citations[1]],
    }
    assert sent.warnings == []


def test_a_plan_without_tool_calls_is_thinking() -> None:
    plan = ThinkingPart('I will look.', id='tool_plan', provider_name='cohere')
    sent = Sent([ask('hi'), say(plan, TextPart('a')), ask('so')])
    assert sent.messages[1] == {'role': 'assistant', 'content': [thinking_block('I will look.'), text('a')]}


def test_thinking_of_other_vendors_is_sent_without_citations_and_signatures() -> None:
    response = ModelResponse(
        [
            ThinkingPart('Hm.', id='tool_plan', signature='seal', provider_name='anthropic'),
            ThinkingPart('', signature='seal', provider_name='anthropic'),
            TextPart('a', provider_name='anthropic', provider_details={'citations': [{'type': 'char_location'}]}),
            ToolCallPart('weather', {}, 'a'),
        ]
    )
    sent = Sent([ask('hi'), response, ask(ToolReturnPart('weather', 'x', 'a'))])
    assert sent.messages[1] == {
        'role': 'assistant',
        'content': [thinking_block('Hm.'), text('a')],
        'tool_calls': [tool_call('a', '{}')],
    }
    assert len(sent.warnings) == 1
    assert "thinking of 'anthropic'" in sent.warnings[0]


def test_parts_that_the_api_has_no_field_for_are_listed() -> None:
    response = ModelResponse(
        [
            NativeToolCallPart('web_search', {}, 'n', provider_name='openai'),
            NativeToolReturnPart('web_search', [], 'n', provider_name='openai'),
            FilePart(PIXEL, provider_name='openai'),
            TextPart('a'),
        ]
    )
    sent = Sent([ask('hi'), response, ask('so')])
    assert sent.messages[1] == {'role': 'assistant', 'content': [text('a')]}
    assert [word in warning for word, warning in zip(('web_search', 'a file'), sent.warnings, strict=True)] == [
        True
    ] * 2


# ---------------------------------------------------------------------- tools


def test_tools_are_functions_and_the_tool_choice_auto_is_not_sent() -> None:
    sent = Sent([ask('hi')], function_tools=[WEATHER, TIME])
    assert sent.body['tools'] == [
        {'type': 'function', 'function': {'name': 'weather', 'description': 'Tells the weather.', 'parameters': CITY}},
        {'type': 'function', 'function': {'name': 'time', 'description': '', 'parameters': CITY}},
    ]
    assert sent.body.keys().isdisjoint({'tool_choice', 'strict_tools'})


@pytest.mark.parametrize(
    ('choice', 'names', 'word'),
    [
        ('none', ['weather', 'time'], 'NONE'),
        ('required', ['weather', 'time'], 'REQUIRED'),
        (['time'], ['time'], 'REQUIRED'),
        (['time', 'weather'], ['weather', 'time'], 'REQUIRED'),
    ],
)
def test_if_a_tool_is_named_the_others_are_dropped(choice: Any, names: list[str], word: str) -> None:
    sent = Sent([ask('hi')], {'tool_choice': choice}, function_tools=[WEATHER, TIME])
    assert [tool['function']['name'] for tool in sent.body['tools']] == names
    assert sent.body['tool_choice'] == word


def test_an_output_tool_must_be_called() -> None:
    final = ToolDefinition('final_result', CITY, kind='output')
    sent = Sent([ask('hi')], output_tools=[final], output_mode='tool', allow_text_output=False)
    assert sent.body['tool_choice'] == 'REQUIRED'


def test_an_old_model_cannot_be_forced_to_call_a_tool() -> None:
    final = ToolDefinition('final_result', CITY, kind='output')
    sent = Sent([ask('hi')], name=R, output_tools=[final], output_mode='tool', allow_text_output=False)
    assert ('tools' in sent.body, 'tool_choice' in sent.body) == (True, False)
    with pytest.raises(UserError, match=r"'command-r-08-2024' cannot be made to call a tool"):
        Sent([ask('hi')], {'tool_choice': 'required'}, name=R, function_tools=[WEATHER])


def test_an_old_model_that_must_not_call_tools_gets_no_tools() -> None:
    sent = Sent([ask('hi')], {'tool_choice': 'none'}, name=R, function_tools=[WEATHER])
    assert sent.body.keys().isdisjoint({'tools', 'tool_choice'})


def test_a_vision_model_calls_no_tools() -> None:
    with pytest.raises(UserError, match='cannot call tools'):
        Sent([ask('hi')], name='command-a-vision-07-2025', function_tools=[WEATHER])


def test_native_tools_are_rejected() -> None:
    with pytest.raises(UserError, match='has no tools of its own, and was asked for web_search'):
        Sent([ask('hi')], native_tools=[WebSearchTool()])


# ---------------------------------------------------------------------- which model can do what


@pytest.mark.parametrize(
    ('name', 'thinks', 'calls', 'is_made_to_call', 'keeps_to_schemas'),
    [
        ('command-a-plus-05-2026', True, True, True, True),
        ('command-a-reasoning-08-2025', True, True, True, True),
        ('cohere/Command-A-Reasoning', True, True, True, True),
        ('cohere.command-a-03-2025', False, True, True, True),
        ('command-a-translate-08-2025', False, True, True, True),
        ('command-a-vision-07-2025', False, False, True, True),
        ('command-r7b-12-2024', False, True, True, True),
        ('command-r-plus-08-2024', False, True, False, True),
        ('command-r-08-2024', False, True, False, True),
        ('command-light-nightly', False, False, True, False),
        ('command', False, False, True, False),
        ('command-b-2027', True, True, True, True),
        ('my-own-model', False, True, True, True),
    ],
)
def test_the_profile_follows_from_the_name(
    name: str, thinks: bool, calls: bool, is_made_to_call: bool, keeps_to_schemas: bool
) -> None:
    profile = cohere_model_profile(name)
    assert (profile.supports_thinking, profile.supports_tools) == (thinks, calls)
    assert (profile.cohere_tool_choice, profile.supports_json_schema_output) == (is_made_to_call, keeps_to_schemas)


# ---------------------------------------------------------------------- strict schemas

FORM: Json = {
    'type': 'object',
    'properties': {
        'email': {'type': 'string', 'format': 'email', 'pattern': '^.+@.+$', 'description': 'Yours.'},
        'day': {'type': 'string', 'format': 'date'},
        'ages': {'type': 'array', 'items': {'type': 'integer', 'minimum': 0}, 'maxItems': 3},
        'pet': {'oneOf': [{'const': 'cat'}, {'const': 'dog'}]},
        'looks': {'type': 'string', 'pattern': '(?=x)a'},
    },
}
FORM_AS_ENFORCED: Json = {
    'type': 'object',
    'properties': {
        'email': {'type': 'string', 'pattern': '.+@.+', 'description': 'Yours.\n\n{format: email}'},
        'day': {'type': 'string', 'format': 'date'},
        'ages': {
            'type': 'array',
            'items': {'type': 'integer', 'description': '{minimum: 0}'},
            'description': '{maxItems: 3}',
        },
        'pet': {'anyOf': [{'const': 'cat'}, {'const': 'dog'}]},
        'looks': {'type': 'string', 'description': '{pattern: (?=x)a}'},
    },
    'required': ['email'],
}


def test_strict_tools_keep_what_the_api_enforces_and_describe_the_rest() -> None:
    form = ToolDefinition('form', FORM, strict=True)
    sent = Sent([ask('hi')], function_tools=[form])
    assert sent.body['strict_tools'] is True
    assert sent.body['tools'][0]['function']['parameters'] == FORM_AS_ENFORCED
    assert [warning.rpartition('enforce ')[2] for warning in sent.warnings] == [
        'format of $.email',
        'minimum of $.ages.items',
        'maxItems of $.ages',
        'pattern of $.looks',
        'required of $',
    ]


def test_other_tools_are_sent_unchanged() -> None:
    for strict in (None, False):
        sent = Sent([ask('hi')], function_tools=[ToolDefinition('form', FORM, strict=strict)])
        assert sent.body['tools'][0]['function']['parameters'] == FORM
        assert ('strict_tools' in sent.body, sent.warnings) == (False, [])


def test_all_tools_are_strict_or_none() -> None:
    strict = ToolDefinition('strict', CITY, strict=True)
    sent = Sent([ask('hi')], function_tools=[strict, WEATHER])
    assert 'strict_tools' not in sent.body
    assert sent.warnings == [
        "calls of 'strict' are not held to its schema, as all tools or none must be: 'weather' has none"
    ]


@pytest.mark.parametrize('settings', [{}, {'cohere_strict_tools': True}])
def test_a_tool_without_arguments_is_not_strict_and_neither_are_others(settings: Json) -> None:
    strict, now = ToolDefinition('strict', CITY, strict=True), ToolDefinition('now', {'type': 'object'}, strict=True)
    sent = Sent([ask('hi')], settings, function_tools=[strict, now])
    assert 'strict_tools' not in sent.body
    assert [warning.partition('must be: ')[2] for warning in sent.warnings] == ["'now' takes no arguments"]


def test_a_recursive_strict_schema_has_an_object_at_its_top() -> None:
    list_ = {'type': 'object', 'properties': {'next': {'anyOf': [{'$ref': '#/$defs/L'}, {'type': 'null'}]}}}
    schema = {'$defs': {'L': list_}, '$ref': '#/$defs/L', 'title': 'List'}
    sent = Sent([ask('hi')], function_tools=[ToolDefinition('list', schema, strict=True)])
    done = {**list_, 'required': ['next']}
    assert sent.body['tools'][0]['function']['parameters'] == {**done, 'title': 'List', '$defs': {'L': done}}
    sent = Sent([ask('hi')], function_tools=[ToolDefinition('list', schema)])
    assert sent.body['tools'][0]['function']['parameters'] == {**list_, 'title': 'List', '$defs': {'L': list_}}


@pytest.mark.parametrize('setting', [True, False])
def test_a_setting_decides_for_all_tools(setting: bool) -> None:
    strict = ToolDefinition('strict', CITY, strict=True)
    sent = Sent([ask('hi')], {'cohere_strict_tools': setting}, function_tools=[strict, WEATHER])
    assert (sent.body.get('strict_tools', False), sent.warnings) == (setting, [])


# ---------------------------------------------------------------------- output

OUTPUT = OutputObjectDefinition(CITY, 'answer', 'Where.')


def test_the_schema_of_a_native_output_is_sent_with_an_instruction_to_write_json() -> None:
    sent = Sent([ask('hi')], output_mode='native', output_object=OUTPUT)
    schema = {**CITY, 'title': 'answer', 'description': 'Where.'}
    assert sent.body['response_format'] == {'type': 'json_object', 'json_schema': schema}
    assert sent.messages[0] == {'role': 'system', 'content': 'Answer with one JSON object.'}


@pytest.mark.parametrize(
    'messages', [[ask('hi, as json')], [ask(['hi', 'as JSON'])], [ask(SystemPromptPart('JSON!'), 'hi')]]
)
def test_without_the_instruction_if_a_message_mentions_json(messages: list[Any]) -> None:
    sent = Sent(messages, output_mode='native', output_object=OUTPUT)
    assert len(sent.messages) == len(messages[0].parts)


def test_json_in_the_bytes_of_an_image_is_not_a_mention() -> None:
    image = BinaryContent(b'\x8e\xca\x27' * 3, media_type='image/png')
    assert 'json' in image.data_uri.lower()
    assert Sent([ask(['hi', image])], output_mode='native', output_object=OUTPUT).messages[0]['role'] == 'system'


def test_a_prompted_output_must_be_json() -> None:
    sent = Sent([ask('hi')], output_mode='prompted', output_object=OUTPUT)
    assert sent.body['response_format'] == {'type': 'json_object'}
    assert '"city"' in sent.messages[0]['content']
    with_tools = Sent([ask('hi')], output_mode='prompted', output_object=OUTPUT, function_tools=[WEATHER])
    assert 'response_format' not in with_tools.body


@pytest.mark.parametrize(
    ('settings', 'tools', 'reason'), [({}, [WEATHER], 'tools'), ({'cohere_documents': ['x']}, [], 'documents')]
)
def test_a_native_output_cannot_be_combined_with_tools_or_documents(
    settings: Any, tools: list[Any], reason: str
) -> None:
    with pytest.raises(UserError, match=f'with {reason}: use output_mode='):
        Sent([ask('hi')], settings, function_tools=tools, output_mode='native', output_object=OUTPUT)


# ---------------------------------------------------------------------- thinking


@pytest.mark.parametrize(
    ('settings', 'thinking'),
    [
        ({'thinking': True}, {'type': 'enabled'}),
        ({'thinking': False}, {'type': 'disabled'}),
        ({'thinking': 'minimal'}, {'type': 'enabled', 'token_budget': 1024}),
        ({'thinking': 'xhigh'}, {'type': 'enabled', 'token_budget': 31_000}),
        ({'thinking': 'high', 'max_tokens': 5000}, {'type': 'enabled', 'token_budget': 4000}),
        ({'thinking': 'high', 'max_tokens': 1500}, {'type': 'enabled', 'token_budget': 750}),
        ({'thinking': 'high', 'max_tokens': 1}, {'type': 'enabled', 'token_budget': 1}),
        ({'thinking': 'low', 'cohere_thinking': {'type': 'disabled'}}, {'type': 'disabled'}),
    ],
)
def test_a_level_is_a_budget_that_leaves_room_for_the_response(settings: Any, thinking: Json) -> None:
    assert Sent([ask('hi')], settings).body['thinking'] == thinking


def test_thinking_is_a_warning_for_a_model_that_cannot_think() -> None:
    high, off = (Sent([ask('hi')], {'thinking': level}, name=R7B) for level in ('high', False))
    assert ('thinking' in high.body, 'thinking' in off.body) == (False, False)
    assert high.warnings == ["'thinking' was not sent: 'command-r7b-12-2024' has no setting for thinking"]
    assert off.warnings == []


# ---------------------------------------------------------------------- settings


def test_the_names_of_settings_on_the_wire() -> None:
    settings = {
        'max_tokens': 9,
        'temperature': 0.0,
        'top_p': 0.5,
        'top_k': 3,
        'seed': 0,
        'stop_sequences': ['x'],
        'logprobs': True,
        'cohere_documents': ['text', {'id': 'd', 'data': {'text': 'x'}}],
        'cohere_citation_options': {'mode': 'FAST'},
        'cohere_safety_mode': 'STRICT',
        'cohere_priority': 0,
    }
    sent = Sent([ask('hi')], settings)
    assert {name: value for name, value in sent.body.items() if name not in ('model', 'messages')} == {
        'max_tokens': 9,
        'temperature': 0.0,
        'p': 0.5,
        'k': 3,
        'seed': 0,
        'stop_sequences': ['x'],
        'logprobs': True,
        'documents': ['text', {'id': 'd', 'data': {'text': 'x'}}],
        'citation_options': {'mode': 'FAST'},
        'safety_mode': 'STRICT',
        'priority': 0,
    }
