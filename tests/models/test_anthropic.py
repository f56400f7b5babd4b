"""The requests of the Messages room: turns, content, past responses, caching."""

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
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    VideoUrl,
)
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.profiles.anthropic import anthropic_model_profile
from tests.models.anthropic_messages import (
    MIDDLE,
    PIXEL,
    SONNET,
    TIME,
    WEATHER,
    Json,
    Sent,
    ask,
    cached,
    say,
    text,
    tool_call,
    tool_result,
)

pytestmark = pytest.mark.filterwarnings('ignore:TypedDict class:UserWarning')


# ---------------------------------------------------------------------- turns


def test_system_prompts_are_one_text_and_instructions_a_block_behind_it() -> None:
    prompts = [SystemPromptPart('A'), SystemPromptPart('B'), SystemPromptPart('')]
    assert Sent([ask(*prompts, 'hi')]).body['system'] == 'A\n\nB'
    assert Sent([ask(*prompts, 'hi', instructions='C')]).body['system'] == [text('A\n\nB'), text('C')]
    assert 'system' not in Sent([ask('hi')]).body


def test_a_system_prompt_inside_a_conversation_follows_its_turn_for_models_that_support_it() -> None:
    sent = Sent(MIDDLE, name='claude-opus-4-8')
    assert sent.body['system'] == 'First.'
    assert sent.turns == [
        ('user', 'a'),
        ('assistant', 'b'),
        ('user', 'c'),
        ('system', 'Later.'),
        ('assistant', 'd'),
        ('user', 'e'),
    ]


def test_for_other_models_all_system_prompts_come_first() -> None:
    sent = Sent(MIDDLE)
    assert (sent.body['system'], len(sent.turns)) == ('First.\n\nLater.', 5)


def test_tool_results_come_before_the_content_of_the_user() -> None:
    calls = [ToolCallPart('weather', '{"city": "Rome"}', 'a'), ToolCallPart('weather', None, 'b')]
    results = [
        'And now?',
        ToolReturnPart('weather', 'rain', 'b'),
        RetryPromptPart('No.', tool_name='weather', tool_call_id='a'),
    ]
    sent = Sent([ask('hi'), say(*calls), ask(*results)], function_tools=[WEATHER])
    assert sent.turns[1] == ('assistant', tool_call('a', city='Rome'), tool_call('b'))
    by_id = {block['tool_use_id']: block for block in sent.turns[2][1:3]}
    assert by_id == {
        'b': tool_result('b', 'rain'),
        'a': tool_result('a', 'No.\n\nCorrect this and try again.', is_error=True),
    }
    assert sent.turns[2][3] == 'And now?'


@pytest.mark.parametrize(
    ('outcome', 'is_error'), [('success', False), ('denied', False), ('failed', True), ('interrupted', True)]
)
def test_a_failed_tool_call_is_an_error_and_a_denied_one_is_not(outcome: Any, is_error: bool) -> None:
    result = ToolReturnPart('weather', 'x', 'a', outcome=outcome)
    assert Sent([ask('hi'), say(ToolCallPart('weather', {}, 'a')), ask(result)]).turns[2][1] == tool_result(
        'a', 'x', is_error=is_error
    )


@pytest.mark.parametrize(
    ('content', 'texts'),
    [
        ('', []),
        ([], []),
        (['', 'a'], ['a']),
        (None, ['null']),
        (3, ['3']),
        ({'b': [1]}, ['{"b":[1]}']),
        (['a', {'b': 1}], ['a', '{"b":1}']),
    ],
)
def test_a_tool_result_has_a_block_for_each_item_that_is_not_empty(content: Any, texts: list[str]) -> None:
    result = ToolReturnPart('weather', content, 'a')
    assert Sent([ask('hi'), say(ToolCallPart('weather', {}, 'a')), ask(result)]).turns[2][1] == tool_result('a', *texts)


