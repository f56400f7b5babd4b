"""Models of this library in LangChain and in agents of LangGraph."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip('langchain_core', reason='needs langchain-core: `make test-bridges` installs it')

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langgraph.prebuilt import create_react_agent
from pydantic import BaseModel

from pydantic_llm.exceptions import ModelHTTPError, UserError
from pydantic_llm.ext.langchain import ChatPydanticLLM
from pydantic_llm.messages import (
    BinaryContent,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.usage import RequestUsage
from tests.ext.conftest import ModelMaker

pytestmark = pytest.mark.filterwarnings('ignore:create_react_agent has been moved:DeprecationWarning')


def get_weather(city: str) -> str:
    """Return the weather of a city."""
    return f'sunny in {city}'


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


PARIS = {'city': 'Paris', 'degrees': 20}


def reply(*parts: Any, **fields: Any) -> FunctionModel:
    return FunctionModel(lambda messages, info: ModelResponse([*parts], **fields))


def call_weather(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    last = messages[-1].parts[-1]
    if isinstance(last, ToolReturnPart):
        return ModelResponse([TextPart(f'It is {last.content}.')], finish_reason='stop')
    return ModelResponse([TextPart('I look.'), ToolCallPart('get_weather', {'city': 'Paris'}, 'id_1')])


def answer_with_weather(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    for tool in [*info.output_tools, *info.function_tools]:
        return ModelResponse([ToolCallPart(tool.name, PARIS)])
    return ModelResponse([TextPart(json.dumps(PARIS))])


class Receiver:
    """A model that records its request."""

    def __init__(self) -> None:
        self.messages: list[ModelMessage] = []
        self.info: AgentInfo | None = None
        self.chat = ChatPydanticLLM(FunctionModel(self.respond))

    def respond(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.messages, self.info = messages, info
        return ModelResponse([TextPart('Hi')])


# ---------------------------------------------------------------------- programs


@pytest.mark.parametrize('stream', [False, True])
def test_an_agent_of_langgraph_runs(make_model: ModelMaker, stream: bool) -> None:
    agent = create_react_agent(ChatPydanticLLM(make_model(call_weather)), tools=[get_weather])
    question = {'messages': [{'role': 'user', 'content': 'What is the weather in Paris?'}]}
    if stream:
        pieces = [message.text for message, _ in agent.stream(question, stream_mode='messages')]
        assert ''.join(pieces).endswith('It is sunny in Paris.')
    else:
        assert agent.invoke(question)['messages'][-1].content == 'It is sunny in Paris.'


async def test_an_agent_of_langgraph_runs_with_structured_output(make_model: ModelMaker) -> None:
    model = ChatPydanticLLM(make_model(answer_with_weather))
    agent = create_react_agent(model, tools=[], response_format=Weather)
    result = await agent.ainvoke({'messages': [('user', 'What is the weather in Paris?')]})
    assert result['structured_response'] == Weather(**PARIS)


async def test_a_chain_runs_and_streams(make_model: ModelMaker) -> None:
    prompt = ChatPromptTemplate.from_messages([('system', 'Be brief.'), ('user', 'Tell me about {topic}')])
    model = make_model(lambda messages, info: ModelResponse([TextPart('A cat is an animal.')]))
    chain = prompt | ChatPydanticLLM(model, temperature=0) | StrOutputParser()
    assert chain.invoke({'topic': 'cats'}) == 'A cat is an animal.'
    assert ''.join(chain.stream({'topic': 'cats'})) == 'A cat is an animal.'
    assert await chain.ainvoke({'topic': 'cats'}) == 'A cat is an animal.'
    assert chain.batch([{'topic': 'cats'}] * 3) == ['A cat is an animal.'] * 3
    events = [event async for event in chain.astream_events({'topic': 'cats'})]
    chunks = [event['data']['chunk'] for event in events if event['event'] == 'on_chat_model_stream']
    assert ''.join(chunk.text for chunk in chunks) == 'A cat is an animal.'


@pytest.mark.parametrize('method', [None, 'json_schema', 'function_calling', 'json_mode'])
async def test_every_method_of_structured_output_works(make_model: ModelMaker, method: Any) -> None:
    model = ChatPydanticLLM(make_model(answer_with_weather))
    assert model.with_structured_output(Weather, method=method).invoke('Paris?') == Weather(**PARIS)
    raw = await model.with_structured_output(Weather, method=method, include_raw=True).ainvoke('Paris?')
    assert (raw['parsed'], raw['parsing_error']) == (Weather(**PARIS), None)
    schema = {'title': 'W', 'description': 'Weather', 'type': 'object', 'properties': {'city': {'type': 'string'}}}
    assert model.with_structured_output(schema, method=method).invoke('Paris?') == PARIS


def test_a_response_that_does_not_fit_the_schema_is_a_parsing_error() -> None:
    model = ChatPydanticLLM(reply(TextPart('{}')))
    outcome = model.with_structured_output(Weather, method='json_schema', include_raw=True).invoke('Paris?')
    assert outcome['parsed'] is None
    assert 'degrees' in str(outcome['parsing_error'])


# ---------------------------------------------------------------------- responses


@pytest.mark.parametrize('stream', [False, True])
def test_a_response_has_its_usage_and_metadata(stream: bool) -> None:
    usage = RequestUsage(input_tokens=7, output_tokens=3, cache_read_tokens=2, output_reasoning_tokens=1)
    parts = ThinkingPart('Hm'), TextPart('Hi'), ToolCallPart('f', {'a': 1}, 'id_1')
    model = ChatPydanticLLM(reply(*parts, usage=usage, model_name='gpt', warnings=['No seed.'], finish_reason='stop'))
    message = collect(model, stream=stream)
    assert message.content == 'Hi'
    assert message.tool_calls == [{'name': 'f', 'args': {'a': 1}, 'id': 'id_1', 'type': 'tool_call'}]
    assert message.usage_metadata['total_tokens'] == 10
    assert message.usage_metadata['input_token_details']['cache_read'] == 2
    assert message.usage_metadata['output_token_details']['reasoning'] == 1
    metadata = message.response_metadata
    assert (metadata['model_name'], metadata['finish_reason'], metadata['warnings']) == ('gpt', 'stop', ['No seed.'])
    assert [block['type'] for block in message.content_blocks] == ['reasoning', 'text', 'tool_call']


def collect(model: Any, *, stream: bool, messages: Any = 'Hello') -> Any:
    """Return the response, or the sum of its chunks."""
    if not stream:
        return model.invoke(messages)
    chunks = [*model.stream(messages)]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


@pytest.mark.parametrize('stream', [False, True])
def test_signed_thinking_comes_back_to_the_model(stream: bool) -> None:
    thinking = ThinkingPart('Hm', signature='sig', provider_name='anthropic')
    first = collect(ChatPydanticLLM(reply(thinking, TextPart('Hi'))), stream=stream)
    receiver = Receiver()
    receiver.chat.invoke([HumanMessage('Hello'), first, HumanMessage('Again')])
    assert receiver.messages[1].parts == [thinking, TextPart('Hi')]
    edited = first.model_copy(update={'content': 'Bye'})
    receiver.chat.invoke([HumanMessage('Hello'), edited, HumanMessage('Again')])
    assert TextPart('Bye') in receiver.messages[1].parts


class Tokens(BaseCallbackHandler):
    """A callback that records the tokens."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.texts.append(str(token))


