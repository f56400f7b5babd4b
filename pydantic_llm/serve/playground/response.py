"""`respond`: the response to a request of the page, as the objects that the page reads line by line."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from time import perf_counter
from typing import Any, cast

from pydantic_core import to_json

from ...agent import Agent, AgentRunResult
from ...agent.result import AgentRunResultEvent
from ...exceptions import LLMError, UserError
from ...json_types import Json
from ...messages import (
    BinaryContent,
    FilePart,
    FunctionToolResultEvent,
    ModelMessagesTypeAdapter,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartStartEvent,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
)
from ...models import Model
from ...settings import ModelSettings
from ...tools.tool import Tool
from ...transport.log import capture_exchanges
from .page_request import PageRequest

__all__ = ('respond',)

logger: logging.Logger = logging.getLogger('pydantic_llm.serve')


async def respond(request: PageRequest, model: Model, tools: Sequence[Tool[Any]]) -> AsyncGenerator[Json]:
    """Yield what happens until the model has responded and its tools have run.

    The last object has the `kind` `end` or `error`; the one before it is `wire`, with the requests to the vendor.
    """
    started = perf_counter()
    with capture_exchanges() as exchanges:
        last: Json = {'kind': 'error', 'message': 'The response has no end.'}
        try:
            async with aclosing(_run_agent(request, model, tools)) as lines:
                async for last in lines:
                    if last['kind'] != 'end':
                        yield last
        except Exception as error:
            if not isinstance(error, LLMError):
                logger.exception('A tool of the playground, or its model, failed')
            last = {'kind': 'error', 'type': type(error).__name__, 'message': str(error)}
        yield {'kind': 'wire', 'exchanges': [asdict(exchange) for exchange in exchanges]}
        yield {**last, 'seconds': perf_counter() - started}


async def _run_agent(request: PageRequest, model: Model, tools: Sequence[Tool[Any]]) -> AsyncGenerator[Json]:
    agent: Agent[None, Any] = Agent(model, tools=tools, instructions=request.instructions or None)
    content, history = request.list_content(), request.read_history()
    settings = cast('ModelSettings', request.settings)
    async with agent.run_stream_events(content, message_history=history, model_settings=settings) as events:
        async for event in events:
            match event:
                case PartStartEvent():
                    yield {'kind': 'part', 'index': event.index, **_encode_part(event.part)}
                case PartDeltaEvent(delta=TextPartDelta(content_delta=str(text))):
                    yield {'kind': 'delta', 'index': event.index, 'text': text}
                case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str(text))):
                    yield {'kind': 'delta', 'index': event.index, 'text': text}
                case PartDeltaEvent(delta=ToolCallPartDelta(args_delta=str(text))):
                    yield {'kind': 'delta', 'index': event.index, 'text': text}
                case PartDeltaEvent(delta=ToolCallPartDelta(args_delta=dict(args))):  # it replaces those before
                    yield {'kind': 'delta', 'index': event.index, 'text': to_json(args).decode(), 'replaces': True}
                case FunctionToolResultEvent():
                    yield _encode_result(event)
                case AgentRunResultEvent():
                    yield _encode_end(event.result)
                case _:
                    pass


def _encode_part(part: object) -> Json:
    match part:
        case TextPart():
            return {'part': 'text', 'text': part.content}
        case ThinkingPart():
            return {'part': 'thinking', 'text': part.content}
        case ToolCallPart():
            return {
                'part': 'call',
                'id': part.tool_call_id,
                'name': part.tool_name,
                'text': part.args_as_json_str() if part.args else '',
            }
        case FilePart(content=BinaryContent() as file):
            return {'part': 'file', **_encode_shown_file(file)}
        case NativeToolCallPart():
            return {'part': 'native', 'name': part.tool_name, 'text': part.args_as_json_str()}
        case NativeToolReturnPart():
            return {'part': 'native', 'name': f'{part.tool_name}: result', 'text': _shorten(part.content)}
        case _:
            return {'part': 'other', 'text': repr(part)}


def _shorten(content: object) -> str:
    """Return content as text. Files in it would be long."""
    return content if isinstance(content, str) else repr(content)[:10_000]


def _encode_result(event: FunctionToolResultEvent) -> Json:
    result = event.result
    failed = not (isinstance(result, ToolReturnPart) and result.outcome == 'success')
    found: list[object] = [*result.files] if isinstance(result, ToolReturnPart) else []
    if event.content is not None and not isinstance(event.content, str):
        found += event.content
    files = [_encode_shown_file(file) for file in found if isinstance(file, BinaryContent)]
    line = {'kind': 'result', 'id': result.tool_call_id, 'name': result.tool_name, 'failed': failed}
    return {**line, 'text': _describe_result(result), **({'files': files} if files else {})}


def _describe_result(result: ToolReturnPart | RetryPromptPart) -> str:
    """Return a result as text, without its files."""
    if not isinstance(result, ToolReturnPart):
        return result.model_response()
    if not result.files:
        return result.model_response_str()
    return '\n'.join(replace(result, content=item).model_response_str() for item in result.without_files())


def _encode_shown_file(file: BinaryContent) -> Json:
    return {'media_type': file.media_type, 'data': b64encode(file.data).decode()}


def _encode_end(result: AgentRunResult[Any]) -> Json:
    usage = result.usage()
    response = result.response
    return {
        'kind': 'end',
        'messages': ModelMessagesTypeAdapter.dump_python(result.all_messages(), mode='json'),
        'model': response.model_name,
        'finish_reason': response.finish_reason,
        'warnings': [str(warning) for warning in response.warnings],
        'usage': {'requests': usage.requests, 'input': usage.input_tokens, 'output': usage.output_tokens},
        'cost': _find_cost(result),
    }


def _find_cost(result: AgentRunResult[Any]) -> str | None:
    """Return the price of the run in US dollars; `None` if it is unknown."""
    try:
        cost = result.cost()
    except UserError:  # `genai-prices` is not installed
        return None
    return f'{cost.total_price:f}' if cost.breakdown and not cost.unpriced else None
