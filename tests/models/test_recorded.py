"""Recordings: what was recorded replays the same without the model, and a recording holds no secrets."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm import Agent
from pydantic_llm.agent import AgentModel
from pydantic_llm.exceptions import (
    ContentFilterHTTPError,
    FallbackExceptionGroup,
    LLMError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    RateLimitError,
    RejectedResponseError,
    RequestNotRecordedError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from pydantic_llm.messages import (
    BinaryContent,
    CompactionPart,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolReturnPart,
    PartDeltaEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_llm.models import Model, ModelRequestParameters, StreamedResponse, override_allow_model_requests
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.recorded import RecordingModel, ReplayModel
from pydantic_llm.models.recorded.errors import decode_error, encode_error
from pydantic_llm.models.router import RouterModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import Fault, LocalServer, create_app
from pydantic_llm.settings import ModelSettings
from pydantic_llm.usage import RequestUsage
from tests.faults.vendors import KEY, SECRET, VENDORS, Vendor
from tests.models.scripted import Scripted, overloaded, unreachable

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello')]


def read(path: Path) -> str:
    return path.read_text(encoding='utf-8')


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = read(path)
    for old, new in changes:
        text = text.replace(old, new)
    path.write_text(text, encoding='utf-8')


def ask(text: str) -> list[ModelMessage]:
    return [ModelRequest.user_text_prompt(text)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'recordings' / 'test.json'


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call the tool, then repeat its result with the key, as a careless server does."""
    last = messages[-1].parts[-1]
    if isinstance(last, UserPromptPart) and info.function_tools:
        return ModelResponse([ToolCallPart('look', '{"city": "Oslo"}')], finish_reason='tool_call')
    return ModelResponse([TextPart(f'It is cold, with the key {KEY}.')], finish_reason='stop')


def look(city: str) -> str:
    """Look at a city."""
    return f'Cold in {city}.'


async def run(model: Model, prompt: str = 'Hello') -> list[Any]:
    """Run an agent with a tool, and return what it did."""
    agent = Agent(model, tools=[look])
    whole = await agent.run(prompt)
    async with agent.run_stream(f'{prompt} again') as streamed:
        pieces = [piece async for piece in streamed.stream_text(delta=True, debounce_by=None)]
    return [
        *(facts_of(message) for message in [*whole.all_messages(), *streamed.all_messages()]),
        whole.output,
        pieces,
        whole.usage(),
    ]


def facts_of(message: ModelMessage) -> Any:
    """Return a message without the times and ids of its run."""
    if isinstance(message, ModelResponse):
        return replace(message, run_id=None, conversation_id=None)
    return [(type(part).__name__, part.content, getattr(part, 'tool_call_id', None)) for part in message.parts]


# ---------------------------------------------------------------------- every kind of model


@pytest.fixture(scope='module')
def url() -> Iterator[str]:
    with LocalServer(create_app(FunctionModel(respond))) as url:
        yield url


@pytest.mark.parametrize('vendor', VENDORS, ids=repr)
async def test_a_recorded_run_replays_the_same_and_its_file_has_no_key(vendor: Vendor, url: str, path: Path) -> None:
    model = vendor.make(url)
    recorded = await run(RecordingModel(model, path))
    await model.aclose()
    text = read(path)
    assert KEY not in text
    assert SECRET not in text
    assert '"wire"' in text
    with override_allow_model_requests(allow_model_requests=False):
        replayed = await run(ReplayModel(path))
    assert ids_in(replayed) == ids_in(recorded)
    assert replayed[-3] == recorded[-3].replace(KEY, '[key]') == 'It is cold, with the key [key].'
    assert replayed[-1] == recorded[-1]


def ids_in(run: list[Any]) -> list[str]:
    return [call.tool_call_id for message in run if isinstance(message, ModelResponse) for call in message.tool_calls]


