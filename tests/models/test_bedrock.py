"""The encoding half of Bedrock's room: turns, content, past responses, caching."""

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
    image,
    make_model,
    say,
    tool_call,
    tool_result,
)

CALL = ToolCallPart('weather', '{"city": "Rome"}', 'a')
RESULT = ToolReturnPart('weather', 'sunny', 'a')
HISTORY = [ask('Hi'), say(CALL)]

# ---------------------------------------------------------------------- the path


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
def test_the_name_of_a_model_is_one_segment_of_the_path(name: str, path: str) -> None:
    assert Sent([ask('hi')], name=name).path == path
    assert Sent([ask('hi')], name=name, stream=True).path == f'{path}-stream'


def test_an_inference_profile_replaces_the_name_in_the_path_only() -> None:
    sent = Sent([ask('hi')], {'bedrock_inference_profile': 'arn:a/b', 'top_k': 3})
    assert (sent.path, sent.fields) == ('/model/arn%3Aa%2Fb/converse', {'top_k': 3})


# ---------------------------------------------------------------------- turns


def test_instructions_follow_the_system_prompts() -> None:
    prompts = [SystemPromptPart('A'), SystemPromptPart(' '), SystemPromptPart('B')]
    later = ask(SystemPromptPart('D'), 'c', instructions='C')
    sent = Sent([ask(*prompts, 'hi', instructions='old'), say(TextPart('b')), later])
    assert sent.body['system'] == [{'text': 'A'}, {'text': 'B'}, {'text': 'D'}, {'text': 'C'}]
    assert sent.turns == [('user', 'hi'), ('assistant', 'b'), ('user', 'c')]
    assert 'system' not in Sent([ask('hi')]).body


def test_turns_of_one_role_are_joined() -> None:
    messages = [ask('a'), ask('b'), say(TextPart('c')), say(TextPart('d')), ask('e')]
    assert Sent(messages).turns == [('user', 'a', 'b'), ('assistant', 'c', 'd'), ('user', 'e')]


def test_blank_text_is_dropped_and_so_are_turns_with_nothing_else() -> None:
    messages = [ask('a'), say(TextPart('  ')), ask(' ', 'b'), say(TextPart('c')), ask('')]
    assert Sent(messages).turns == [('user', 'a', 'b'), ('assistant', 'c')]


def test_an_empty_conversation_is_rejected() -> None:
    with pytest.raises(UserError, match='messages holds nothing to send'):
        Sent([])


@pytest.mark.parametrize('messages', [[ask('')], [ask(SystemPromptPart('a'))], [ask(instructions='a')]])
def test_a_conversation_without_user_content_is_rejected(messages: list[Any]) -> None:
    with pytest.raises(UserError, match='messages has no content of the user, which the Converse API requires'):
        Sent(messages)


@pytest.mark.parametrize('name', [NOVA, LLAMA, MISTRAL])
def test_a_filler_precedes_a_response_that_comes_first(name: str) -> None:
    messages = [say(TextPart('a')), ask('b')]
    assert Sent(messages, name=name).turns == [('user', '.'), ('assistant', 'a'), ('user', 'b')]


@pytest.mark.parametrize('name', [CLAUDE, QWEN])
def test_some_models_accept_a_response_that_comes_first(name: str) -> None:
    assert Sent([say(TextPart('a')), ask('b')], name=name).turns == [('assistant', 'a'), ('user', 'b')]


def test_tool_results_precede_the_content_of_the_user() -> None:
    parts = [SystemPromptPart('x'), ToolReturnPart('weather', 'sunny', 'a'), 'And?']
    retry = RetryPromptPart('Which?', tool_name='weather', tool_call_id='b')
    messages = [ask('Hi'), say(CALL, ToolCallPart('weather', None, 'b')), ask('Now', *parts, retry)]
    assert Sent(messages, function_tools=[WEATHER]).turns[2] == (
        'user',
        tool_result('a', 'sunny'),
        tool_result('b', retry.model_response(), status='error'),
        'Now',
        'And?',
    )


@pytest.mark.parametrize('name', [LLAMA, MISTRAL, 'writer.palmyra-x5-v1:0'])
def test_some_families_require_tool_results_in_a_turn_of_their_own(name: str) -> None:
    turns = Sent([*HISTORY, ask(RESULT, 'And?')], name=name, function_tools=[WEATHER]).turns
    assert [turn[0] for turn in turns] == ['user', 'assistant', 'user', 'assistant', 'user']
    assert turns[3:] == [('assistant', '.'), ('user', 'And?')]


