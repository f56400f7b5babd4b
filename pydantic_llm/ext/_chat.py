"""`ChatEndpoint`: a model that is called with the bodies of Chat Completions, in this process and without HTTP.

Frameworks whose conversations are dicts of this API share it. It decodes and encodes with the functions of the gateway,
and adds what that API has no field for: see `EXTRAS`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing
from typing import Any, cast

from pydantic import ValidationError

from .._threads import BlockingContext, run_blocking
from .._type_checks import check_settings_type
from ..exceptions import UnexpectedModelBehavior, UserError
from ..json_types import Json
from ..messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from ..models import Model, infer_model
from ..models.names import SETTING_HOMES
from ..models.openai.chat.serve import StreamEncoder, decode_request, encode_response
from ..settings import ModelSettings, merge_model_settings
from ..streaming.stops import StopMatcher
from ..wire.message_dicts import read_dicts
from ..wire.served_stream import EncodedStream
from ..wire.serving import ServedRequest, end_pause

__all__ = ('EXTRAS', 'FAILED', 'ChatEndpoint')

EXTRAS = 'pydantic_llm'
"""The field of a body, or of the last chunk, for what Chat Completions has no field for.

It is an object with `provider_name`, with `warnings` if there are any, and with `message`: the response as JSON, if its
message does not hold all of it, such as signed thinking. Put `message` under the same name into the assistant's message
of the next request, and the model gets it back unchanged.
"""

FAILED = 'is_error'
"""A field of a tool's message: true if the tool failed. Chat Completions has none for that, other APIs do."""

OWN_SETTINGS = ModelSettings.__annotations__.keys() - {'tool_choice'}
"""Fields of a body that are settings of this library, such as `timeout`, `retries` and `thinking`."""

VENDOR_PREFIXES = tuple(SETTING_HOMES)
"""The beginnings of fields that are settings of one vendor, such as `anthropic_thinking`."""


class ChatEndpoint:
    """A model that takes and returns the JSON of Chat Completions."""

    def __init__(self, model: Model | str, settings: ModelSettings | None = None) -> None:
        check_settings_type(settings, parameter='settings')
        self.model = infer_model(model)
        self.settings = settings

    async def complete(self, body: Json) -> Json:
        """Send the request of a body, and return the body of the response. Raises the errors of `Model.request`."""
        served = self._decode(body)
        response = await self.model.request(served.messages, served.settings, served.parameters)
        encoded = encode_response(end_pause(response), served)
        choice = encoded['choices'][0]
        stops = StopMatcher(_list_stops(served))
        if text := choice['message'].get('content'):
            choice['message']['content'] = stops.feed(text) + stops.close()
        choice['finish_reason'] = _choose_finish_reason(choice, response, stops)
        return {**encoded, EXTRAS: _encode_extras(response, is_whole=stops.found is None)}

    async def stream(self, body: Json) -> AsyncGenerator[Json]:
        """Send the request of a body, and yield the chunks of the response. The last one has the usage.

        Raises the errors of `Model.request_stream`.
        """
        served = self._decode(body)
        served.options['include_usage'] = True
        async with self.model.request_stream(served.messages, served.settings, served.parameters) as stream:
            stops = StopMatcher(_list_stops(served))
            encoded = EncodedStream(StreamEncoder(served), served, stream)
            async for event in stream:
                for chunk in encoded.event(event):
                    yield _truncate_chunk(chunk, stops)
            response = stream.get()
            *first, last, usage = encoded.end(end_pause(response))
        for chunk in first:  # of a response without parts
            yield chunk
        choice = last['choices'][0]
        if held := stops.close():
            choice['delta']['content'] = held
        choice['finish_reason'] = _choose_finish_reason(choice, response, stops)
        yield last
        yield {**usage, EXTRAS: _encode_extras(response, is_whole=stops.found is None)}

    def complete_sync(self, body: Json) -> Json:
        """Do the same as `complete`, for callers that do not await. Works in any thread and inside a running loop."""
        return run_blocking(self.complete(body))

    def stream_sync(self, body: Json) -> Iterator[Json]:
        """Do the same as `stream`, for callers that do not await. Works in any thread and inside a running loop."""
        context = BlockingContext(aclosing(self.stream(body)), name='stream_sync')
        with context as chunks:
            yield from context.iterate(chunks)

    def _decode(self, body: Json) -> ServedRequest:
        """Decode a body. Raises `UserError` if it is not a valid request."""
        messages = read_dicts(body.get('messages'))
        kept = [message.pop(EXTRAS, None) for message in messages if message.get('role') == 'assistant']
        failed = {message['tool_call_id'] for message in messages if message.pop(FAILED, False)}
        given = {name: value for name, value in body.items() if value is not None}
        own = {name: given.pop(name) for name in [*given] if name in OWN_SETTINGS or name.startswith(VENDOR_PREFIXES)}
        served = decode_request({**given, 'model': self.model.model_id, 'messages': messages})
        _restore_responses(served.messages, kept)
        _mark_failed(served.messages, failed)
        settings = merge_model_settings(self.settings, served.settings)
        served.settings = merge_model_settings(settings, cast('ModelSettings', own)) or ModelSettings()
        return served


