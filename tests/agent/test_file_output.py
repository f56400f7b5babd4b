"""Outputs that are what the model generates: an image, or another file."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel

from pydantic_llm import Agent, BinaryContent, UnexpectedModelBehavior
from pydantic_llm.messages import FilePart, ModelResponse, TextPart
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.native_tools import ImageGenerationTool
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.providers.registry import provider_class
from tests.agent.scripted import Scripted, call

PNG = b'\x89PNG'
DATA = b64encode(PNG).decode()
IMAGE, OTHER = BinaryContent(PNG, media_type='image/png'), BinaryContent(b'other', media_type='image/png')


class City(BaseModel):
    name: str


async def run(model: Any, output_type: Any, *, streamed: bool = False, **options: Any) -> Any:
    agent = Agent(model, output_type=output_type, **options)
    if not streamed:
        return (await agent.run('Draw a fjord.')).output
    async with agent.run_stream('Draw a fjord.') as result:
        outputs = [output async for output in result.stream_output(debounce_by=None)]
    assert outputs[-1] == await result.get_output()
    return outputs[-1]


both = pytest.mark.parametrize('streamed', [False, True])


@both
@pytest.mark.parametrize('parts', [[FilePart(IMAGE)], [TextPart('Here.'), FilePart(IMAGE), FilePart(OTHER)]], ids=len)
async def test_the_first_file_is_the_output(parts: list[Any], streamed: bool) -> None:
    model = Scripted(parts)
    assert await run(model, BinaryContent, streamed=streamed) == IMAGE
    assert model.requests[0].parameters.allow_image_output


@both
async def test_all_files_are_the_output(streamed: bool) -> None:
    model = Scripted([FilePart(IMAGE), FilePart(OTHER)])
    assert await run(model, list[BinaryContent], streamed=streamed) == [IMAGE, OTHER]


@both
async def test_a_text_in_the_place_of_a_file_is_rejected(streamed: bool) -> None:
    model = Scripted('I cannot draw.', FilePart(IMAGE))
    assert await run(model, BinaryContent, streamed=streamed) == IMAGE
    assert len(model.requests) == 2
    with pytest.raises(UnexpectedModelBehavior, match='Generate an image or another file'):
        await run(Scripted('No.'), BinaryContent, streamed=streamed)


@both
@pytest.mark.parametrize(
    ('parts', 'output'), [([TextPart('No.')], 'No.'), ([TextPart('Here.'), FilePart(IMAGE)], IMAGE)]
)
async def test_a_file_may_be_one_of_several_outputs(parts: list[Any], output: Any, streamed: bool) -> None:
    assert await run(Scripted(parts), [str, BinaryContent], streamed=streamed) == output


@both
@pytest.mark.parametrize(
    ('parts', 'output'), [([call('final_result', {'name': 'Rome'})], City(name='Rome')), ([FilePart(IMAGE)], IMAGE)]
)
async def test_a_file_may_be_an_alternative_to_a_structured_output(
    parts: list[Any], output: Any, streamed: bool
) -> None:
    assert await run(Scripted(parts), [City, BinaryContent], streamed=streamed) == output


async def test_validators_check_files() -> None:
    agent: Agent[None, BinaryContent] = Agent(Scripted(FilePart(IMAGE)), output_type=BinaryContent)

    @agent.output_validator
    def replace_image(image: BinaryContent) -> BinaryContent:
        return OTHER if image == IMAGE else image

    assert (await agent.run('?')).output == OTHER


async def test_a_picture_alone_is_an_answer_where_text_is_expected() -> None:
    result = await Agent(Scripted(ModelResponse([FilePart(IMAGE)]))).run('?')
    assert (result.output, result.response.images) == ('', [IMAGE])


# ---------------------------------------------------------------------- rooms that make files


def client(body: Any) -> httpx2.AsyncClient:
    """Return a client whose server sends a body, or the body in one event if a stream is requested."""

    async def respond(request: httpx2.Request) -> httpx2.Response:
        sent = json.loads(await request.aread())
        if not (sent.get('stream') or 'streamGenerateContent' in request.url.path):
            return httpx2.Response(200, json=body(streamed=False))
        data = b'data: ' + json.dumps(body(streamed=True)).encode() + b'\n\n'
        return httpx2.Response(200, content=data, headers={'content-type': 'text/event-stream'})

    return httpx2.AsyncClient(transport=httpx2.MockTransport(respond))


def gemini(*, streamed: bool) -> Any:
    content = {'role': 'model', 'parts': [{'inlineData': {'mimeType': 'image/png', 'data': DATA}}]}
    return {'candidates': [{'content': content, 'finishReason': 'STOP'}], 'modelVersion': 'g'}


def openrouter(*, streamed: bool) -> Any:
    images = [{'type': 'image_url', 'image_url': {'url': f'data:image/png;base64,{DATA}'}}]
    message = {'role': 'assistant', 'content': '', 'images': images}
    return {
        'id': 'c',
        'model': 'm',
        'choices': [{'delta' if streamed else 'message': message, 'finish_reason': 'stop'}],
    }


def responses(*, streamed: bool) -> Any:
    item = {'type': 'image_generation_call', 'id': 'ig', 'status': 'completed', 'result': DATA, 'output_format': 'png'}
    body = {'id': 'r', 'model': 'm', 'status': 'completed', 'output': [item]}
    return {'type': 'response.completed', 'response': body} if streamed else body


def make_gemini() -> Any:
    provider = GoogleGLAProvider(api_key='k', http_client=client(gemini))
    return GeminiModel('gemini-2.5-flash-image', provider=provider)


def make_openrouter() -> Any:
    provider = provider_class('openrouter')(api_key='k', http_client=client(openrouter))
    return OpenAIChatModel('google/gemini-2.5-flash-image', provider=provider)


def make_responses() -> Any:
    return OpenAIResponsesModel('gpt-5', provider=OpenAIProvider(api_key='k', http_client=client(responses)))


@both
@pytest.mark.parametrize('make', [make_gemini, make_openrouter, make_responses])
async def test_every_room_that_makes_images_can_give_one_as_the_output(make: Any, streamed: bool) -> None:
    native = [ImageGenerationTool()] if make is make_responses else []
    output = await run(make(), BinaryContent, streamed=streamed, native_tools=native)
    assert (output.data, output.media_type) == (PNG, 'image/png')
