"""What Bedrock's room sends: turns, content, past answers, caching."""

from __future__ import annotations

from base64 import b64encode
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
from pydantic_llm.profiles.bedrock import bedrock_model_profile
from tests.models.bedrock_converse import (
    CLAUDE,
    FILM,
    GPT_OSS,
    LLAMA,
    MISTRAL,
    NOVA,
    PAGE,
    PIXEL,
    POINT,
    QWEN,
    TIME,
    WEATHER,
    Sent,
    ask,
    call,
    image,
    model,
    result,
    say,
)

CALL = ToolCallPart('weather', '{"city": "Rome"}', 'a')
RESULT = ToolReturnPart('weather', 'sunny', 'a')
ASKED = [ask('Hi'), say(CALL)]

# ---------------------------------------------------------------------- the address


@pytest.mark.parametrize(
    ('name', 'path'),
    [
        ('anthropic.claude-v2', '/model/anthropic.claude-v2/converse'),
        (CLAUDE, '/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse'),
        (
            'arn:aws:bedrock:us-east-1:1:application-inference-profile/a b',
            '/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fa%20b/converse',
        ),
    ],
)
def test_a_models_name_is_one_word_of_the_address(name: str, path: str) -> None:
    assert Sent([ask('hi')], name=name).path == path
    assert Sent([ask('hi')], name=name, stream=True).path == f'{path}-stream'


def test_another_profile_can_be_called_than_the_one_that_says_what_the_model_can_do() -> None:
    sent = Sent([ask('hi')], {'bedrock_inference_profile': 'arn:a/b', 'top_k': 3})
    assert (sent.path, sent.fields) == ('/model/arn%3Aa%2Fb/converse', {'top_k': 3})


# ---------------------------------------------------------------------- turns


def test_system_prompts_stay_system_prompts_and_instructions_come_last() -> None:
    prompts = [SystemPromptPart('A'), SystemPromptPart(' '), SystemPromptPart('B')]
    later = ask(SystemPromptPart('D'), 'c', instructions='C')
    sent = Sent([ask(*prompts, 'hi', instructions='old'), say(TextPart('b')), later])
    assert sent.body['system'] == [{'text': 'A'}, {'text': 'B'}, {'text': 'D'}, {'text': 'C'}]
    assert sent.turns == [('user', 'hi'), ('assistant', 'b'), ('user', 'c')]
    assert 'system' not in Sent([ask('hi')]).body


def test_turns_of_one_role_are_joined() -> None:
    messages = [ask('a'), ask('b'), say(TextPart('c')), say(TextPart('d')), ask('e')]
    assert Sent(messages).turns == [('user', 'a', 'b'), ('assistant', 'c', 'd'), ('user', 'e')]


def test_blank_text_is_left_out_and_turns_of_nothing_else() -> None:
    messages = [ask('a'), say(TextPart('  ')), ask(' ', 'b'), say(TextPart('c')), ask('')]
    assert Sent(messages).turns == [('user', 'a', 'b'), ('assistant', 'c')]


@pytest.mark.parametrize('messages', [[], [ask('')], [ask(SystemPromptPart('a'))], [ask(instructions='a')]])
def test_a_conversation_in_which_nothing_is_said_is_refused(messages: list[Any]) -> None:
    with pytest.raises(UserError, match='messages holds nothing'):
        Sent(messages)


@pytest.mark.parametrize('name', [NOVA, LLAMA, MISTRAL])
def test_somebody_says_something_before_a_first_answer(name: str) -> None:
    messages = [say(TextPart('a')), ask('b')]
    assert Sent(messages, name=name).turns == [('user', '.'), ('assistant', 'a'), ('user', 'b')]


@pytest.mark.parametrize('name', [CLAUDE, QWEN])
def test_some_models_may_have_spoken_first(name: str) -> None:
    assert Sent([say(TextPart('a')), ask('b')], name=name).turns == [('assistant', 'a'), ('user', 'b')]