async def stream_words(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
    for word in ('It ', 'is ', 'cold.'):
        yield word


def make_function_model() -> Model:
    return FunctionModel(lambda messages, info: ModelResponse([TextPart('Hi')]), stream_function=stream_words)


MODELS: dict[str, Any] = {
    'test': TestModel,
    'function': make_function_model,
    'fallback': lambda: FallbackModel(Scripted('broken', [unreachable()]), TestModel()),
    'mid-stream fallback': lambda: FallbackModel(
        Scripted('broken', ['Well, ', overloaded()]), TestModel(), mid_stream='restart'
    ),
    'router': lambda: RouterModel([TestModel(), FunctionModel(respond)]),
    'agent': lambda: AgentModel(Agent(TestModel(custom_output_text='From inside'), name='inner')),
    'thinking': lambda: Scripted('thinks', [('think', 'Hm.'), 'Hello ', 'there']),
}


@pytest.mark.parametrize('name', MODELS)
async def test_a_recorded_model_replays_its_runs_to_the_last_field(name: str, path: Path) -> None:
    recorded = await run(RecordingModel(MODELS[name](), path))
    assert await run(ReplayModel(path)) == recorded


async def test_a_stream_replays_event_by_event(path: Path) -> None:
    async def watch(model: Model) -> tuple[list[Any], ModelResponse, RequestUsage]:
        async with model.request_stream(HELLO) as stream:
            return [event async for event in stream], stream.get(), stream.usage()

    recorded = await watch(RecordingModel(make_function_model(), path))
    assert await watch(ReplayModel(path)) == recorded
    assert len([event for event in recorded[0] if isinstance(event, PartDeltaEvent)]) == 2


async def test_a_recorded_stream_responds_to_a_whole_request_and_the_reverse(path: Path) -> None:
    model = RecordingModel(make_function_model(), path)
    async with model.request_stream(ask('stream')) as stream:
        async for _ in stream:
            pass
    await model.request(ask('whole'))
    replay = ReplayModel(path)
    assert (await replay.request(ask('stream'))).text == 'It is cold.'
    async with replay.request_stream(ask('whole')) as stream:
        events = [event.event_kind async for event in stream]
    assert (events, stream.get().text) == (['part_start', 'final_result', 'part_end'], 'Hi')


async def test_a_stream_that_is_left_early_is_recorded_as_far_as_it_was_read(path: Path) -> None:
    async def read_two(model: Model) -> list[Any]:
        async with model.request_stream(HELLO) as stream:
            events = [await anext(stream), await anext(stream)]
        return [events, stream.get(), stream.cancelled]

    recorded = await read_two(RecordingModel(make_function_model(), path))
    assert await read_two(ReplayModel(path)) == recorded
    assert (await ReplayModel(path).request(HELLO)).state == 'interrupted'


async def test_counts_and_summaries_are_recorded(path: Path) -> None:
    class Compacting(TestModel):
        async def compact_messages(self, messages: Any, *arguments: Any, instructions: Any = None) -> ModelResponse:
            return ModelResponse([CompactionPart(f'A summary: {instructions}')])

    model = RecordingModel(Compacting(), path)
    counted, summary = await model.count_tokens(HELLO), await model.compact_messages(HELLO, instructions='short')
    replay = ReplayModel(path)
    assert (await replay.count_tokens(HELLO), await replay.compact_messages(HELLO, instructions='short')) == (
        counted,
        summary,
    )
    with pytest.raises(RequestNotRecordedError, match='"instructions": "long"'):
        await replay.compact_messages(HELLO, instructions='long')


async def test_every_kind_of_part_replays_the_same(path: Path) -> None:
    response = ModelResponse(
        [
            ThinkingPart('Hm \ud83d\ude00', signature='s', provider_name='p', provider_details={'x': None}),
            ToolCallPart('a', {'x': None, 'y': [], 'z': {}}, 'id1'),
            ToolCallPart('b', {}, 'id2'),
            ToolCallPart('c', None, 'id3'),
            ToolCallPart('d', '{"x": 1.50}', 'id4'),
            NativeToolReturnPart('web', None, 'id5'),
            FilePart(BinaryContent(b'\x00\xff' * 2000, media_type='image/png')),
            TextPart('\u2028 line\n', id='x'),
        ],
        usage=RequestUsage(input_tokens=3, details={'other': 1}),
        provider_details={'finish_reason': 'x', 'none': None},
        warnings=['w'],
        finish_reason='stop',
        headers={'x-request-id': 'r', 'openai-organization': 'mine'},
        request_id='r',
    )
    model = RecordingModel(FunctionModel(lambda messages, info: response), path)
    recorded = await model.request(HELLO)
    replayed = await ReplayModel(path).request(HELLO)
    assert replayed == replace(recorded, parts=[replace(recorded.parts[0], content='Hm 😀'), *recorded.parts[1:]])  # type: ignore[call-arg]
    assert dict(replayed.headers or {}) == {'x-request-id': 'r'}


# ---------------------------------------------------------------------- errors

ERRORS: list[LLMError] = [
    RateLimitError(429, 'm', {'error': 'slow'}, headers={'retry-after': '3'}, request_id='r', retry_after=3.0),
    ContentFilterHTTPError(400, 'm', {'a': [1]}),
    ModelConnectionError('m', 'refused', provider_name='p'),
    ModelTimeoutError('m', deadline='timeout', seconds=1.5),
    StreamInterruptedError('m', 'broke', response=ModelResponse([TextPart('part')], state='interrupted')),
    UnexpectedModelBehavior('odd', '<html>'),
    RejectedResponseError('m', ModelResponse([TextPart('no')])),
    UsageLimitExceeded('too many'),
    FallbackExceptionGroup('all failed', [ModelHTTPError(503, 'a'), ModelConnectionError('b', 'refused')]),
]


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
async def test_an_error_replays_as_the_same_error(error: LLMError, path: Path) -> None:
    with pytest.raises(type(error)):
        await RecordingModel(Scripted('m', [error]), path).request(HELLO)
    for call in (ReplayModel(path).request(HELLO), read_stream(ReplayModel(path))):
        with pytest.raises(type(error)) as raised:
            await call
        assert encode_error(raised.value) == encode_error(error)
        assert str(raised.value) == str(error)
        assert raised.value.__dict__.keys() >= error.__dict__.keys()


async def read_stream(model: Model) -> ModelResponse:
    async with model.request_stream(HELLO) as stream:
        async for _ in stream:
            pass
        return stream.get()


async def test_an_error_in_a_stream_replays_after_the_same_events(path: Path) -> None:
    async def keep(stream: StreamedResponse, events: list[Any]) -> AsyncIterator[Any]:
        async for event in stream:
            events.append(event)
            yield event

    async def watch(model: Model) -> list[Any]:
        events: list[Any] = []
        async with model.request_stream(HELLO) as stream:
            with pytest.raises(ModelHTTPError, match='overloaded'):
                events.extend([event async for event in keep(stream, events)])
        return events

    recorded = await watch(RecordingModel(Scripted('m', ['Well, ', 'er', overloaded()]), path))
    assert len(recorded) > 2
    assert await watch(ReplayModel(path)) == recorded
    with pytest.raises(ModelHTTPError, match='overloaded'):
        await ReplayModel(path).request(HELLO)


def test_an_error_of_a_later_version_is_a_general_one() -> None:
    assert type(decode_error({'type': 'NewError', 'message': 'new'})) is LLMError


async def test_errors_before_anything_is_sent_are_not_recorded(path: Path) -> None:
    model = RecordingModel(TestModel(), path)
    for error in (UserError, ZeroDivisionError):
        broken = RecordingModel(Scripted('broken', [error('x')]), path)
        with pytest.raises(error):
            await broken.request(HELLO)
    await model.request(HELLO)
    assert [exchange.model_id for exchange in model.recording.exchanges] == ['test:test']


# ---------------------------------------------------------------------- matching


async def test_equal_requests_get_their_responses_in_order_and_then_the_last_again(path: Path) -> None:
    model = RecordingModel(Scripted('m', ['one'], ['two'], ['three']), path)
    for text in ('Hello', 'Hello', 'Bye'):
        await model.request(ask(text))
    replay = ReplayModel(path)
    texts = [(await replay.request(ask(text))).text for text in ('Bye', 'Hello', 'Hello', 'Hello')]
    assert texts == ['three', 'one', 'two', 'two']


@pytest.mark.parametrize(
    'arguments',
    [
        (ask('Hello!'), None, None),
        ([*HELLO, *HELLO], None, None),
        (HELLO, ModelSettings(temperature=0), None),
        (HELLO, ModelSettings(parallel_tool_calls=False), None),
        (HELLO, ModelSettings(extra_body={'x': 1}), None),
        (HELLO, None, ModelRequestParameters(allow_text_output=False)),
        (HELLO, None, ModelRequestParameters(output_mode='prompted')),
    ],
    ids=['text', 'messages', 'temperature', 'false', 'extra_body', 'allow_text_output', 'output_mode'],
)
async def test_a_request_that_was_not_recorded_fails_with_a_diff(arguments: Any, path: Path) -> None:
    await RecordingModel(TestModel(), path).request(HELLO)
    with pytest.raises(RequestNotRecordedError, match='The most similar of 1 recorded requests is number 1') as raised:
        await ReplayModel(path).request(*arguments)
    assert raised.value.path == str(path)
    assert any(line.startswith(('+ ', '- ')) for line in raised.value.difference.splitlines())


async def test_the_diff_is_to_the_most_similar_request_and_of_bounded_size(path: Path) -> None:
    model = RecordingModel(TestModel(), path)
    for text in ('Something else', 'Hello', 'Another'):
        await model.request(ask(text), ModelSettings(max_tokens=5 if text == 'Hello' else 7))
    with pytest.raises(RequestNotRecordedError, match='is number 2'):
        await ReplayModel(path).request(ask('Goodbye'), ModelSettings(max_tokens=5))
    many = [ModelRequest.user_text_prompt('x' * 5000) for _ in range(500)]
    with pytest.raises(RequestNotRecordedError) as raised:
        await ReplayModel(path).request(many)
    assert len(str(raised.value)) < 15_000


async def test_times_ids_and_deadlines_do_not_matter(path: Path) -> None:
    await RecordingModel(TestModel(), path).request(HELLO, ModelSettings(timeout=5))
    await asyncio.sleep(0.002)
    again: list[ModelMessage] = [replace(ModelRequest.user_text_prompt('Hello'), run_id='another')]
    await ReplayModel(path).request(again, ModelSettings(timeout=7))


async def test_a_retry_of_an_output_matches_though_its_id_is_random(path: Path) -> None:
    def respond_with_numbers(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart('1' if len(messages) > 1 else 'one')])

    async def run(model: Model) -> int:
        agent = Agent(model, output_type=str, retries=2)

        @agent.output_validator
        def check(output: str) -> str:
            from pydantic_llm import ModelRetry

            if not output.isdigit():
                raise ModelRetry('digits, please')
            return output

        return int((await agent.run('A number')).output)

    assert await run(RecordingModel(FunctionModel(respond_with_numbers), path)) == 1
    assert await run(ReplayModel(path)) == 1