def test_a_tool_can_return_files() -> None:
    result = ToolReturnPart(
        'weather', ['see', PIXEL, DocumentUrl('https://x.org/a.pdf'), UploadedFile('f', 'anthropic')], 'a'
    )
    sent = Sent([ask('hi'), say(ToolCallPart('weather', {}, 'a')), ask(result)])
    assert [block['type'] for block in sent.turns[2][1]['content']] == ['text', 'image', 'document', 'document']
    assert sent.betas == ['files-api-2025-04-14']


def test_ids_of_other_vendors_are_replaced_if_anthropic_rejects_them() -> None:
    calls = [ToolCallPart('weather', {}, 'call|1.2'), ToolCallPart('weather', {}, 'fine_1')]
    results = [ToolReturnPart('weather', 'a', 'call|1.2'), ToolReturnPart('weather', 'b', 'fine_1')]
    turns = Sent([ask('hi'), say(*calls), ask(*results)]).turns
    assert [block['id'] for block in turns[1][1:]] == ['toolu_0', 'fine_1']
    assert [block['tool_use_id'] for block in turns[2][1:]] == ['toolu_0', 'fine_1']


def test_arguments_that_are_not_an_object_are_sent_inside_one() -> None:
    retry = RetryPromptPart('Not JSON.', tool_name='weather', tool_call_id='a')
    turns = Sent([ask('hi'), say(ToolCallPart('weather', '{"city": ', 'a')), ask(retry)]).turns
    assert turns[1] == ('assistant', tool_call('a', invalid_json='{"city": '))


def test_a_request_without_content_of_the_user_is_rejected() -> None:
    with pytest.raises(UserError, match='no content of the user'):
        Sent([ask('')])


# ---------------------------------------------------------------------- content


