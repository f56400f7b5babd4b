"""Gemini requests: contents, system instructions, files, past responses."""

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
from tests.models.gemini_contents import (
    FLASH,
    OLD,
    PIXEL,
    PIXEL_DATA,
    PLACEHOLDER,
    Json,
    Sent,
    ask,
    gemini,
    say,
    tool_call,
    tool_result,
)

INLINE: Json = {'inlineData': {'mimeType': 'image/png', 'data': PIXEL_DATA}}
CALL = ToolCallPart('weather', {'city': 'Rome'}, 'c1')

# ---------------------------------------------------------------------- contents


def test_all_system_prompts_and_instructions_are_one_system_instruction() -> None:
    history = [
        ask(SystemPromptPart('A'), 'hi'),
        say(TextPart('yes')),
        ask('more', SystemPromptPart('B'), instructions='C'),
    ]
    sent = Sent(history)
    assert sent.body['systemInstruction'] == {'parts': [{'text': 'A'}, {'text': 'B'}, {'text': 'C'}]}
    assert sent.turns == [('user', 'hi'), ('model', 'yes'), ('user', 'more')]
    assert 'systemInstruction' not in Sent([ask('hi')]).body


@pytest.mark.parametrize('name', ['gemma-3-27b-it', 'gemini-2.5-flash-preview-tts'])
def test_a_model_without_system_instructions_gets_them_before_the_prompt(name: str) -> None:
    sent = Sent([ask(SystemPromptPart('A'), 'hi', instructions='B')], name=name)
    assert (sent.turns, 'systemInstruction' in sent.body) == ([('user', 'A', 'B', 'hi')], False)
    assert Sent([say(TextPart('x')), ask('hi', instructions='B')], name=name).turns[0] == ('user', 'B')


def test_the_first_content_is_the_users() -> None:
    assert Sent([say(TextPart('hello')), ask('hi')]).turns == [('user', '.'), ('model', 'hello'), ('user', 'hi')]
    assert Sent([ask(SystemPromptPart('A'))]).turns == [('user', '.')]


def test_tool_results_have_a_content_of_their_own_before_the_prompt() -> None:
    results = ['And now?', ToolReturnPart('weather', 'rain', 'c1')]
    assert Sent([ask('hi'), say(CALL), ask(*results)]).turns[2:] == [
        ('user', tool_result({'return_value': 'rain'})),
        ('user', 'And now?'),
    ]


@pytest.mark.parametrize(
    ('content', 'response'),
    [
        ('', {'return_value': ''}),
        (None, {}),
        ([], {'return_value': []}),
        (3, {'return_value': 3}),
        ({'a': [1]}, {'a': [1]}),
        (['a', {'b': 1}], {'return_value': ['a', {'b': 1}]}),
    ],
)
def test_a_tool_result_is_an_object(content: Any, response: Json) -> None:
    sent = Sent([ask('hi'), say(CALL), ask(ToolReturnPart('weather', content, 'c1'))])
    assert sent.turns[2] == ('user', tool_result(response))


@pytest.mark.parametrize(
    ('outcome', 'key'),
    [('success', 'return_value'), ('denied', 'return_value'), ('failed', 'error'), ('interrupted', 'error')],
)
def test_a_failed_tool_call_is_an_error_and_a_denied_one_a_result(outcome: Any, key: str) -> None:
    sent = Sent([ask('hi'), say(CALL), ask(ToolReturnPart('weather', 'x', 'c1', outcome=outcome))])
    assert sent.turns[2] == ('user', tool_result({key: 'x'}))


def test_a_retry_is_an_error_of_its_function_or_a_prompt() -> None:
    retry = RetryPromptPart('No.', tool_name='weather', tool_call_id='c1')
    turns = Sent([ask('hi'), say(CALL), ask(retry, RetryPromptPart('Be brief.'))]).turns
    assert turns[2] == ('user', tool_result({'error': 'No.\n\nCorrect this and try again.'}))
    assert turns[3] == ('user', 'Be brief.\n\nCorrect this and try again.')


FILES = [PIXEL, BinaryContent(b'mp3', media_type='audio/mpeg', identifier='song')]


def test_files_of_a_tool_are_in_its_result_if_the_model_accepts_their_type() -> None:
    turns = Sent([ask('hi'), say(CALL), ask(ToolReturnPart('weather', ['see', *FILES], 'c1'), 'so?')]).turns
    assert turns[2:] == [
        ('user', tool_result({'output': [{'return_value': 'see'}, 'See file song.']}, parts=[INLINE])),
        ('user', 'This is file song:', {'inlineData': {'mimeType': 'audio/mpeg', 'data': 'bXAz'}}, 'so?'),
    ]