@pytest.mark.filterwarnings('ignore::langchain_core._api.LangChainBetaWarning')
@pytest.mark.parametrize('method', ['stream', 'stream_events'])
def test_each_token_is_reported_once_to_callbacks(method: str) -> None:
    model, tokens = ChatPydanticLLM(reply(TextPart('Hi'))), Tokens()
    options = {'version': 'v3'} if method == 'stream_events' else {}
    assert [*getattr(model, method)('Hello', {'callbacks': [tokens]}, **options)]
    assert ''.join(tokens.texts) == 'Hi'


@pytest.mark.parametrize('stream', [False, True])
def test_an_empty_response_is_an_empty_message(stream: bool) -> None:
    message = collect(ChatPydanticLLM(reply(finish_reason='stop')), stream=stream)
    assert (message.content, message.response_metadata['finish_reason']) == ('', 'stop')


@pytest.mark.parametrize('stream', [False, True])
def test_a_generated_image_is_a_content_block(stream: bool) -> None:
    model = ChatPydanticLLM(reply(TextPart('Here:'), FilePart(BinaryContent(b'x', media_type='image/png'))))
    text, image = collect(model, stream=stream).content_blocks
    assert text['text'] == 'Here:'
    assert (image['type'], image['mime_type'], image['base64']) == ('image', 'image/png', 'eA==')


def test_arguments_that_are_not_json_are_an_invalid_tool_call() -> None:
    message = ChatPydanticLLM(reply(ToolCallPart('f', '{"a": 1, "b', 'id_1'))).invoke('Hello')
    assert [call['name'] for call in message.invalid_tool_calls] == ['f']
    receiver = Receiver()
    receiver.chat.invoke([HumanMessage('Hello'), message, ToolMessage('Not JSON', tool_call_id='id_1')])
    assert isinstance(receiver.messages[2].parts[0], ToolReturnPart)