def test_the_answers_of_tools_come_before_what_the_user_says() -> None:
    answers = [SystemPromptPart('x'), ToolReturnPart('weather', 'sunny', 'a'), 'And?']
    retry = RetryPromptPart('Which?', tool_name='weather', tool_call_id='b')
    messages = [ask('Hi'), say(CALL, ToolCallPart('weather', None, 'b')), ask('Now', *answers, retry)]
    assert Sent(messages, function_tools=[WEATHER]).turns[2] == (
        'user',
        result('a', 'sunny'),
        result('b', retry.model_response(), status='error'),
        'Now',
        'And?',
    )


@pytest.mark.parametrize('name', [LLAMA, MISTRAL, 'writer.palmyra-x5-v1:0'])
def test_some_families_want_results_alone(name: str) -> None:
    turns = Sent([*ASKED, ask(RESULT, 'And?')], name=name, function_tools=[WEATHER]).turns
    assert [turn[0] for turn in turns] == ['user', 'assistant', 'user', 'assistant', 'user']
    assert turns[3:] == [('assistant', '.'), ('user', 'And?')]


def test_claude_wants_results_and_documents_apart() -> None:
    turns = Sent([*ASKED, ask(RESULT, ['Read', PIXEL])], function_tools=[WEATHER]).turns
    assert turns[2] == ('user', result('a', 'sunny'), 'Read', image())
    turns = Sent([*ASKED, ask(RESULT, ['Read', PAGE])], function_tools=[WEATHER]).turns
    assert [turn[0] for turn in turns[2:]] == ['user', 'assistant', 'user']


@pytest.mark.parametrize('name', [LLAMA, MISTRAL])
def test_some_families_want_calls_alone(name: str) -> None:
    turns = Sent([ask('Hi'), say(TextPart('I look.'), CALL), ask(RESULT)], name=name, function_tools=[WEATHER]).turns
    assert turns[:4] == [('user', 'Hi'), ('assistant', 'I look.'), ('user', '.'), ('assistant', call('a', city='Rome'))]
    turns = Sent([ask('Hi'), say(TextPart('I look.'), CALL), ask(RESULT)], function_tools=[WEATHER]).turns
    assert turns[1] == ('assistant', 'I look.', call('a', city='Rome'))


@pytest.mark.parametrize('id', ['a b', 'x' * 65, 'call:1', 'ü'])
def test_ids_of_calls_that_the_api_refuses_are_replaced(id: str) -> None:
    messages = [ask('Hi'), say(ToolCallPart('weather', '{}', id)), ask(ToolReturnPart('weather', 'sunny', id))]
    turns = Sent(messages, function_tools=[WEATHER]).turns
    assert turns[1][1]['toolUse']['toolUseId'] == turns[2][1]['toolResult']['toolUseId'] != id


# ---------------------------------------------------------------------- results of tools


@pytest.mark.parametrize(
    ('content', 'blocks'),
    [
        ('', ['']),
        (None, ['null']),
        ({'a': 1}, ['{"a":1}']),
        ([1, 'b'], ['1', 'b']),
        ([], ['[]']),
    ],
)
def test_what_a_tool_returned_is_text(content: Any, blocks: list[Any]) -> None:
    sent = Sent([*ASKED, ask(ToolReturnPart('weather', content, 'a'))], function_tools=[WEATHER])
    assert sent.turns[2] == ('user', result('a', *blocks))


@pytest.mark.parametrize(
    ('content', 'json'), [({'a': 1}, {'a': 1}), ('b', {'return_value': 'b'}), (None, {'return_value': None})]
)
def test_mistral_wants_an_object(content: Any, json: Any) -> None:
    sent = Sent([*ASKED, ask(ToolReturnPart('weather', content, 'a'))], name=MISTRAL, function_tools=[WEATHER])
    assert sent.turns[2] == ('user', result('a', {'json': json}))


