"""Decodes a chat completion, or its chunks, into parts.

The `message` of a whole body and the `delta` of a chunk have the same fields, so the same methods decode both. Start at
`ChatDecoder.decode` and `decode_event`. Audio and images are in `decode_files`, a content that is a list in
`decode_chunks`, text and thinking in `decode_thinking`, token counts in `openai.decode_usage`.
"""

from __future__ import annotations

from typing import cast

from pydantic_core import from_json

from ....exceptions import UnexpectedModelBehavior
from ....json_types import Json
from ....messages import ToolCallPart
from ....profiles.openai import OpenAIModelProfile
from ....streaming.broken_off import is_broken_off, is_reason
from ....streaming.draft import ResponseDraft
from ....streaming.parts import LAST
from ....streaming.tool_calls import ToolCallAssembler
from ....transport.errors import error_from_event
from ....wire.counts import get_object
from ....wire.decoder import ResponseDecoder
from ....wire.logprobs import decode_logprobs
from ..content_filter import decode_content_filter_error
from ..decode_usage import UsageDecoder
from .decode_chunks import ChunkDecoder
from .decode_errors import find_error
from .decode_files import AudioDecoder, decode_image
from .decode_thinking import ThinkingDecoder
from .dialect import OPENAI, Dialect

DETAILS = (
    'service_tier',
    'moderation',
    'system_fingerprint',
    'citations',
    'search_results',
    'prompt_filter_results',
)
"""Fields of the body that are kept unchanged; `prompt_filter_results` holds Azure's verdicts on the prompt."""

CHOICE_DETAILS = ('native_finish_reason', 'content_filter_results')
"""Fields of a choice that are kept: the finish reason of the vendor behind OpenRouter, Azure's verdicts on the text."""

UNREAD = ('obfuscation',)
"""The field with random characters that hides the length of a chunk from observers of its encrypted size."""

FIELDS_WITH_EFFECT = ('error', 'logprobs', 'finish_reason')
"""Fields of a choice that have an effect each time."""

LATEST_SECONDS = 2**33
"""A `created` above this (the year 2242) is in milliseconds."""