@pytest.mark.parametrize('stream', [False, True])
def test_the_text_ends_at_a_stop_sequence_that_the_model_ignores(stream: bool) -> None:
    model = ChatPydanticLLM(reply(TextPart('one END two')), stop=['END'])
    assert collect(model, stream=stream).text == 'one '


async def test_a_stream_that_is_not_read_to_its_end_is_closed() -> None:
    closed: list[bool] = []

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        try:
            yield {0: DeltaToolCall('f', '{')}
            while True:
                yield 'more '
        finally:
            closed.append(True)

    model = ChatPydanticLLM(FunctionModel(stream_function=stream))
    chunks = model.stream('Hello')
    next(chunks)
    chunks.close()
    asynchronous = model.astream('Hello')
    await anext(asynchronous)
    await asynchronous.aclose()
    del asynchronous  # LangChain leaves the generators inside of it to the garbage collector
    gc.collect()
    await asyncio.sleep(0.05)
    assert closed == [True, True]


# ---------------------------------------------------------------------- requests

FILES = [
    ({'type': 'image', 'base64': 'eA==', 'mime_type': 'image/png'}, BinaryContent(b'x', media_type='image/png')),
    ({'type': 'image', 'url': 'https://example.com/a.png'}, ImageUrl('https://example.com/a.png')),
    ({'type': 'image_url', 'image_url': {'url': 'https://example.com/a.png'}}, ImageUrl('https://example.com/a.png')),
    ({'type': 'audio', 'base64': 'eA==', 'mime_type': 'audio/mpeg'}, BinaryContent(b'x', media_type='audio/mpeg')),
    ({'type': 'video', 'url': 'https://example.com/a.mp4'}, VideoUrl('https://example.com/a.mp4')),
    ({'type': 'video', 'base64': 'eA==', 'mime_type': 'video/mp4'}, BinaryContent(b'x', media_type='video/mp4')),
    (
        {'type': 'file', 'base64': 'eA==', 'mime_type': 'application/pdf'},
        BinaryContent(b'x', media_type='application/pdf'),
    ),
    ({'type': 'file', 'url': 'https://example.com/a.pdf'}, DocumentUrl('https://example.com/a.pdf')),
    ({'type': 'file', 'file_id': 'file_1'}, UploadedFile('file_1', 'openai')),
    ({'type': 'text-plain', 'text': 'Words', 'mime_type': 'text/plain'}, 'Words'),
]


@pytest.mark.parametrize(('block', 'expected'), FILES, ids=lambda value: type(value).__name__)
def test_a_content_block_reaches_the_model(block: dict[str, Any], expected: Any) -> None:
    receiver = Receiver()
    receiver.chat.invoke([HumanMessage(content=[{'type': 'text', 'text': 'Look:'}, block])])
    [part] = receiver.messages[0].parts
    assert isinstance(part, UserPromptPart)
    text, file = part.items()
    assert text == 'Look:'
    assert file == expected


def test_a_content_block_that_no_model_reads_is_a_user_error() -> None:
    for block in ({'type': 'audio', 'id': '1'}, {'type': 'server_tool_call', 'id': '1', 'name': 'f', 'args': {}}):
        with pytest.raises(UserError, match=r'no url and no base64|no model can read it'):
            Receiver().chat.invoke([HumanMessage(content=[block])])
    with pytest.raises(UserError, match="type 'remove'"):
        Receiver().chat.invoke([RemoveMessage(id='1')])


def test_a_tool_result_keeps_its_images_and_its_failure() -> None:
    receiver = Receiver()
    image = {'type': 'image', 'base64': 'eA==', 'mime_type': 'image/png'}
    receiver.chat.invoke(
        [
            SystemMessage('Be brief.'),
            HumanMessage('Look', name='anne'),
            AIMessage('', tool_calls=[{'name': name, 'args': {}, 'id': name} for name in ('see', 'fail')]),
            ToolMessage([{'type': 'text', 'text': 'Seen:'}, image], tool_call_id='see'),
            ToolMessage('No.', tool_call_id='fail', status='error'),
        ]
    )
    assert isinstance(receiver.messages[0].parts[0], SystemPromptPart)
    seen, failed = receiver.messages[2].parts
    assert isinstance(seen, ToolReturnPart)
    assert seen.content == ['Seen:', BinaryContent(b'x', media_type='image/png')]
    assert isinstance(failed, ToolReturnPart)
    assert (failed.tool_name, failed.outcome, seen.outcome) == ('fail', 'failed', 'success')


