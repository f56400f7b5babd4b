"""Runs a room over a recording: the SDK's own client, under it a transport that answers with what was recorded.

`decode`, `roundtrip` and `encode` are what the runner that comes with the recordings calls. A `wire` holds the recorded
answers and the requests that were sent to it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any, cast

import httpx2
import pytest

from pydantic_llm.exceptions import LLMError, UserError
from pydantic_llm.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import Model, ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools.definition import ToolDefinition
from tests.wire.folder import shared
from tests.wire.vendors import HTTPX, VENDORS

Json = dict[str, Any]

REFUSAL = {'status': 400, 'headers': {'content-type': 'application/json'}, 'body_kind': 'json', 'body': {'error': {}}}


def make(vendor: str, model: str, wire: Any) -> Model:
    """The model of a vendor, above a wire."""
    name = vendor.partition('@')[0]
    return VENDORS[name](model, wire.httpx_client('httpx' if name in HTTPX else 'httpx2'))


def hello() -> list[ModelMessage]:
    """How every recorded conversation begins."""
    return [ModelRequest([UserPromptPart(shared('common').HELLO)])]


def settings_of_a_recording() -> ModelSettings:
    """The settings that every recorded answer was asked for with."""
    return cast('ModelSettings', dict(shared('common').DECODE_SETTINGS))


async def ask(model: Model, messages: Sequence[ModelMessage], *, stream: bool) -> ModelResponse:
    """The answer, whole or streamed."""
    settings = settings_of_a_recording()
    if not stream:
        return await model.request(messages, settings)
    async with model.request_stream(messages, settings) as streamed:
        async for _ in streamed:
            pass
        return streamed.get()


async def decode(case: Json, wire: Any) -> Json:
    """What we make of a recorded answer, in the recordings' own form."""
    normalize = shared('normalize')
    model = make(case['vendor'], case['model'], wire)
    try:
        response = await ask(model, hello(), stream=case['stream'])
    except LLMError as error:
        failure: Json = normalize.error(error)
        return failure
    read: Json = normalize.response(response, known=shared('common').wire_text(case))
    return read


async def roundtrip(case: Json, wire: Any) -> str | None:
    """Send a recorded answer back as history; the request is left on the wire. Or why nothing was sent."""
    model = make(case['vendor'], case['model'], wire)
    try:
        answer = await ask(model, hello(), stream=case['stream'])
    except LLMError as error:
        return f'the answer is an error: {type(error).__name__}'
    calls = [part for part in answer.parts if isinstance(part, ToolCallPart)]
    ok, following = shared('common').TOOL_RESULT, UserPromptPart(shared('common').NEXT)
    answers = [ToolReturnPart(call.tool_name, ok, call.tool_call_id) for call in calls]
    recorded = shared('common').function_tools(case)
    tools = [ToolDefinition(tool['name'], tool['parameters'], tool['description']) for tool in recorded]
    wire.responses[wire._i :] = [REFUSAL]
    history = [*hello(), answer, ModelRequest(answers or [following])]
    return await send(
        model, history, settings_of_a_recording(), ModelRequestParameters(function_tools=tools), wire, stream=False
    )


async def encode(case: Json, vendor: str, wire: Any) -> str | None:
    """Send a hand-made history; the request is left on the wire. Or why nothing was sent."""
    wire.responses = [REFUSAL]
    model = make(vendor, shared('common').DEFAULT_MODELS[vendor], wire)
    text = json.dumps(case['messages']).replace('$PROVIDER', model.system)
    messages = ModelMessagesTypeAdapter.validate_json(text)
    with pytest.MonkeyPatch.context() as patch:
        serve_downloads(patch)
        return await send(
            model, messages, case['settings'] or None, parameters(case['parameters']), wire, stream=case['stream']
        )


def parameters(said: Json) -> ModelRequestParameters:
    """What a hand-made case says of tools and output."""
    tools = {
        key: [ToolDefinition(**tool) for tool in said[key]] for key in ('function_tools', 'output_tools') if key in said
    }
    output = said.get('output_object')
    return ModelRequestParameters(
        **{**said, **tools, 'output_object': OutputObjectDefinition(**output) if output else None}
    )


async def send(
    model: Model,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
    wire: Any,
    *,
    stream: bool,
) -> str | None:
    """Send a request whose answer does not matter. Or why nothing was sent."""
    before = len(wire.sent)
    try:
        if stream:
            async with model.request_stream(messages, settings, parameters):
                pass
        else:
            await model.request(messages, settings, parameters)
    except UserError as error:
        return str(error)
    except LLMError:
        pass
    return None if len(wire.sent) > before else 'nothing was sent'


def serve_downloads(patch: pytest.MonkeyPatch) -> None:
    """Below us: every name resolves to an address of the internet, where a file of each kind waits."""
    common = shared('common')

    def answer(request: httpx2.Request) -> httpx2.Response:
        kind = request.url.path.rpartition('.')[2]
        return httpx2.Response(200, content=common.ASSETS[kind], headers={'content-type': common.ASSET_TYPES[kind]})

    class Client(httpx2.AsyncClient):
        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, 'transport': httpx2.MockTransport(answer)})

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, '', ('8.8.8.8', 443))]
    patch.setattr(socket, 'getaddrinfo', lambda *_, **__: found)
    patch.setattr(httpx2, 'AsyncClient', Client)