async def test_the_settings_of_the_model_itself_count(path: Path) -> None:
    await RecordingModel(TestModel(settings={'temperature': 0.5}), path).request(HELLO)
    assert ReplayModel(path).settings == {'temperature': 0.5}
    await ReplayModel(path).request(HELLO)
    with pytest.raises(RequestNotRecordedError, match='temperature'):
        await ReplayModel(path, settings={'temperature': 0.7}).request(HELLO)


async def test_a_file_in_a_message_is_recorded_by_its_size_and_hash(path: Path) -> None:
    picture = BinaryContent(b'\x01\x02\x03' * 100_000, media_type='image/png')
    messages: list[ModelMessage] = [ModelRequest([UserPromptPart(['Look', picture])])]
    await RecordingModel(TestModel(), path).request(messages)
    assert len(read(path)) < 5_000
    assert '300000 bytes, sha256' in read(path)
    await ReplayModel(path).request(messages)
    other = BinaryContent(b'\x01\x02\x04' * 100_000, media_type='image/png')
    with pytest.raises(RequestNotRecordedError):
        await ReplayModel(path).request([ModelRequest([UserPromptPart(['Look', other])])])


# ---------------------------------------------------------------------- several models, tasks, threads


async def test_several_models_share_a_file(path: Path) -> None:
    first = RecordingModel(Scripted('one', [overloaded()]), path)
    fallback = FallbackModel(first, RecordingModel(Scripted('two', ['Two']), path))
    assert (await fallback.request(HELLO)).text == 'Two'
    assert [exchange.model_id for exchange in first.recording.exchanges] == ['test:one', 'test:two']
    replay = FallbackModel(ReplayModel(path, 'test:one'), ReplayModel(path, 'test:two'))
    assert (await replay.request(HELLO)).text == 'Two'
    with pytest.raises(UserError, match="has several models: give as model_id= one of 'test:one', 'test:two'"):
        ReplayModel(path)
    with pytest.raises(UserError, match="has no model 'x': give as model_id= one of"):
        ReplayModel(path, 'x')


