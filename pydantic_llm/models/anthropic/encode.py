"""Encodes a request as the body of `POST /v1/messages`. Start at `encode`.

Past responses are in `encode_response`, the content of users in `content`, everything but the messages in `options`,
`thinking` and `cache`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    CachePoint,
    ModelRequest,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
)
from ...profiles.anthropic import AnthropicModelProfile
from ...wire.files import content_items
from ...wire.prepare import PreparedRequest
from .cache import encode_cache, mark_last
from .content import encode_content, encode_text, encode_tool_result, encode_tool_return
from .encode_response import ResponseEncoder
from .options import encode_output, encode_settings, encode_tools
from .thinking import encode_max_tokens, encode_thinking
from .turns import arrange, resumes_without_thinking


def encode(request: PreparedRequest, profile: AnthropicModelProfile) -> Json:
    """Encode the body of a request."""
    _check_files(request, profile)
    conversation = Conversation(request, profile)
    thinking = encode_thinking(request, profile, resumed=resumes_without_thinking(conversation.turns))
    body: Json = {
        'model': request.model_name,
        'max_tokens': encode_max_tokens(request, profile, thinking),
        'messages': arrange(conversation.turns, request, profile, thinking),
        **encode_system(conversation.system, request),
        **encode_tools(request, profile, thinking),
        **encode_settings(request, profile),
        **({'thinking': thinking.config} if thinking.config else {}),
        **encode_output(request, thinking),
    }
    if request.stream:
        body['stream'] = True
    return encode_cache(body, request.options, auto_cache=profile.anthropic_auto_cache)


def _check_files(request: PreparedRequest, profile: AnthropicModelProfile) -> None:
    """Raise `UserError` if the request refers to uploaded files and the server holds none."""
    items = () if profile.anthropic_has_files else content_items(request.messages)
    if file := next((item for item in items if isinstance(item, UploadedFile)), None):
        raise UserError(f'{request.model_name!r} at {request.base_url} cannot read {file!r}: send its bytes or URL')


def encode_system(prompts: list[str], request: PreparedRequest) -> Json:
    """Encode the system prompts as one text, followed by the instructions, which change more often."""
    prompt = '\n\n'.join(prompts)
    if not (request.instructions or request.options.get('anthropic_cache_instructions')):
        return {'system': prompt} if prompt else {}
    blocks = [block for text in (prompt, *request.instructions) for block in encode_text(text)]
    return {'system': blocks} if blocks else {}


class Conversation:
    """The turns of a conversation, and the system prompts, which are a field of their own in the body."""

    def __init__(self, request: PreparedRequest, profile: AnthropicModelProfile) -> None:
        self.turns: list[Json] = []
        self.system: list[str] = []
        self._provider = request.system
        self._allows_inline_system = profile.anthropic_inline_system
        responses = ResponseEncoder(request, profile, request.messages)
        for message in request.messages:
            if isinstance(message, ModelRequest):
                self._add_request(message, is_first=message is request.messages[0])
            elif blocks := responses.encode(message):
                self.turns.append({'role': 'assistant', 'content': blocks})
        if not self.turns:
            raise UserError('messages has no content of the user, which the Messages API requires')

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