def test_older_models_get_files_of_a_tool_after_its_result() -> None:
    pixel = BinaryContent(PIXEL.data, media_type='image/png', identifier='dot')
    turns = Sent([ask('hi'), say(CALL), ask(ToolReturnPart('weather', pixel, 'c1'))], name=OLD).turns
    assert turns[2:] == [('user', tool_result({'output': ['See file dot.']})), ('user', 'This is file dot:', INLINE)]
    failed = ToolReturnPart('weather', ['broken', pixel], 'c1', outcome='failed')
    assert Sent([ask('hi'), say(CALL), ask(failed)], name=OLD).turns[2:] == [
        ('user', tool_result({'error': 'broken'})),
        ('user', 'This is file dot:', INLINE),
    ]


# ---------------------------------------------------------------------- files and texts


@pytest.mark.parametrize(
    ('item', 'part'),
    [
        (PIXEL, INLINE),
        (TextContent('b', metadata=1), 'b'),
        (ImageUrl('https://x.org/a.png'), {'fileData': {'fileUri': 'https://x.org/a.png', 'mimeType': 'image/png'}}),
        (ImageUrl('https://x.org/a'), {'fileData': {'fileUri': 'https://x.org/a', 'mimeType': 'image/jpeg'}}),
        (AudioUrl('https://x.org/a'), {'fileData': {'fileUri': 'https://x.org/a', 'mimeType': 'audio/mpeg'}}),
        (DocumentUrl('https://x.org/a'), {'fileData': {'fileUri': 'https://x.org/a', 'mimeType': 'application/pdf'}}),
        (VideoUrl('https://youtu.be/x'), {'fileData': {'fileUri': 'https://youtu.be/x', 'mimeType': 'video/mp4'}}),
        (ImageUrl('data:image/png;base64,cG5n//4='), INLINE),
    ],
    ids=repr,
)
@pytest.mark.parametrize('vertex', [False, True])
def test_files_are_parts(item: Any, part: Any, vertex: bool) -> None:
    assert Sent([ask(['a', item, CachePoint()])], vertex=vertex).turns == [('user', 'a', part)]


GLA_FILE = 'https://generativelanguage.googleapis.com/v1beta/files/abc'


@pytest.mark.parametrize(
    ('file', 'vertex', 'data'),
    [
        (
            UploadedFile(GLA_FILE, 'google-gla', media_type='text/csv'),
            False,
            {'fileUri': GLA_FILE, 'mimeType': 'text/csv'},
        ),
        (UploadedFile('files/abc', 'google'), False, {'fileUri': GLA_FILE}),
        (UploadedFile('gs://b/a.pdf', 'google-vertex'), True, {'fileUri': 'gs://b/a.pdf'}),
        (UploadedFile('gs://b/a.pdf', 'google-cloud'), True, {'fileUri': 'gs://b/a.pdf'}),
    ],
)
def test_files_stored_at_google_are_sent_by_url(file: UploadedFile, vertex: bool, data: Json) -> None:
    assert Sent([ask([file])], vertex=vertex).turns == [('user', {'fileData': data})]