def test_two_models_with_one_id_and_other_settings_are_refused(path: Path) -> None:
    first = RecordingModel(TestModel(settings={'temperature': 0.5}), path)
    with pytest.raises(UserError, match='give each a file'):
        RecordingModel(TestModel(), path)
    assert first.recording.path == path


async def test_requests_at_the_same_time_are_written_in_the_order_in_which_they_began(path: Path) -> None:
    model = RecordingModel(Scripted('m', *[[0.02 - number / 1000, f'{number}'] for number in range(20)]), path)
    texts = await asyncio.gather(*(model.request(ask(f'prompt {number}')) for number in range(20)))
    replay = ReplayModel(path)
    again = await asyncio.gather(*(replay.request(ask(f'prompt {number}')) for number in range(20)))
    assert [response.text for response in again] == [response.text for response in texts]
    prompts = [exchange.request['messages'][0]['parts'][0]['content'] for exchange in replay.recording.exchanges]
    assert prompts == [f'prompt {number}' for number in range(20)]


def test_threads_share_a_recording_and_a_reader_never_sees_a_part_of_it(path: Path) -> None:
    model = RecordingModel(make_function_model(), path)
    asyncio.run(model.request(ask('first')))
    threads = [
        threading.Thread(target=lambda number=number: asyncio.run(model.request(ask(f'{number}'))))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert json.loads(path.read_bytes())['version'] == 1
    assert len(ReplayModel(path).recording.exchanges) == 9
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_the_first_response_replaces_an_earlier_recording(path: Path) -> None:
    await RecordingModel(TestModel(), path).request(ask('old'))
    model = RecordingModel(TestModel(), path)
    await ReplayModel(path).request(ask('old'))
    await model.request(ask('new'))
    with pytest.raises(RequestNotRecordedError):
        await ReplayModel(path).request(ask('old'))


async def test_the_timing_is_kept_if_it_is_asked_for(path: Path) -> None:
    await read_stream(RecordingModel(Scripted('m', ['a', 0.1, 'b']), path))

    async def measure(model: Model) -> float:
        begun = time.monotonic()
        await read_stream(model)
        return time.monotonic() - begun

    assert await measure(ReplayModel(path, keep_timing=True)) >= 0.09
    begun = time.monotonic()
    await ReplayModel(path, keep_timing=True).request(HELLO)
    assert time.monotonic() - begun >= 0.09
    assert await measure(ReplayModel(path)) < 0.09


# ---------------------------------------------------------------------- secrets


async def test_secrets_are_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SOME_API_KEY', 'environment-secret')
    secrets = ('environment-secret', 'header-secret', 'body-secret', 'query-secret', 'signed-secret', 'pass-secret')
    prompt = (
        'With environment-secret at https://x/y?key=query-secret&a=b, https://me:pass-secret@x/ and '
        'https://x/?X-Amz-Signature=signed-secret. A key: sk-proj-0123456789abcdefghij.'
    )
    settings = ModelSettings(
        extra_headers={'Authorization': 'Bearer header-secret', 'x-goog-api-key': 'header-secret', 'x-plain': 'shown'},
        extra_body={'nested': {'api_key': 'body-secret', 'tokens': 'kept'}},
    )
    error = ModelHTTPError(500, 'm', {'echo': 'environment-secret', 'password': 'body-secret'})
    with pytest.raises(ModelHTTPError):
        await RecordingModel(Scripted('m', [error]), path).request(ask(prompt), settings)
    text = read(path)
    assert [secret for secret in (*secrets, '0123456789abcdefghij') if secret in text] == []
    assert [word for word in ('shown', 'kept', 'a=b') if word not in text] == []
    changed = ModelSettings(settings, extra_headers={**settings['extra_headers'], 'Authorization': 'Bearer another'})
    with pytest.raises(ModelHTTPError):
        await ReplayModel(path).request(ask(prompt), changed)


async def test_a_key_as_the_name_of_a_field_is_not_written(path: Path) -> None:
    key = 'sk-proj-0123456789abcdefghij'

    def call(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([ToolCallPart('store', {key: {key: 1}}, 'id')], provider_details={key: key})

    settings = ModelSettings(extra_body={key: [{key: key}]})
    await RecordingModel(FunctionModel(call), path).request(ask('Store it'), settings)
    assert key not in read(path)
    replayed = await ReplayModel(path).request(ask('Store it'), settings)
    assert replayed.tool_calls[0].args == {'[key]': {'[key]': 1}}


async def test_a_hook_hides_more_and_applies_before_matching(path: Path) -> None:
    def hide(text: str) -> str:
        return text.replace('Ada', 'NAME').replace('Eve', 'NAME')

    def greet(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart('Hello Ada')])

    await RecordingModel(FunctionModel(greet), path, redact=hide).request(ask('I am Ada'))
    assert 'Ada' not in read(path)
    assert (await ReplayModel(path, redact=hide).request(ask('I am Eve'))).text == 'Hello NAME'
    with pytest.raises(RequestNotRecordedError):
        await ReplayModel(path).request(ask('I am Eve'))


async def test_a_secret_in_the_pieces_of_a_stream_is_not_written(path: Path) -> None:
    model = Scripted('m', ['The name is A', 'da.'])
    hide = {'redact': lambda text: text.replace('Ada', 'NAME')}
    await read_stream(RecordingModel(model, path, **hide))
    assert 'da.' not in read(path)
    assert (await read_stream(ReplayModel(path, **hide))).text == 'The name is NAME.'


async def test_a_key_in_an_error_of_a_server_is_not_written(path: Path) -> None:
    app = create_app(
        TestModel(), faults=lambda body: Fault(status=401, body=b'{"error": {"message": "%s"}}' % KEY.encode())
    )
    with LocalServer(app) as url:
        model = VENDORS[0].make(url)
        with pytest.raises(ModelHTTPError):
            await RecordingModel(model, path).request(HELLO)
        await model.aclose()
    assert KEY not in read(path)


# ---------------------------------------------------------------------- the file


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'There is no recording .*pytest --llm=record'),
        ('{', 'is not a recording: '),
        ('[]', 'is not a recording: it has no version'),
        ('{"version": 1}', 'is not a recording: KeyError'),
        ('{"version": 1, "models": {}, "exchanges": [5]}', 'is not a recording: TypeError'),
        ('{"version": 1, "models": {"a": 5}, "exchanges": []}', 'is not a recording: TypeError'),
        ('{"version": 2, "exchanges": []}', 'has version 2 of the format, this package reads up to 1: upgrade it'),
        ('{"version": 1, "models": {}, "exchanges": []}', 'has several models: give as model_id= one of none'),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused(content: str | None, message: str, path: Path) -> None:
    path.parent.mkdir()
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message):
        ReplayModel(path)