@pytest.mark.parametrize(('outcome', 'status'), [('success', 'success'), ('failed', 'error'), ('denied', 'success')])
def test_whether_a_call_failed_is_said(outcome: Any, status: str) -> None:
    returned = ToolReturnPart('weather', 'x', 'a', outcome=outcome)
    assert Sent([*ASKED, ask(returned)], function_tools=[WEATHER]).turns[2] == ('user', result('a', 'x', status=status))
    writer = Sent([*ASKED, ask(returned)], name='writer.palmyra-x5-v1:0', function_tools=[WEATHER])
    assert writer.turns[2] == ('user', result('a', 'x', status=None))


def test_files_of_tools_stay_inside_where_the_model_takes_them_there() -> None:
    returned = ToolReturnPart('weather', ['Look', PIXEL, FILM], 'a')
    turns = Sent([*ASKED, ask(returned)], name=NOVA, function_tools=[WEATHER]).turns
    named = f'See file {FILM.identifier}.'
    assert turns[2][1] == result('a', 'Look', image(), named)
    assert turns[2][2:] == (
        f'This is file {FILM.identifier}:',
        {'video': {'format': 'mp4', 'source': {'bytes': 'bXA0'}}},
    )


# ---------------------------------------------------------------------- content


@pytest.mark.parametrize(
    ('item', 'block'),
    [
        (TextContent('a note', metadata={'x': 1}), 'a note'),
        (PIXEL, image()),
        (ImageUrl('data:image/png;base64,cG5n'), image()),
        (ImageUrl('s3://b/a.webp'), {'image': {'format': 'webp', 'source': {'s3Location': {'uri': 's3://b/a.webp'}}}}),
        (
            ImageUrl('s3://b/a.png?bucketOwner=123456789012'),
            {
                'image': {
                    'format': 'png',
                    'source': {'s3Location': {'uri': 's3://b/a.png', 'bucketOwner': '123456789012'}},
                }
            },
        ),
        (
            VideoUrl('s3://b/a.mkv', vendor_metadata={'bucket_owner': '123456789012'}),
            {
                'video': {
                    'format': 'mkv',
                    'source': {'s3Location': {'uri': 's3://b/a.mkv', 'bucketOwner': '123456789012'}},
                }
            },
        ),
        (
            UploadedFile('s3://b/a.png', 'bedrock', media_type='image/png'),
            {'image': {'format': 'png', 'source': {'s3Location': {'uri': 's3://b/a.png'}}}},
        ),
        (FILM, {'video': {'format': 'mp4', 'source': {'bytes': 'bXA0'}}}),
        (
            BinaryContent(b'x', media_type='video/3gpp'),
            {'video': {'format': 'three_gp', 'source': {'bytes': 'eA=='}}},
        ),
        (PAGE, {'document': {'name': 'Document 1', 'format': 'pdf', 'source': {'bytes': 'cGRm'}}}),
        (
            BinaryContent(b'{}', media_type='application/json'),
            {'document': {'name': 'Document 1', 'format': 'txt', 'source': {'bytes': 'e30='}}},
        ),
        (
            BinaryContent(
                b'x',
                media_type='text/markdown',
                vendor_metadata={'name': '  Ön_my/desk.md  ', 'context': 'c', 'citations': {'enabled': True}},
            ),
            {
                'document': {
                    'name': 'n my desk md',
                    'format': 'md',
                    'source': {'bytes': 'eA=='},
                    'context': 'c',
                    'citations': {'enabled': True},
                }
            },
        ),
        (
            BinaryContent(b'secret', media_type='text/plain', vendor_metadata={'guard_content': True}),
            {'guardContent': {'text': {'text': 'secret'}}},
        ),
        (
            BinaryContent(b'fact', media_type='text/plain', vendor_metadata={'guard_content': ['grounding_source']}),
            {'guardContent': {'text': {'text': 'fact', 'qualifiers': ['grounding_source']}}},
        ),
        (
            BinaryContent(b'png', media_type='image/png', vendor_metadata={'guard_content': True}),
            {'guardContent': image()},
        ),
        (
            BinaryContent(
                b'fact', media_type='text/plain', vendor_metadata={'search_result': {'source': 's', 'title': 't'}}
            ),
            {'searchResult': {'source': 's', 'title': 't', 'content': [{'text': 'fact'}]}},
        ),
    ],
    ids=repr,
)
def test_every_kind_of_content(item: Any, block: Any) -> None:
    assert Sent([ask(['Look', item])], name=NOVA).turns == [('user', 'Look', block)]


