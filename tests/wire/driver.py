"""Runs a room on a recording, through the SDK's own client and a transport that returns the recorded responses.

The runner of the recordings calls `decode`, `roundtrip` and `encode`. A `wire` holds the recorded responses, and the
requests that were sent to it.
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


def make_model(vendor: str, model: str, wire: Any) -> Model:
    """Build the model of a vendor on a wire."""
    name = vendor.partition('@')[0]
    return VENDORS[name](model, wire.httpx_client('httpx' if name in HTTPX else 'httpx2'))


def hello() -> list[ModelMessage]:
    """Return the first message of every recorded conversation."""
    return [ModelRequest([UserPromptPart(shared('common').HELLO)])]


def recording_settings() -> ModelSettings:
    """Return the settings of every recorded request."""
    return cast('ModelSettings', dict(shared('common').DECODE_SETTINGS))


async def request(model: Model, messages: Sequence[ModelMessage], *, stream: bool) -> ModelResponse:
    """Send a request, with or without streaming, and return the response."""
    settings = recording_settings()
    if not stream:
        return await model.request(messages, settings)
    async with model.request_stream(messages, settings) as streamed:
        async for _ in streamed:
            pass
        return streamed.get()


async def decode(case: Json, wire: Any) -> Json:
    """Decode a recorded response, and return it in the form of the recordings."""
    normalize = shared('normalize')
    model = make_model(case['vendor'], case['model'], wire)
    try:
        response = await request(model, hello(), stream=case['stream'])
    except LLMError as error:
        failure: Json = normalize.error(error)
        return failure
    decoded: Json = normalize.response(response, known=shared('common').wire_text(case))
    return decoded


async def roundtrip(case: Json, wire: Any) -> str | None:
    """Send a recorded response back as history. Return None if a request is on the wire, else why none was sent."""
    model = make_model(case['vendor'], case['model'], wire)
    try:
        response = await request(model, hello(), stream=case['stream'])
    except LLMError as error:
        return f'the response is an error: {type(error).__name__}'
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    ok, following = shared('common').TOOL_RESULT, UserPromptPart(shared('common').NEXT)
    results = [ToolReturnPart(call.tool_name, ok, call.tool_call_id) for call in calls]
    recorded = shared('common').function_tools(case)
    tools = [ToolDefinition(tool['name'], tool['parameters'], tool['description']) for tool in recorded]
    wire.responses[wire._i :] = [REFUSAL]
    history = [*hello(), response, ModelRequest(results or [following])]
    return await send(
        model, history, recording_settings(), ModelRequestParameters(function_tools=tools), wire, stream=False
    )


async def encode(case: Json, vendor: str, wire: Any) -> str | None:
    """Send a hand-written history. Return None if a request is on the wire, else why none was sent."""
    wire.responses = [REFUSAL]
    model = make_model(vendor, shared('common').DEFAULT_MODELS[vendor], wire)
    text = json.dumps(case['messages']).replace('$PROVIDER', model.system)
    messages = ModelMessagesTypeAdapter.validate_json(text)
    with pytest.MonkeyPatch.context() as patch:
        serve_downloads(patch)
        return await send(
            model, messages, case['settings'] or None, build_parameters(case['parameters']), wire, stream=case['stream']
        )


def build_parameters(row: Json) -> ModelRequestParameters:
    """Build the request parameters of a hand-written case."""
    tools = {
        key: [ToolDefinition(**tool) for tool in row[key]] for key in ('function_tools', 'output_tools') if key in row
    }
    output = row.get('output_object')
    return ModelRequestParameters(
        **{**row, **tools, 'output_object': OutputObjectDefinition(**output) if output else None}
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
    """Send a request and ignore its response. Return None if it is on the wire, else why none was sent."""
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
    """Replace DNS and HTTP: every name resolves to a public address, with a file of each type."""
    common = shared('common')

    def respond(request: httpx2.Request) -> httpx2.Response:
        kind = request.url.path.rpartition('.')[2]
        return httpx2.Response(200, content=common.ASSETS[kind], headers={'content-type': common.ASSET_TYPES[kind]})

    class Client(httpx2.AsyncClient):
        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, 'transport': httpx2.MockTransport(respond)})

    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, '', ('8.8.8.8', 443))]
    patch.setattr(socket, 'getaddrinfo', lambda *_, **__: addresses)
    patch.setattr(httpx2, 'AsyncClient', Client)