async def test_a_file_that_cannot_be_written_and_a_hook_that_returns_no_text_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'cannot be written: .*Is a directory'):
        await RecordingModel(TestModel(), tmp_path).request(HELLO)
    with pytest.raises(UserError, match='redact takes a function that returns a text, not None'):
        await RecordingModel(TestModel(), tmp_path / 'x.json', redact=lambda text: None).request(HELLO)  # type: ignore[arg-type, return-value]


async def test_unknown_fields_of_a_recording_are_ignored(path: Path) -> None:
    await RecordingModel(TestModel(), path).request(HELLO)
    places = (
        '"version"',
        '"model_name"',
        '"supports_json_object_output"',
        '"kind": "request",\n      "model"',
        '"usage"',
    )
    edit(path, *((place, f'"new": 1, {place}') for place in places))
    assert read(path).count('"new"') >= len(places)
    assert (await ReplayModel(path).request(HELLO)).text == 'success (no tool calls)'


async def test_a_recording_that_was_edited_by_hand_is_replayed_as_it_is(path: Path) -> None:
    await RecordingModel(TestModel(), path).request(HELLO)
    edit(path, ('Hello', 'Bye'), ('success (no tool calls)', 'See you'))
    assert (await ReplayModel(path).request(ask('Bye'))).text == 'See you'