def test_claude_requires_documents_in_another_turn_than_tool_results() -> None:
    turns = Sent([*HISTORY, ask(RESULT, ['Read', PIXEL])], function_tools=[WEATHER]).turns
    assert turns[2] == ('user', tool_result('a', 'sunny'), 'Read', image())
    turns = Sent([*HISTORY, ask(RESULT, ['Read', PAGE])], function_tools=[WEATHER]).turns
    assert [turn[0] for turn in turns[2:]] == ['user', 'assistant', 'user']


@pytest.mark.parametrize('name', [LLAMA, MISTRAL])
def test_some_families_require_tool_calls_in_a_turn_of_their_own(name: str) -> None:
    turns = Sent([ask('Hi'), say(TextPart('I look.'), CALL), ask(RESULT)], name=name, function_tools=[WEATHER]).turns
    assert turns[:4] == [
        ('user', 'Hi'),
        ('assistant', 'I look.'),
        ('user', '.'),
        ('assistant', tool_call('a', city='Rome')),
    ]
    turns = Sent([ask('Hi'), say(TextPart('I look.'), CALL), ask(RESULT)], function_tools=[WEATHER]).turns
    assert turns[1] == ('assistant', 'I look.', tool_call('a', city='Rome'))


@pytest.mark.parametrize('id', ['a b', 'x' * 65, 'ü', ''])
def test_ids_of_tool_calls_that_the_api_rejects_are_replaced(id: str) -> None:
    messages = [ask('Hi'), say(ToolCallPart('weather', '{}', id)), ask(ToolReturnPart('weather', 'sunny', id))]
    turns = Sent(messages, function_tools=[WEATHER]).turns
    assert turns[1][1]['toolUse']['toolUseId'] == turns[2][1]['toolResult']['toolUseId'] != id


@pytest.mark.parametrize('id', ['functions.look:0', 'call_1', 'tooluse_A-b', 'x' * 64])
def test_ids_of_tool_calls_that_the_api_accepts_are_kept(id: str) -> None:
    messages = [ask('Hi'), say(ToolCallPart('weather', '{}', id)), ask(ToolReturnPart('weather', 'sunny', id))]
    turns = Sent(messages, function_tools=[WEATHER]).turns
    assert turns[1][1]['toolUse']['toolUseId'] == turns[2][1]['toolResult']['toolUseId'] == id


# ---------------------------------------------------------------------- tool results


@pytest.mark.parametrize(
    ('content', 'blocks'),
    [
        ('', ['(empty)']),
        (' \n', ['(empty)']),
        (None, ['null']),
        ({'a': 1}, ['{"a":1}']),
        ([1, 'b'], ['1', 'b']),
        ([], ['[]']),
    ],
)
def test_a_tool_result_is_text(content: Any, blocks: list[Any]) -> None:
    sent = Sent([*HISTORY, ask(ToolReturnPart('weather', content, 'a'))], function_tools=[WEATHER])
    assert sent.turns[2] == ('user', tool_result('a', *blocks))


@pytest.mark.parametrize(
    ('content', 'json'), [({'a': 1}, {'a': 1}), ('b', {'return_value': 'b'}), (None, {'return_value': None})]
)
def test_mistral_requires_an_object_as_tool_result(content: Any, json: Any) -> None:
    sent = Sent([*HISTORY, ask(ToolReturnPart('weather', content, 'a'))], name=MISTRAL, function_tools=[WEATHER])
    assert sent.turns[2] == ('user', tool_result('a', {'json': json}))


@pytest.mark.parametrize(('outcome', 'status'), [('success', 'success'), ('failed', 'error'), ('denied', 'success')])
def test_a_tool_result_has_the_status_of_a_failure(outcome: Any, status: str) -> None:
    returned = ToolReturnPart('weather', 'x', 'a', outcome=outcome)
    assert Sent([*HISTORY, ask(returned)], function_tools=[WEATHER]).turns[2] == (
        'user',
        tool_result('a', 'x', status=status),
    )
    writer = Sent([*HISTORY, ask(returned)], name='writer.palmyra-x5-v1:0', function_tools=[WEATHER])
    assert writer.turns[2] == ('user', tool_result('a', 'x', status=None))