class ChatDecoder(ResponseDecoder):
    """Decodes one chat completion in a dialect."""

    def __init__(self, draft: ResponseDraft, profile: OpenAIModelProfile, dialect: Dialect = OPENAI) -> None:
        super().__init__(draft)
        self.profile = profile
        self.dialect = dialect
        self._is_streamed = True
        self._saw_done = False
        self._usage = UsageDecoder(draft, hides_thinking=profile.openai_hides_thinking_tokens)
        self._has_refusal = False
        self._text = ThinkingDecoder(draft, profile)
        self._calls = ToolCallAssembler(draft.parts, draft.tool_names)
        self._has_tool_calls = False
        self._audio = AudioDecoder(draft)
        self._chunks = ChunkDecoder(draft, self._text.add_text)

    def decode(self, body: Json) -> None:
        """Decode a whole body as if it were one chunk."""
        draft = self.draft
        if self.dialect.decode_event:
            body = self.dialect.decode_event(body, draft)
        if 'choices' not in body and not find_error(body):
            raise UnexpectedModelBehavior(f'The response of {draft.provider_name} has no choices', str(body)[:2000])
        self._is_streamed = self._text.is_streamed = False
        choices: list[Json] = body.get('choices') or []
        self._decode_chunk({**body, 'choices': [_as_chunk_choice(choice) for choice in choices]})
        if choices:
            draft.complete()
        self.decode_end()
        draft.parts.end()

    def decode_event(self, event: Json) -> None:
        """Decode one chunk. The one with a finish reason completes the response; usage may still follow."""
        self._decode_chunk(self.dialect.decode_event(event, self.draft) if self.dialect.decode_event else event)
        match event:
            case {'choices': [{'delta': dict()} as choice]} if not any(map(choice.get, FIELDS_WITH_EFFECT)):
                self._remember(event, choice['delta'])
            case _:
                pass

    def _remember(self, event: Json, delta: Json) -> None:
        """Remember a chunk that only adds text, thinking or arguments. Its other facts are those of the next chunks."""
        fields = [name for name, value in delta.items() if value and name != 'role']
        if len(fields) != 1:
            return
        path = ('choices', 0, 'delta', fields[0])
        match delta:
            case {'tool_calls': [{'function': {'arguments': str() as args}} as call]} if args:
                if not (call['function'].get('name') or call.get('extra_content')):
                    add = self._calls.find_adder(index=call.get('index'), id=call.get('id') or None)
                    self.repeats.remember(event, (*path, 0, 'function', 'arguments'), add, unread=UNREAD)
            case _ if add_text := self._text.find_adder(fields[0]):
                self.repeats.remember(event, path, add_text, unread=UNREAD)
            case _:
                pass

    def decode_done(self) -> None:
        """Record that `[DONE]` ended the stream: an end, also without a finish reason (sglang#4550, opencode#43882)."""
        self._saw_done = True

    def decode_end(self) -> None:
        """Emit the text that could have become a thinking tag, and add what only the whole response shows."""
        draft = self.draft
        self._text.finish()
        self._calls.finish()
        self._audio.finish()
        if self._has_refusal:
            draft.finish_reason = 'content_filter'
        if 'finish_reason' not in draft.provider_details:
            self._end_without_reason()

    def _end_without_reason(self) -> None:
        """Complete a response that names no finish reason, if its end is certain. No reason is invented for it.

        Snowflake never names one, so that its reasons follow from the parts: recording
        snowflake__test_snowflake_model_streaming__0_3af07a.
        """
        draft = self.draft
        if self.profile.openai_ends_silently and draft.finish_reason is None:
            draft.complete()
            draft.finish_reason = 'tool_call' if self._calls else 'stop'
        elif self._saw_done and self._has_finished_parts():
            draft.complete()

    def _has_finished_parts(self) -> bool:
        """Return whether there are parts, and no tool call among them was truncated."""
        parts = self.draft.parts.get()
        return bool(parts) and not any(isinstance(part, ToolCallPart) and _has_truncated_args(part) for part in parts)

    def _decode_chunk(self, event: Json) -> None:
        draft = self.draft
        if error := find_error(event):
            if decode_content_filter_error(error, draft):
                return
            raise error_from_event(error, model_name=draft.model_name, provider_name=draft.provider_name)
        self._record_metadata(event)
        choices: list[Json] = event.get('choices') or []
        for choice in choices[:1]:
            # OpenRouter reports a vendor's error inside a choice: https://openrouter.ai/docs/api-reference/errors
            if choice.get('error'):
                raise error_from_event(choice, model_name=draft.model_name, provider_name=draft.provider_name)
            tokens = self._record_logprobs(choice.get('logprobs'))
            # Some servers send their whole body as the only event; Perplexity repeats it with each `delta`.
            delta: Json = (choice.get('delta') if 'delta' in choice else choice.get('message')) or {}
            if delta or tokens:
                self._decode_delta(delta, tokens)
            if is_reason(reason := choice.get('finish_reason')):
                # OpenRouter may end a response that its vendor broke off with `stop`: pi#8511
                native = choice.get('native_finish_reason')
                draft.finish(native if is_broken_off(native) else reason, self.dialect.known_finish_reasons)
                draft.complete()
            draft.provider_details.update({name: choice[name] for name in CHOICE_DETAILS if choice.get(name)})

    # ---------------------------------------------------------------------- facts about the response

    def _record_metadata(self, event: Json) -> None:
        draft = self.draft
        draft.model_name = event.get('model') or draft.model_name
        draft.provider_response_id = event.get('id') or draft.provider_response_id
        created: object = event.get('created')
        if isinstance(created, int | float) and created > 0:
            draft.record_time(created if created < LATEST_SECONDS else created / 1000)
        self._usage.record(event, *(event.get('choices') or ())[:1])
        draft.provider_details.update({name: event[name] for name in DETAILS if event.get(name)})
        if downstream := event.get('provider'):
            draft.provider_details['downstream_provider'] = downstream

    def _record_logprobs(self, logprobs: object) -> list[Json]:
        """Keep the vendor's log probabilities with the response, and return those of the text."""
        if tokens := decode_logprobs(logprobs):
            raw: list[Json] = get_object(logprobs).get('content') or tokens
            self.draft.provider_details.setdefault('logprobs', []).extend(raw)
        return tokens

    # ---------------------------------------------------------------------- parts

    def _decode_delta(self, delta: Json, tokens: list[Json]) -> None:
        """Decode thinking, text, then tool calls: the order in which the model writes them."""
        draft = self.draft
        details: list[Json] = delta.get('reasoning_details') or []
        for position, detail in enumerate(details):
            self._text.decode_detail(detail, position)
        if not details:
            self._text.decode_fields(delta)
        if self.dialect.decode_native_tools:
            self.dialect.decode_native_tools(delta, draft)
        self._decode_content(delta, tokens)
        calls: Json | list[Json] = delta.get('tool_calls') or []
        for call in [calls] if isinstance(calls, dict) else calls:  # older versions of TGI stream one call, not a list
            if call:
                self._text.release()
                self._has_tool_calls = True
                self._decode_tool_call(call)
        if function := delta.get('function_call'):
            self._decode_function_call(function)
        if refusal := delta.get('refusal'):
            self._has_refusal = True
            draft.add_refusal(refusal)
        if annotations := delta.get('annotations'):
            draft.provider_details.setdefault('annotations', []).extend(annotations)
        if audio := delta.get('audio'):
            self._audio.decode(audio)
        for image in delta.get('images') or ():
            decode_image(image, draft)

    def _decode_content(self, delta: Json, tokens: list[Json]) -> None:
        content: object = delta.get('content')
        if tokens and (content or not _has_other_content(delta)):
            self.draft.parts.logprobs(LAST, tokens)
        if isinstance(content, list):
            self._chunks.decode(cast('list[Json]', content))
        elif content:
            self._text.add_text(content)

    def _decode_tool_call(self, call: Json) -> None:
        """Decode a tool call or a fragment of one. In a whole response, each item is a tool call."""
        function: Json = call.get('function') or call
        fields: Json = {'id': call.get('id') or None, 'name': function.get('name') or None}
        # Gemini's OpenAI endpoint: https://ai.google.dev/gemini-api/docs/thought-signatures
        if extra := call.get('extra_content'):
            fields |= {'provider_name': self.draft.provider_name, 'provider_details': {'extra_content': extra}}
        if self._is_streamed:
            self._calls.feed(index=call.get('index'), args=function.get('arguments'), **fields)
        else:
            self._calls.add(args=function.get('arguments'), **fields)

    def _decode_function_call(self, function: Json) -> None:
        """Decode the only call of the API before tools, unless it repeats one of `tool_calls`.

        https://platform.openai.com/docs/api-reference/chat/object
        """
        name, args = function.get('name') or None, function.get('arguments')
        if (name or args) and not self._has_tool_calls:
            self._calls.feed(index='function_call', id=None, name=name, args=args)


def _as_chunk_choice(choice: Json) -> Json:
    """Return a choice of a whole body as one of a chunk. Some servers send a `delta` in whole bodies too."""
    return {**choice, 'delta': choice['message'] if 'message' in choice else choice['delta']}


def _has_truncated_args(call: ToolCallPart) -> bool:
    try:
        from_json(call.args_as_json_str())
    except ValueError:
        return True
    return False


def _has_other_content(delta: Json) -> bool:
    """Return whether the tokens of a chunk without text are those of thinking or of a tool call.

    Otherwise they are part of a character, or the end of the text.
    """
    return any(value and name not in ('role', 'content') for name, value in delta.items())