@pytest.mark.parametrize('change', [('"part_kind": "text"', '"part_kind": "odd"'), ('"response":', '"lost":')])
async def test_an_entry_that_was_damaged_by_hand_is_a_user_error(change: tuple[str, str], path: Path) -> None:
    await RecordingModel(TestModel(), path).request(HELLO)
    edit(path, change)
    with pytest.raises(UserError, match="An entry of the recording has an invalid 'response'"):
        await ReplayModel(path).request(HELLO)


async def test_a_replayed_model_has_the_facts_of_the_recorded_one(path: Path) -> None:
    model = VENDORS[0].make('http://127.0.0.1:9')
    RecordingModel(model, path)  # its facts are written with the first response
    recording = RecordingModel(model, path)
    with pytest.raises(ModelConnectionError):
        await recording.request(HELLO)
    await model.aclose()
    replay = ReplayModel(path)
    assert (replay.model_name, replay.system, replay.model_id, replay.base_url) == (
        model.model_name,
        model.system,
        model.model_id,
        model.base_url,
    )
    assert replay.profile.default_structured_output_mode == model.profile.default_structured_output_mode
    assert replay.profile.supports_json_schema_output == model.profile.supports_json_schema_output


@pytest.mark.parametrize('arguments', [{'path': 5}, {'path': 'x', 'redact': 5}])
def test_arguments_of_a_wrong_type_are_refused(arguments: Any) -> None:
    for make in (lambda: ReplayModel(**arguments), lambda: RecordingModel(TestModel(), **arguments)):
        with pytest.raises(UserError, match=f'{[*arguments][-1]} '):
            make()