def test_documents_have_different_names_and_a_text_beside_them() -> None:
    turns = Sent([ask([PAGE, PAGE]), say(TextPart('b')), ask([PAGE])]).turns
    names = [[block['document']['name'] for block in turn[1:] if isinstance(block, dict)] for turn in turns[::2]]
    assert [len(name) for name in names] == [2, 1]
    assert turns[0][-1] == turns[2][-1] == '.'
    assert len({*names[0]}) == 2


@pytest.mark.parametrize(
    ('item', 'reason'),
    [
        (ImageUrl('https://example.com/a.png'), 'S3'),
        (BinaryContent(b'x', media_type='image/tiff'), 'png, jpeg, gif, webp'),
        (BinaryContent(b'x', media_type='application/zip'), 'of the kind .document.'),
        (BinaryContent(b'x', media_type='audio/wav'), 'takes no audio'),
        (AudioUrl('s3://b/a.mp3'), 'takes no audio'),
        (UploadedFile('file-1', 'openai'), "which 'openai' holds"),
        (UploadedFile('file-1', 'bedrock', media_type='image/png'), 'S3'),
        (VideoUrl('https://youtu.be/lCdaVNyHtjU'), 'S3'),
    ],
    ids=repr,
)
def test_what_cannot_be_sent_is_refused(item: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        Sent([ask(['Look', item])])


def test_a_model_that_hears_gets_what_it_can_hear() -> None:
    sound = BinaryContent(b'x', media_type='audio/mpeg')
    sent = Sent([ask(['Listen', sound])], name='mistral.voxtral-small-24b-2507')
    assert sent.turns[0][2] == {'audio': {'format': 'mp3', 'source': {'bytes': 'eA=='}}}


def test_a_text_model_gets_no_image() -> None:
    with pytest.raises(UserError, match='takes no image'):
        Sent([ask(['Look', PIXEL])], name='amazon.nova-micro-v1:0')


@pytest.mark.parametrize(
    ('url', 'is_loaded'),
    [
        (ImageUrl('https://example.com/a.png'), True),
        (DocumentUrl('http://example.com/a.pdf'), True),
        (ImageUrl('s3://b/a.png'), False),
        (ImageUrl('data:image/png;base64,cG5n'), False),
        (VideoUrl('https://www.youtube.com/watch?v=1'), False),
    ],
    ids=repr,
)
def test_files_on_the_web_are_loaded_first(url: Any, is_loaded: bool) -> None:
    assert model().must_download(url) is is_loaded


# ---------------------------------------------------------------------- past answers

SIGNED = ThinkingPart('Hm.', signature='sig', provider_name='bedrock')
SEALED = ThinkingPart('', id='redacted_content', signature='secret', provider_name='bedrock')


def test_claude_gets_its_signed_and_its_encrypted_thoughts_back() -> None:
    assert Sent([ask('Hi'), say(SIGNED, SEALED, TextPart('b')), ask('c')]).turns[1] == (
        'assistant',
        {'reasoningContent': {'reasoningText': {'text': 'Hm.', 'signature': 'sig'}}},
        {'reasoningContent': {'redactedContent': b64encode(b'secret').decode()}},
        'b',
    )


def test_thoughts_without_a_signature_are_text_to_claude_too() -> None:
    unsigned = ThinkingPart('Hm.', provider_name='bedrock')
    start, end = bedrock_model_profile(CLAUDE).thinking_tags
    assert Sent([ask('Hi'), say(unsigned, TextPart('b')), ask('c')]).turns[1] == (
        'assistant',
        f'{start}\nHm.\n{end}',
        'b',
    )


@pytest.mark.parametrize('name', ['us.deepseek.r1-v1:0', GPT_OSS, NOVA])
def test_others_get_theirs_as_text_and_nothing_of_a_signature(name: str) -> None:
    sent = Sent([ask('Hi'), say(SIGNED, SEALED, TextPart('b')), ask('c')], name=name)
    assert sent.turns[1] == ('assistant', '<think>\nHm.\n</think>', 'b')
    assert 'sig' not in repr(sent.body)
    assert 'secret' not in repr(sent.body)


def test_what_nova_hides_is_not_repeated_to_it() -> None:
    hidden = ThinkingPart('[REDACTED]', provider_name='bedrock')
    sent = Sent([ask('Hi'), say(hidden, TextPart('b')), ask('c')], name=NOVA)
    assert (sent.turns[1], sent.warnings) == (('assistant', 'b'), [])


def test_thoughts_of_another_vendor_are_text_and_their_seals_stay_behind() -> None:
    past = ModelResponse(
        [
            ThinkingPart('Hm.', signature='theirs', provider_name='anthropic'),
            ThinkingPart('', id='redacted_thinking', signature='sealed', provider_name='anthropic'),
            NativeToolCallPart('web_search', {'q': 'x'}, 'n', provider_name='anthropic'),
            NativeToolReturnPart('web_search', 'found', 'n', provider_name='anthropic'),
            FilePart(PIXEL, provider_name='anthropic'),
            TextPart('b', provider_name='anthropic', provider_details={'citations': [{'x': 1}]}),
        ],
        provider_name='anthropic',
    )
    sent = Sent([ask('Hi'), past, ask('c')])
    start, end = bedrock_model_profile(CLAUDE).thinking_tags
    assert sent.turns[1] == ('assistant', f'{start}\nHm.\n{end}', 'b')
    assert len(sent.warnings) == 4


def test_cited_text_goes_back_with_its_citations() -> None:
    cited = [
        {'title': 't', 'source': 's', 'sourceContent': [{'text': 'x'}], 'location': {'documentChar': {'start': 1}}}
    ]
    part = TextPart('b', provider_name='bedrock', provider_details={'citations': cited})
    assert Sent([ask('Hi'), say(part), ask('c')]).turns[1] == (
        'assistant',
        {'citationsContent': {'content': [{'text': 'b'}], 'citations': cited}},
    )


def test_system_tools_go_back_to_models_that_run_them() -> None:
    used = NativeToolCallPart('code_execution', {'snippet': '1'}, 'n', provider_name='bedrock')
    found = NativeToolReturnPart(
        'code_execution',
        [{'json': {'stdOut': '1'}}],
        'n',
        provider_name='bedrock',
        provider_details={'status': 'success', 'type': 'nova_code_interpreter_result'},
    )
    messages = [ask('Hi'), say(used, found, TextPart('1')), ask('c')]
    assert Sent(messages, name=NOVA).turns[1][1:3] == (
        {
            'toolUse': {
                'toolUseId': 'n',
                'name': 'nova_code_interpreter',
                'input': {'snippet': '1'},
                'type': 'server_tool_use',
            }
        },
        {
            'toolResult': {
                'toolUseId': 'n',
                'content': [{'json': {'stdOut': '1'}}],
                'type': 'nova_code_interpreter_result',
                'status': 'success',
            }
        },
    )
    claude = Sent(messages)
    assert (claude.turns[1], len(claude.warnings)) == (('assistant', '1'), 1)


def test_a_call_that_was_no_object_goes_back_as_the_model_wrote_it() -> None:
    past = say(ToolCallPart('weather', 'Rome', 'a'))
    retry = RetryPromptPart('No JSON.', tool_name='weather', tool_call_id='a')
    sent = Sent([ask('Hi'), past, ask(retry)], function_tools=[WEATHER])
    assert isinstance(sent.turns[1][1]['toolUse']['input'], dict)
    assert 'Rome' in repr(sent.turns[1])


# ---------------------------------------------------------------------- caching

MANY = {'system': 2, 'tools': 1, 'messages': 2}


def test_points_stand_where_the_settings_and_the_prompts_say() -> None:
    sent = Sent(
        [ask(SystemPromptPart('A'), ['a', CachePoint(), 'b'], instructions='B')],
        {'bedrock_cache_instructions': True, 'bedrock_cache_tool_definitions': '5m', 'bedrock_cache_messages': True},
        function_tools=[WEATHER, TIME],
    )
    assert sent.body['system'] == [{'text': 'A'}, {'text': 'B'}, POINT]
    assert [list(tool) for tool in sent.body['toolConfig']['tools']] == [['toolSpec'], ['toolSpec'], ['cachePoint']]
    assert sent.turns == [('user', 'a', POINT, 'b', POINT)]


def test_an_hour_is_kept_apart() -> None:
    hour = {'cachePoint': {'type': 'default', 'ttl': '1h'}}
    assert Sent([ask(['a', CachePoint(ttl='1h'), 'b'])]).turns == [('user', 'a', hour, 'b')]
    nova = Sent([ask(['a', CachePoint(ttl='1h'), 'b'])], name=NOVA)
    assert nova.turns == [('user', 'a', POINT, 'b')]
    assert 'five minutes' in nova.warnings[0]


def test_a_point_at_the_beginning_of_a_turn_ends_the_one_before() -> None:
    messages = [ask('a'), say(TextPart('b')), ask([CachePoint(), 'c'])]
    assert Sent(messages).turns == [('user', 'a'), ('assistant', 'b', POINT), ('user', 'c')]


def test_no_point_stands_behind_a_document() -> None:
    turns = Sent([ask(['Read', PAGE, CachePoint()])]).turns
    assert [next(iter(block)) for block in turns[0][2:]] == ['cachePoint', 'document']
    with pytest.raises(UserError, match='nothing before it'):
        Sent([ask([CachePoint(), 'a'])])


def test_two_points_in_one_place_are_one() -> None:
    assert Sent([ask(['a', CachePoint(), CachePoint()])], {'bedrock_cache_messages': True}).turns == [
        ('user', 'a', POINT)
    ]


def test_there_are_no_more_points_than_the_api_takes_and_the_oldest_go() -> None:
    said = [item for word in 'abcdef' for item in (word, CachePoint())]
    sent = Sent([ask(SystemPromptPart('A'), said)], {'bedrock_cache_instructions': True})
    assert sent.turns == [('user', 'a', 'b', 'c', 'd', POINT, 'e', POINT, 'f', POINT)]
    assert POINT in sent.body['system']


def test_hours_come_before_minutes() -> None:
    with pytest.raises(UserError, match='must come before'):
        Sent(
            [ask(SystemPromptPart('A'), 'a')],
            {'bedrock_cache_instructions': True, 'bedrock_cache_messages': '1h'},
        )


def test_models_that_cannot_cache_get_no_points() -> None:
    settings = {'bedrock_cache_instructions': True, 'bedrock_cache_messages': True}
    sent = Sent([ask(SystemPromptPart('A'), ['a', CachePoint()])], settings, name=LLAMA)
    assert 'cachePoint' not in repr(sent.body)
    assert len(sent.warnings) == 3
    nova = Sent([ask('a')], {'bedrock_cache_tool_definitions': True}, name=NOVA, function_tools=[WEATHER])
    assert 'cachePoint' not in repr(nova.body)
    assert 'bedrock_cache_tool_definitions' in nova.warnings[0]
