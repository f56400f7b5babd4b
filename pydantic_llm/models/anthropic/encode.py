"""Encodes a request as the body of `POST /v1/messages`. Start at `encode`.

Past responses are in `encode_response`, the content of users in `content`, everything but the messages in `options`,
`thinking` and `cache`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    CachePoint,
    ModelMessage,
    ModelRequest,
    RetryPromptPart,
    SystemPromptPart,
    ThinkingPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
)
from ...profiles.anthropic import AnthropicModelProfile
from ...wire.files import content_items
from ...wire.json_body import JsonItems
from ...wire.known import KnownHistory
from ...wire.prepare import PreparedRequest
from .cache import Caching, choose_caching, encode_cache, mark_last
from .content import encode_content, encode_text, encode_tool_result, encode_tool_return
from .encode_response import ResponseEncoder
from .options import encode_output, encode_settings, encode_tools
from .thinking import encode_max_tokens, encode_thinking
from .turns import arrange, resumes_without_thinking


def encode(request: PreparedRequest, profile: AnthropicModelProfile) -> Json:
    """Encode the body of a request."""
    _check_files(request, profile)
    caching = choose_caching(request)
    conversation, written = encode_conversation(request, profile)
    thinking = encode_thinking(request, profile, resumed=resumes_without_thinking(conversation.turns))
    body: Json = {
        'model': request.model_name,
        'max_tokens': encode_max_tokens(request, profile, thinking),
        'messages': arrange(conversation.turns, request, profile, thinking),
        **encode_system(conversation.system, request, caching),
        **encode_tools(request, profile, thinking),
        **encode_settings(request, profile),
        **({'thinking': thinking.config} if thinking.config else {}),
        **encode_output(request, thinking),
    }
    if request.stream:
        body['stream'] = True
    body = encode_cache(body, caching, auto_cache=profile.anthropic_auto_cache)
    if written:
        body['messages'] = JsonItems(body['messages'][:1], written, body['messages'][1:])
    return body


def _check_files(request: PreparedRequest, profile: AnthropicModelProfile) -> None:
    """Raise `UserError` if the request refers to uploaded files and the server holds none."""
    known = request.get_known()
    may_have_files = known is None or known.has_items
    items = content_items(request.messages) if may_have_files and not profile.anthropic_has_files else ()
    if file := next((item for item in items if isinstance(item, UploadedFile)), None):
        raise UserError(f'{request.model_name!r} at {request.base_url} cannot read {file!r}: send its bytes or URL')


def encode_system(prompts: list[str], request: PreparedRequest, caching: Caching) -> Json:
    """Encode the system prompts as one text, followed by the instructions, which change more often."""
    prompt = '\n\n'.join(prompts)
    if not (request.instructions or caching.settings.get('anthropic_cache_instructions')):
        return {'system': prompt} if prompt else {}
    blocks = [block for text in (prompt, *request.instructions) for block in encode_text(text)]
    return {'system': blocks} if blocks else {}


def encode_conversation(
    request: PreparedRequest, profile: AnthropicModelProfile
) -> tuple[Conversation, Sequence[bytes]]:
    """Return the turns, except those between the first and the last ones whose JSON is known, and this JSON."""
    messages = request.messages
    known, last = _find_written_turns(request)
    conversation = Conversation(request, profile, ResponseEncoder(request, profile, () if known else messages))
    for message in messages[:1]:
        conversation.add(message, is_first=True)

    def encode_message(message: ModelMessage) -> list[Json]:
        return Conversation(request, profile, conversation.responses).add(message)

    written = known.encode(request, encode_message, 1, last) if known else ()
    for message in messages[last:]:
        conversation.add(message)
    if not conversation.turns:
        raise UserError('messages has no content of the user, which the Messages API requires')
    return conversation, written


def _find_written_turns(request: PreparedRequest) -> tuple[KnownHistory | None, int]:
    """Return what is known about the messages after the first one, and the index of the first that is not among them.

    The first message has the system prompts. The last turn of the model and the one after it decide about thinking, and
    get marks of the cache. Thinking at the end of a turn depends on the turns around it.
    """
    known, index = request.get_written(), len(request.messages)
    if known is None or known.has_later(SystemPromptPart) or known.has_last(ThinkingPart):
        return None, 1
    for kind in ('request', 'response'):
        while index and request.messages[index - 1].kind == kind:
            index -= 1
    return (known, index) if index > 1 and known.rules.blank_text == 'refused' else (None, 1)


class Conversation:
    """The turns of a conversation, and the system prompts, which are a field of their own in the body."""

    def __init__(self, request: PreparedRequest, profile: AnthropicModelProfile, responses: ResponseEncoder) -> None:
        self.turns: list[Json] = []
        self.system: list[str] = []
        self.responses = responses
        self._provider = request.system
        self._allows_inline_system = profile.anthropic_inline_system

    def add(self, message: ModelMessage, *, is_first: bool = False) -> list[Json]:
        """Add the turns of one message, and return all turns."""
        if isinstance(message, ModelRequest):
            self._add_request(message, is_first=is_first)
        elif blocks := self.responses.encode(message):
            self.turns.append({'role': 'assistant', 'content': blocks})
        return self.turns

    def _add_request(self, message: ModelRequest, *, is_first: bool) -> None:
        """Add a turn of the user: the tool results, which must precede everything else, then the user's content.

        A system prompt inside a conversation follows the turn, for models that accept it there.
        """
        results: list[Json] = []
        content: list[Json | CachePoint] = []
        prompts: list[str] = []
        for part in message.parts:
            match part:
                case SystemPromptPart(content=prompt):
                    is_inline = self._allows_inline_system and (content or results or not is_first)
                    (prompts if is_inline else self.system).extend([prompt] if prompt else [])
                case UserPromptPart():
                    content.extend(encode_content(part.items(), self._provider))
                case ToolReturnPart():
                    results.append(encode_tool_return(part, self._provider))
                case RetryPromptPart(tool_name=None):
                    content.extend(encode_text(part.model_response()))
                case RetryPromptPart():
                    blocks = list(encode_text(part.model_response()))
                    results.append(encode_tool_result(part.tool_call_id, blocks, is_error=True))
                case _:
                    assert_never(part)
        self._add_user_turn([*results, *content], prompts)

    def _add_user_turn(self, content: Iterable[Json | CachePoint], prompts: list[str]) -> None:
        blocks: list[Json] = []
        for item in content:
            if isinstance(item, CachePoint):
                self._mark_block_before(item, blocks)
            else:
                blocks.append(item)
        if not blocks:
            self.system.extend(prompts)
            return
        self.turns.append({'role': 'user', 'content': blocks})
        if prompts:
            system = [block for prompt in prompts for block in encode_text(prompt)]
            self.turns.append({'role': 'system', 'content': system})

    def _mark_block_before(self, point: CachePoint, blocks: list[Json]) -> None:
        """Mark the block before a cache point: one of this turn's `blocks`, or the end of the last turn."""
        last_turn: list[Json] = self.turns[-1]['content'] if self.turns else []
        if not (mark_last(blocks, point.ttl) or mark_last(last_turn, point.ttl)):
            raise UserError('CachePoint() has nothing before it that could be cached: put it after some content')