def _list_stops(served: ServedRequest) -> Sequence[str]:
    """Return the stop sequences: a model may have no such setting, and then goes on after them."""
    return served.settings.get('stop_sequences') or ()


def _truncate_chunk(chunk: Json, stops: StopMatcher) -> Json:
    delta: Json = chunk['choices'][0]['delta']
    if text := delta.get('content'):
        delta['content'] = stops.feed(text)
    return chunk


def _choose_finish_reason(choice: Json, response: ModelResponse, stops: StopMatcher) -> str:
    """Return a finish reason, which frameworks require."""
    if stops.found is not None:
        return 'stop'
    return choice['finish_reason'] or ('tool_calls' if response.tool_calls else 'stop')


# ---------------------------------------------------------------------- what Chat Completions has no field for


def _encode_extras(response: ModelResponse, *, is_whole: bool) -> Json:
    extras: Json = {'provider_name': response.provider_name}
    if response.warnings:
        extras['warnings'] = response.warnings
    if is_whole and not (response.state == 'complete' and all(map(_is_plain, response.parts))):
        [extras['message']] = ModelMessagesTypeAdapter.dump_python([response], mode='json')
    return extras


def _is_plain(part: object) -> bool:
    """Return whether a message of Chat Completions holds all of a part."""
    return isinstance(part, (TextPart, ToolCallPart)) and not (part.id or part.provider_details or _has_citations(part))


def _has_citations(part: TextPart | ToolCallPart) -> bool:
    return isinstance(part, TextPart) and bool(part.citations)


def _restore_responses(messages: list[Any], kept: Sequence[Json | None]) -> None:
    """Replace decoded responses by those that were kept in `EXTRAS`, unless the message was changed since."""
    positions = [index for index, message in enumerate(messages) if isinstance(message, ModelResponse)]
    for index, stored in zip(positions, kept, strict=True):
        if stored is not None and _have_same_content(response := _load_response(stored), messages[index]):
            messages[index] = response


def _mark_failed(messages: Sequence[ModelMessage], ids: Collection[str]) -> None:
    """Set the outcome of the tool results with these ids, in place."""
    for part in (part for message in messages for part in message.parts if ids):
        if isinstance(part, ToolReturnPart) and part.tool_call_id in ids:
            part.outcome = 'failed'


def _load_response(stored: object) -> ModelResponse:
    try:
        [response] = ModelMessagesTypeAdapter.validate_python([stored])
    except ValidationError as error:
        raise UserError(f'{EXTRAS!r} of an assistant message is not a response of this library: {error}') from error
    if not isinstance(response, ModelResponse):
        raise UserError(f'{EXTRAS!r} of an assistant message is a request, not a response')
    return response


def _have_same_content(kept: ModelResponse, decoded: ModelResponse) -> bool:
    """Return whether both have the same text, but for the space between parts, and the same tool calls."""
    return _normalize_content(kept) == _normalize_content(decoded)


def _normalize_content(response: ModelResponse) -> object:
    texts = (part.content for part in response.parts if isinstance(part, TextPart))
    calls = [(call.tool_name, call.tool_call_id, _read_args(call)) for call in response.tool_calls]
    return ''.join(''.join(texts).split()), calls


def _read_args(call: ToolCallPart) -> object:
    try:
        return call.args_as_dict()
    except UnexpectedModelBehavior:
        return call.args