@pytest.mark.parametrize(
    ('item', 'block'),
    [
        (ImageUrl('https://x.org/a.png'), {'type': 'image', 'source': {'type': 'url', 'url': 'https://x.org/a.png'}}),
        (PIXEL, {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': 'cG5n'}}),
        (
            ImageUrl('data:image/png;base64,cG5n'),
            {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': 'cG5n'}},
        ),
        (
            BinaryContent(
                b'pdf', media_type='application/pdf', vendor_metadata={'title': 'T', 'citations': {'enabled': True}}
            ),
            {
                'type': 'document',
                'source': {'type': 'base64', 'media_type': 'application/pdf', 'data': 'cGRm'},
                'title': 'T',
                'citations': {'enabled': True},
            },
        ),
        (
            DocumentUrl('https://x.org/a.pdf'),
            {'type': 'document', 'source': {'type': 'url', 'url': 'https://x.org/a.pdf'}},
        ),
        (
            BinaryContent('ä,b'.encode(), media_type='text/csv'),
            {'type': 'document', 'source': {'type': 'text', 'media_type': 'text/plain', 'data': 'ä,b'}},
        ),
        (UploadedFile('f', 'anthropic'), {'type': 'document', 'source': {'type': 'file', 'file_id': 'f'}}),
        (
            UploadedFile('f', 'anthropic', media_type='image/png'),
            {'type': 'image', 'source': {'type': 'file', 'file_id': 'f'}},
        ),
        (
            UploadedFile('f', 'anthropic', vendor_metadata={'container_upload': True}),
            {'type': 'container_upload', 'file_id': 'f'},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_files_are_blocks(item: Any, block: Json) -> None:
    assert Sent([ask(['a', item])]).turns == [('user', 'a', block)]


@pytest.mark.parametrize(
    'item',
    [
        AudioUrl('https://x.org/a.mp3'),
        VideoUrl('https://x.org/a.mp4'),
        DocumentUrl('https://x.org/a.docx'),
        BinaryContent(b'x', media_type='image/tiff'),
        BinaryContent(b'x', media_type='audio/wav'),
        UploadedFile('f', 'openai'),
    ],
    ids=repr,
)
def test_a_file_that_the_api_does_not_accept_is_rejected_before_anything_is_sent(item: Any) -> None:
    with pytest.raises(UserError, match="'anthropic' cannot take"):
        Sent([ask(['a', item])])


def test_text_is_downloaded_and_pdf_and_images_are_not() -> None:
    model = AnthropicModel(SONNET, api_key='k')
    urls = {'a.pdf': False, 'a.docx': False, 'a.txt': True, 'a.csv': True, 'a': True}
    assert {name: model.must_download(DocumentUrl(f'https://x.org/{name}')) for name in urls} == urls
    assert not model.must_download(ImageUrl('https://x.org/a'))
    assert not model.must_download(DocumentUrl('data:text/plain;base64,eA=='))


# ---------------------------------------------------------------------- past responses


def test_signed_thinking_is_sent_back_and_that_of_other_vendors_as_text() -> None:
    parts = [
        ThinkingPart('mine', signature='s', provider_name='anthropic'),
        ThinkingPart('', signature='hidden', provider_name='anthropic'),
        ThinkingPart('', id='redacted_thinking', signature='data', provider_name='anthropic'),
        ThinkingPart('unsigned', provider_name='anthropic', signature=''),
        ThinkingPart('theirs', signature='s', provider_name='openai'),
        ThinkingPart('', signature='s', provider_name='openai'),
        TextPart(''),
    ]
    sent = Sent([ask('hi'), say(*parts), ask('go on')])
    assert sent.turns[1] == (
        'assistant',
        {'type': 'thinking', 'thinking': 'mine', 'signature': 's'},
        {'type': 'thinking', 'thinking': '', 'signature': 'hidden'},
        {'type': 'redacted_thinking', 'data': 'data'},
        '<thinking>\nunsigned\n</thinking>',
        '<thinking>\ntheirs\n</thinking>',
    )
    assert sent.warnings == [
        'thinking without a signature of this vendor was sent as text between tags',
        'encrypted thinking of another vendor was dropped',
    ]


def test_parts_that_the_api_has_no_block_for_are_dropped_and_listed_once() -> None:
    theirs: list[Any] = [
        NativeToolCallPart('web_search', {}, 'x', provider_name='openai'),
        NativeToolReturnPart('web_search', [], 'x', provider_name='openai'),
    ]
    sent = Sent([ask('hi'), ModelResponse([*theirs, FilePart(PIXEL), TextPart('done')]), ask('go on')])
    assert sent.turns[1] == ('assistant', 'done')
    assert [warning.partition(' ')[0] for warning in sent.warnings] == ['what', 'a']


def test_citations_of_other_vendors_are_not_sent() -> None:
    cited = TextPart('said', provider_name='other', provider_details={'citations': [{'url': 'x'}]})
    assert Sent([ask('hi'), say(cited), ask('go on')]).turns[1] == ('assistant', 'said')


SEARCH = NativeToolCallPart('web_search', {'query': 'q'}, 's', provider_name='anthropic')
FOUND = NativeToolReturnPart('web_search', [], 's', provider_name='anthropic')


def test_a_call_of_a_native_tool_is_sent_back_only_if_it_has_or_may_get_a_result() -> None:
    own_call, result = ToolCallPart('weather', {}, 'a'), ToolReturnPart('weather', 'x', 'a')

    def kinds(*messages: Any) -> list[str]:
        return [
            block if isinstance(block, str) else block['type']
            for _, *blocks in Sent(list(messages)).turns
            for block in blocks
        ]

    assert kinds(ask('hi'), say(SEARCH, FOUND)) == ['hi', 'server_tool_use', 'web_search_tool_result']
    assert kinds(ask('hi'), say(SEARCH)) == ['hi', 'server_tool_use']
    assert kinds(ask('hi'), say(SEARCH, own_call), ask(result)) == ['hi', 'server_tool_use', 'tool_use', 'tool_result']
    assert kinds(ask('hi'), say(SEARCH, own_call), ask(result, 'and?')) == ['hi', 'tool_use', 'tool_result', 'and?']
    later = [ask('hi'), say(SEARCH, own_call), ask(result), say(FOUND, TextPart('so')), ask('and?')]
    assert kinds(*later) == ['hi', 'server_tool_use', 'tool_use', 'tool_result', 'web_search_tool_result', 'so', 'and?']


# ---------------------------------------------------------------------- caching


def marks(body: Json) -> list[str]:
    """Return the text, name or type of every block with a mark."""
    blocks = [
        *body.get('tools', ()),
        *body.get('system', ()),
        *(block for message in body['messages'] for block in message['content']),
    ]
    found = [block.get('text') or block.get('name') or block['type'] for block in blocks if 'cache_control' in block]
    return [*found, *(['everything'] if 'cache_control' in body else [])]


def test_a_cache_point_marks_the_block_before_it() -> None:
    assert Sent([ask(['a', CachePoint(ttl='1h'), 'b'])]).turns == [('user', text('a', **cached('1h')), 'b')]


def test_a_cache_point_at_the_start_of_a_turn_marks_the_end_of_the_last_turn_but_not_thinking() -> None:
    thinking = ThinkingPart('t', signature='s', provider_name='anthropic')
    sent = Sent([ask('a'), say(TextPart('b'), thinking), ask([CachePoint(), 'c'])])
    assert marks(sent.body) == ['b']
    with_result = [
        ask('a'),
        say(ToolCallPart('weather', {}, 'x')),
        ask(ToolReturnPart('weather', 'y', 'x'), [CachePoint(), 'c']),
    ]
    assert marks(Sent(with_result).body) == ['tool_result']


def test_a_cache_point_with_nothing_before_it_is_rejected() -> None:
    with pytest.raises(UserError, match=r'CachePoint\(\) has nothing before it'):
        Sent([ask([CachePoint(), 'a'])])


def test_settings_mark_the_tools_the_system_prompt_and_the_last_message() -> None:
    settings = {
        'anthropic_cache_tool_definitions': True,
        'anthropic_cache_instructions': '5m',
        'anthropic_cache_messages': '5m',
    }
    sent = Sent([ask(SystemPromptPart('system'), 'hi')], settings, function_tools=[TIME, WEATHER])
    assert marks(sent.body) == ['weather', 'system', 'hi']
    assert sent.body['system'] == [text('system', **cached())]
    assert Sent([ask('hi')], {'anthropic_cache': '1h'}).body['cache_control'] == cached('1h')['cache_control']


def test_of_more_than_four_marks_the_oldest_of_the_messages_are_removed() -> None:
    prompt = [item for letter in 'abcdef' for item in (letter, CachePoint())]
    assert marks(Sent([ask(prompt)]).body) == ['c', 'd', 'e', 'f']
    settings = {'anthropic_cache_instructions': True, 'anthropic_cache': True}
    assert marks(Sent([ask(prompt, instructions='i')], settings).body) == ['i', 'e', 'f', 'everything']


def test_a_longer_cache_must_come_before_a_shorter_one() -> None:
    with pytest.raises(UserError, match="for '1h' must come before"):
        Sent([ask(['a', CachePoint(), 'b', CachePoint(ttl='1h')])])
    with pytest.raises(UserError, match='set one of them'):
        Sent([ask('a')], {'anthropic_cache': True, 'anthropic_cache_messages': True})


# ---------------------------------------------------------------------- profiles


@pytest.mark.parametrize(
    ('name', 'known_name'),
    [
        ('us.anthropic.claude-sonnet-4-5-20250929-v1:0', SONNET),
        ('anthropic/claude-sonnet-4.5', SONNET),
        ('claude-sonnet-4-5@20250929', SONNET),
        ('claude-opus-4-20250514', 'claude-opus-4-0'),
        ('claude-fable-5-20260101', 'claude-fable-5'),
    ],
)
def test_a_model_is_recognised_by_any_spelling(name: str, known_name: str) -> None:
    assert anthropic_model_profile(name) == anthropic_model_profile(known_name)


def test_a_profile_can_be_given() -> None:
    model = AnthropicModel(
        'my-model', api_key='k', profile={'anthropic_max_tokens': 5000, 'anthropic_default_max_tokens': 99}
    )
    assert model.encode(model.prepare([ask('hi')]))['max_tokens'] == 99