def test_files_of_tools_stay_in_the_result_if_the_model_accepts_them_there() -> None:
    returned = ToolReturnPart('weather', ['Look', PIXEL, FILM], 'a')
    turns = Sent([*HISTORY, ask(returned)], name=NOVA, function_tools=[WEATHER]).turns
    named = f'See file {FILM.identifier}.'
    assert turns[2][1] == tool_result('a', 'Look', image(), named)
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
def test_each_kind_of_content_is_encoded(item: Any, block: Any) -> None:
    assert Sent([ask(['Look', item])], name=NOVA).turns == [('user', 'Look', block)]


def test_documents_have_different_names_and_some_text_with_them() -> None:
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
def test_unsupported_files_are_rejected(item: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        Sent([ask(['Look', item])])


def test_audio_is_sent_to_a_model_that_accepts_audio() -> None:
    sound = BinaryContent(b'x', media_type='audio/mpeg')
    sent = Sent([ask(['Listen', sound])], name='mistral.voxtral-small-24b-2507')
    assert sent.turns[0][2] == {'audio': {'format': 'mp3', 'source': {'bytes': 'eA=='}}}


def test_an_image_is_rejected_for_a_model_of_text() -> None:
    with pytest.raises(UserError, match='takes no image'):
        Sent([ask(['Look', PIXEL])], name='amazon.nova-micro-v1:0')


@pytest.mark.parametrize(
    ('url', 'is_downloaded'),
    [
        (ImageUrl('https://example.com/a.png'), True),
        (DocumentUrl('http://example.com/a.pdf'), True),
        (ImageUrl('s3://b/a.png'), False),
        (ImageUrl('data:image/png;base64,cG5n'), False),
        (VideoUrl('https://www.youtube.com/watch?v=1'), False),
    ],
    ids=repr,
)
def test_files_on_the_web_are_downloaded_first(url: Any, is_downloaded: bool) -> None:
    assert make_model().must_download(url) is is_downloaded


# ---------------------------------------------------------------------- past responses

SIGNED = ThinkingPart('Hm.', signature='sig', provider_name='bedrock')
ENCRYPTED = ThinkingPart('', id='redacted_content', signature='secret', provider_name='bedrock')


def test_signed_and_encrypted_thinking_is_sent_back_to_claude() -> None:
    assert Sent([ask('Hi'), say(SIGNED, ENCRYPTED, TextPart('b')), ask('c')]).turns[1] == (
        'assistant',
        {'reasoningContent': {'reasoningText': {'text': 'Hm.', 'signature': 'sig'}}},
        {'reasoningContent': {'redactedContent': b64encode(b'secret').decode()}},
        'b',
    )


def test_thinking_without_a_signature_is_sent_as_text_to_claude_too() -> None:
    unsigned = ThinkingPart('Hm.', provider_name='bedrock')
    start, end = bedrock_model_profile(CLAUDE).thinking_tags
    assert Sent([ask('Hi'), say(unsigned, TextPart('b')), ask('c')]).turns[1] == (
        'assistant',
        f'{start}\nHm.\n{end}',
        'b',
    )


@pytest.mark.parametrize('name', ['us.deepseek.r1-v1:0', GPT_OSS, NOVA])
def test_thinking_is_sent_as_text_without_its_signature_to_other_models(name: str) -> None:
    sent = Sent([ask('Hi'), say(SIGNED, ENCRYPTED, TextPart('b')), ask('c')], name=name)
    assert sent.turns[1] == ('assistant', '<think>\nHm.\n</think>', 'b')
    assert 'sig' not in repr(sent.body)
    assert 'secret' not in repr(sent.body)


def test_the_placeholder_of_hidden_thinking_is_not_sent_back_to_nova() -> None:
    hidden = ThinkingPart('[REDACTED]', provider_name='bedrock')
    sent = Sent([ask('Hi'), say(hidden, TextPart('b')), ask('c')], name=NOVA)
    assert (sent.turns[1], sent.warnings) == (('assistant', 'b'), [])


def test_thinking_of_another_vendor_is_sent_as_text_without_its_signature() -> None:
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


def test_text_is_sent_back_with_its_citations() -> None:
    cited = [
        {'title': 't', 'source': 's', 'sourceContent': [{'text': 'x'}], 'location': {'documentChar': {'start': 1}}}
    ]
    part = TextPart('b', provider_name='bedrock', provider_details={'citations': cited})
    assert Sent([ask('Hi'), say(part), ask('c')]).turns[1] == (
        'assistant',
        {'citationsContent': {'content': [{'text': 'b'}], 'citations': cited}},
    )


def test_calls_of_system_tools_are_sent_back_to_models_that_run_them() -> None:
    native_call = NativeToolCallPart('code_execution', {'snippet': '1'}, 'n', provider_name='bedrock')
    native_result = NativeToolReturnPart(
        'code_execution',
        [{'json': {'stdOut': '1'}}],
        'n',
        provider_name='bedrock',
        provider_details={'status': 'success', 'type': 'nova_code_interpreter_result'},
    )
    messages = [ask('Hi'), say(native_call, native_result, TextPart('1')), ask('c')]
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


def test_invalid_arguments_are_sent_back_inside_an_object() -> None:
    past = say(ToolCallPart('weather', 'Rome', 'a'))
    retry = RetryPromptPart('No JSON.', tool_name='weather', tool_call_id='a')
    sent = Sent([ask('Hi'), past, ask(retry)], function_tools=[WEATHER])
    assert isinstance(sent.turns[1][1]['toolUse']['input'], dict)
    assert 'Rome' in repr(sent.turns[1])


# ---------------------------------------------------------------------- caching

MANY = {'system': 2, 'tools': 1, 'messages': 2}


def test_cache_points_come_from_settings_and_from_prompts() -> None:
    sent = Sent(
        [ask(SystemPromptPart('A'), ['a', CachePoint(), 'b'], instructions='B')],
        {'bedrock_cache_instructions': True, 'bedrock_cache_tool_definitions': '5m', 'bedrock_cache_messages': True},
        function_tools=[WEATHER, TIME],
    )
    assert sent.body['system'] == [{'text': 'A'}, {'text': 'B'}, POINT]
    assert [list(tool) for tool in sent.body['toolConfig']['tools']] == [['toolSpec'], ['toolSpec'], ['cachePoint']]
    assert sent.turns == [('user', 'a', POINT, 'b', POINT)]


def test_only_some_models_cache_for_an_hour() -> None:
    hour = {'cachePoint': {'type': 'default', 'ttl': '1h'}}
    assert Sent([ask(['a', CachePoint(ttl='1h'), 'b'])]).turns == [('user', 'a', hour, 'b')]
    nova = Sent([ask(['a', CachePoint(ttl='1h'), 'b'])], name=NOVA)
    assert nova.turns == [('user', 'a', POINT, 'b')]
    assert 'five minutes' in nova.warnings[0]


def test_a_cache_point_at_the_start_of_a_turn_is_added_to_the_turn_before() -> None:
    messages = [ask('a'), say(TextPart('b')), ask([CachePoint(), 'c'])]
    assert Sent(messages).turns == [('user', 'a'), ('assistant', 'b', POINT), ('user', 'c')]


def test_no_cache_point_follows_a_document() -> None:
    turns = Sent([ask(['Read', PAGE, CachePoint()])]).turns
    assert [next(iter(block)) for block in turns[0][2:]] == ['cachePoint', 'document']
    with pytest.raises(UserError, match='nothing before it'):
        Sent([ask([CachePoint(), 'a'])])


def test_two_cache_points_in_one_place_become_one() -> None:
    assert Sent([ask(['a', CachePoint(), CachePoint()])], {'bedrock_cache_messages': True}).turns == [
        ('user', 'a', POINT)
    ]


def test_the_oldest_cache_points_are_dropped_if_there_are_too_many() -> None:
    content = [item for word in 'abcdef' for item in (word, CachePoint())]
    sent = Sent([ask(SystemPromptPart('A'), content)], {'bedrock_cache_instructions': True})
    assert sent.turns == [('user', 'a', 'b', 'c', 'd', POINT, 'e', POINT, 'f', POINT)]
    assert POINT in sent.body['system']


def test_an_hour_after_five_minutes_is_rejected() -> None:
    with pytest.raises(UserError, match='must come before'):
        Sent(
            [ask(SystemPromptPart('A'), 'a')],
            {'bedrock_cache_instructions': True, 'bedrock_cache_messages': '1h'},
        )


def test_no_cache_points_are_sent_to_models_that_cannot_cache() -> None:
    settings = {'bedrock_cache_instructions': True, 'bedrock_cache_messages': True}
    sent = Sent([ask(SystemPromptPart('A'), ['a', CachePoint()])], settings, name=LLAMA)
    assert 'cachePoint' not in repr(sent.body)
    assert len(sent.warnings) == 3
    nova = Sent([ask('a')], {'bedrock_cache_tool_definitions': True}, name=NOVA, function_tools=[WEATHER])
    assert 'cachePoint' not in repr(nova.body)
    assert 'bedrock_cache_tool_definitions' in nova.warnings[0]