@pytest.mark.parametrize(
    ('file', 'vertex', 'message'),
    [
        (UploadedFile('file-1', 'openai'), False, 'another vendor holds it'),
        (UploadedFile(GLA_FILE, 'google-gla'), True, 'another vendor holds it'),
        (UploadedFile('gs://b/a', 'google-vertex'), False, 'another vendor holds it'),
        (UploadedFile('abc', 'google-gla'), False, "begins with 'https://'"),
        (UploadedFile(GLA_FILE, 'google-vertex'), True, "begins with 'gs://'"),
        (ImageUrl('data:image/png;base64,no base64'), False, 'not a valid data URI'),
        (ImageUrl('data:,x'), False, 'not a valid data URI'),
    ],
)
def test_a_file_that_the_api_cannot_read_is_an_error_before_anything_is_sent(
    file: Any, vertex: bool, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        Sent([ask(['a', file])], vertex=vertex)


def test_the_metadata_of_a_file_is_sent() -> None:
    metadata = {
        'start_offset': '1s',
        'endOffset': '2s',
        'fps': 5,
        'media_resolution': 'MEDIA_RESOLUTION_LOW',
        'detail': 'x',
    }
    [(_, part)] = Sent([ask([VideoUrl('https://youtu.be/x', vendor_metadata=metadata)])]).turns
    assert part['videoMetadata'] == {'startOffset': '1s', 'endOffset': '2s', 'fps': 5}
    assert part['mediaResolution'] == {'level': 'MEDIA_RESOLUTION_LOW'}
    level = {'level': 'MEDIA_RESOLUTION_HIGH'}
    file = BinaryContent(b'x', media_type='image/png', vendor_metadata={'mediaResolution': level})
    [(_, part)] = Sent([ask([file])]).turns
    assert (part['mediaResolution'], 'videoMetadata' in part) == (level, False)


@pytest.mark.parametrize(
    ('url', 'downloaded'),
    [
        (ImageUrl('https://x.org/a.png'), True),
        (VideoUrl('https://x.org/a.mp4'), True),
        (VideoUrl('https://www.youtube.com/watch?v=x'), False),
        (VideoUrl('https://youtu.be/x'), False),
        (DocumentUrl('https://youtube.com.evil.org/x'), True),
        (DocumentUrl(GLA_FILE), False),
        (DocumentUrl('gs://bucket/a.pdf'), False),
        (ImageUrl('data:image/png;base64,AAAA'), False),
    ],
)
def test_files_that_the_api_cannot_fetch_are_downloaded_and_vertex_fetches_all(url: Any, downloaded: bool) -> None:
    assert gemini().must_download(url) is downloaded
    assert not gemini(vertex=True).must_download(url)


# ---------------------------------------------------------------------- past responses


def test_a_signature_is_sent_back_on_its_part() -> None:
    signature: Json = {'provider_details': {'thought_signature': 'a+b/'}}
    parts = [
        ThinkingPart('hm', **signature),
        ThinkingPart('', **signature),
        TextPart('so'),
        TextPart('', **signature),
        ToolCallPart('weather', {}, 'c1', **signature),
        FilePart(PIXEL, **signature),
    ]
    sent = Sent([ask('hi'), say(*parts), ask(ToolReturnPart('weather', 'x', 'c1'))])
    assert sent.turns[1] == (
        'model',
        {'text': 'hm', 'thought': True, 'thoughtSignature': 'a-b_'},
        {'text': '', 'thought': True, 'thoughtSignature': 'a-b_'},
        'so',
        {'text': '', 'thoughtSignature': 'a-b_'},
        tool_call(signature='a-b_'),
        {**INLINE, 'thoughtSignature': 'a-b_'},
    )
    assert sent.warnings == []


def test_the_signature_of_thinking_is_sent_on_the_next_part() -> None:
    parts = [ThinkingPart('hm', signature='c2ln'), TextPart('so'), TextPart('then')]
    assert Sent([ask('hi'), say(*parts), ask('go on')]).turns[1] == (
        'model',
        {'text': 'hm', 'thought': True},
        {'text': 'so', 'thoughtSignature': 'c2ln'},
        'then',
    )


@pytest.mark.parametrize('provider', ['openai', 'google-vertex', 'google-cloud', None])
def test_signatures_of_other_vendors_are_not_sent(provider: Any) -> None:
    signature: Json = {'provider_details': {'thought_signature': 'secret'}}
    parts = [
        ThinkingPart('hm', signature='secret'),
        TextPart('so', **signature),
        ToolCallPart('weather', {}, 'c1', **signature),
    ]
    sent = Sent([ask('hi'), say(*parts, name=provider), ask(ToolReturnPart('weather', 'x', 'c1'))])
    assert 'secret' not in str(sent.body)
    assert sent.turns[1] == ('model', {'text': 'hm', 'thought': True}, 'so', tool_call(signature=PLACEHOLDER))


@pytest.mark.parametrize(
    ('provider', 'vertex'), [('google', False), ('google-gla', False), ('google-vertex', True), ('google-cloud', True)]
)
def test_the_names_of_an_api_in_other_libraries_are_known(provider: str, vertex: bool) -> None:
    part = TextPart('so', provider_details={'thought_signature': 'sig='})
    sent = Sent([ask('hi'), say(part, name=provider), ask('go on')], vertex=vertex)
    assert sent.turns[1] == ('model', {'text': 'so', 'thoughtSignature': 'sig='})


def test_only_the_first_call_of_a_turn_needs_a_signature() -> None:
    calls = [ToolCallPart('weather', '{"city": "Rome"}', 'c1'), ToolCallPart('weather', None, 'c2')]
    results = [ToolReturnPart('weather', 'x', 'c1'), ToolReturnPart('weather', 'y', 'c2')]
    sent = Sent([ask('hi'), ModelResponse(calls), ask(*results)])
    assert sent.turns[1] == ('model', tool_call(signature=PLACEHOLDER, city='Rome'), tool_call(id='c2'))


def test_arguments_that_are_not_an_object_are_sent_inside_one() -> None:
    retry = RetryPromptPart('Not JSON.', tool_name='weather', tool_call_id='c1')
    turns = Sent([ask('hi'), say(ToolCallPart('weather', '{"city": ', 'c1')), ask(retry)]).turns
    assert turns[1] == ('model', tool_call(signature=PLACEHOLDER, invalid_json='{"city": '))


WEB: Json = {'provider_details': {'tool_type': 'GOOGLE_SEARCH_WEB'}}
SEARCH_PARTS = [
    NativeToolCallPart('web_search', {'queries': ['q']}, 's1', **WEB),
    NativeToolReturnPart('web_search', {'a': 1}, 's1', **WEB),
]
CODE_PARTS = [
    NativeToolCallPart('code_execution', {'code': '1', 'language': 'PYTHON'}, 'x'),
    NativeToolReturnPart('code_execution', {'outcome': 'OUTCOME_OK'}, 'x'),
]
SEARCH_BLOCKS = [
    {'toolCall': {'toolType': 'GOOGLE_SEARCH_WEB', 'args': {'queries': ['q']}, 'id': 's1'}},
    {'toolResponse': {'toolType': 'GOOGLE_SEARCH_WEB', 'response': {'a': 1}, 'id': 's1'}},
]
CODE_BLOCKS = [
    {'executableCode': {'code': '1', 'language': 'PYTHON'}},
    {'codeExecutionResult': {'outcome': 'OUTCOME_OK'}},
]


@pytest.mark.parametrize(
    ('name', 'vertex', 'provider', 'blocks', 'notes'),
    [
        (FLASH, False, 'google-gla', [*SEARCH_BLOCKS, *CODE_BLOCKS], 0),
        (FLASH, False, 'google', [*SEARCH_BLOCKS, *CODE_BLOCKS], 0),
        (OLD, False, 'google-gla', CODE_BLOCKS, 1),
        (FLASH, True, 'google-vertex', CODE_BLOCKS, 1),
        (FLASH, True, 'google-gla', CODE_BLOCKS, 1),
        (FLASH, False, 'google-vertex', CODE_BLOCKS, 1),
        (FLASH, False, 'openai', [], 2),
    ],
)
def test_the_work_of_googles_own_tools_is_sent_back_if_the_api_accepts_it(
    name: str, vertex: bool, provider: str, blocks: list[Json], notes: int
) -> None:
    sent = Sent(
        [ask('hi'), say(*SEARCH_PARTS, *CODE_PARTS, TextPart('so'), name=provider), ask('go on')],
        name=name,
        vertex=vertex,
    )
    assert sent.turns[1] == ('model', *blocks, 'so')
    assert len(sent.warnings) == notes


def test_parts_made_from_metadata_are_not_sent_back() -> None:
    own: Json = {'provider_details': {'source': 'grounding_metadata'}}
    from_metadata = [
        NativeToolCallPart('web_search', {'queries': ['q']}, 'web_search_0', **own),
        NativeToolReturnPart('web_search', [], 'web_search_0', **own),
        NativeToolCallPart('web_fetch', {}, 'pyd_ai_1'),
        NativeToolReturnPart('web_fetch', [], 'pyd_ai_1'),
    ]
    assert Sent([ask('hi'), say(*from_metadata, TextPart('so')), ask('go on')]).turns[1] == ('model', 'so')


def test_a_tool_in_a_history_of_another_library_is_known_by_our_name() -> None:
    stored = [
        NativeToolCallPart('web_search', {'queries': ['q']}, 's1'),
        NativeToolReturnPart('web_search', {'a': 1}, 's1'),
    ]
    assert Sent([ask('hi'), say(*stored, name='google'), ask('go on')]).turns[1] == ('model', *SEARCH_BLOCKS)


def test_files_of_other_vendors_are_sent_if_they_are_images() -> None:
    parts = [FilePart(PIXEL), FilePart(BinaryContent(b'x', media_type='audio/wav')), TextPart('so')]
    sent = Sent([ask('hi'), say(*parts, name='openai'), ask('go on')])
    assert sent.turns[1] == ('model', INLINE, 'so')
    assert sent.warnings == [
        "dropped, since the API of 'google-gla' cannot represent it in a past response: a file that 'openai' made"
    ]