def test_a_history_of_another_chat_model_is_read() -> None:
    receiver = Receiver()
    other = FakeListChatModel(responses=['Hello!']).invoke('Hi')
    thinking = AIMessage(
        [
            {'type': 'thinking', 'thinking': 'Hm', 'signature': 'sig'},
            {'type': 'text', 'text': 'Yes.'},
            {'type': 'tool_use', 'id': 'id_1', 'name': 'f', 'input': {}},
        ],
        tool_calls=[{'name': 'f', 'args': {}, 'id': 'id_1'}],
        response_metadata={'model_provider': 'anthropic'},
    )
    receiver.chat.invoke(
        [HumanMessage('Hi'), other, HumanMessage('So?'), thinking, ToolMessage('ok', tool_call_id='id_1')]
    )
    assert receiver.messages[1].parts == [TextPart('Hello!')]
    kinds = [part.part_kind for part in receiver.messages[3].parts]
    assert kinds == ['thinking', 'text', 'tool-call']


def test_settings_of_the_model_of_a_binding_and_of_a_call_reach_the_model() -> None:
    receiver = Receiver()
    chat = ChatPydanticLLM(
        receiver.chat.model, settings={'top_p': 0.5, 'seed': 1}, temperature=0, max_tokens=5, timeout=3, max_retries=0
    )
    chat.bind(temperature=1, thinking='low').invoke('Hello', stop=['x'], anthropic_effort='low')
    assert receiver.info is not None
    expected = {'top_p': 0.5, 'seed': 1, 'temperature': 1, 'max_tokens': 5, 'timeout': 3, 'retries': 0}
    assert receiver.info.model_settings == {
        **expected,
        'thinking': 'low',
        'stop_sequences': ['x'],
        'anthropic_effort': 'low',
    }


@pytest.mark.parametrize('choice', ['get_weather', {'type': 'function', 'function': {'name': 'get_weather'}}])
def test_a_tool_is_chosen(choice: Any) -> None:
    receiver = Receiver()
    receiver.chat.bind_tools([get_weather, Weather], tool_choice=choice).invoke('Hello')
    assert receiver.info is not None
    assert [tool.name for tool in receiver.info.function_tools] == ['get_weather', 'Weather']
    assert receiver.info.model_settings == {'tool_choice': ['get_weather']}


def test_a_choice_of_no_tool_is_a_user_error() -> None:
    with pytest.raises(UserError, match="tool_choice='rain' is not a tool: use one of 'get_weather'"):
        Receiver().chat.bind_tools([get_weather], tool_choice='rain')


def test_a_wrong_value_is_a_user_error() -> None:
    with pytest.raises(UserError, match='settings'):
        ChatPydanticLLM(reply(TextPart('Hi')), settings='hot').invoke('Hello')
    with pytest.raises(UserError, match='stop_sequences'):
        [*ChatPydanticLLM(reply(TextPart('Hi'))).stream('Hello', stop_sequences=5)]
    with pytest.raises(UserError, match='temperature'):
        ChatPydanticLLM(reply(TextPart('Hi'))).invoke('Hello', temperature='hot')
    with pytest.raises(UserError, match='schema= is None'):
        ChatPydanticLLM(reply(TextPart('Hi'))).with_structured_output()
    with pytest.raises(UserError, match='opnai'):
        ChatPydanticLLM('opnai:gpt-4o')


@pytest.mark.parametrize('stream', [False, True])
def test_errors_are_those_of_this_library(stream: bool) -> None:
    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise ModelHTTPError(429, 'gpt-4o', {}, message='Slow down.')

    model = ChatPydanticLLM(FunctionModel(respond))
    with pytest.raises(ModelHTTPError, match='Slow down'):
        collect(model, stream=stream)
    other = model.with_fallbacks([ChatPydanticLLM(reply(TextPart('Hi')))], exceptions_to_handle=(ModelHTTPError,))
    assert other.invoke('Hello').content == 'Hi'


def test_traces_name_the_vendor_and_the_model() -> None:
    model = ChatPydanticLLM(OpenAIChatModel('gpt-4o', provider=OpenAIProvider(api_key='key')), temperature=0)
    params = model._get_ls_params()
    assert (params['ls_provider'], params['ls_model_name'], params['ls_temperature']) == ('openai', 'gpt-4o', 0)
