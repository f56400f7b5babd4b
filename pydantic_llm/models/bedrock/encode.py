"""Encodes messages as the body of `POST /model/{model}/converse`. Start at `encode`."""

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
    UserPromptPart,
)
from ...profiles.bedrock import BedrockModelProfile
from ...wire.prepare import PreparedRequest
from .cache import add_cache_point, encode_cache, make_cache_point
from .content import ContentEncoder, encode_text
from .encode_response import ResponseEncoder
from .options import encode_output, encode_settings, encode_tools
from .thinking import encode_thinking
from .turns import arrange


def encode(request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """Encode the body of a request. The path has the model's name, and whether to stream."""
    conversation = Conversation(request, profile)
    turns = arrange(conversation.turns, request, profile)
    thinking = encode_thinking(request, profile, resumed=resumes_without_thinking(turns))
    tools = encode_tools(request, profile, thinking, turns)
    system = [block for prompt in (*conversation.system, *request.instructions) for block in encode_text(prompt)]
    body: Json = {
        'messages': turns,
        **({'system': system} if system else {}),
        **encode_settings(request, profile, thinking, tools.fields),
        **({'toolConfig': tools.config} if tools.config else {}),
        **encode_output(request, thinking),
    }
    return encode_cache(body, request, profile)


def resumes_without_thinking(turns: list[Json]) -> bool:
    """Return whether the model continues a turn that it did not begin with thinking."""
    last = turns[-1]
    if last['role'] != 'assistant':
        if len(turns) < 2 or 'toolResult' not in last['content'][0]:
            return False
        last = turns[-2]
    return 'reasoningContent' not in last['content'][0]


class Conversation:
    """The turns of a conversation, not arranged yet, and the system prompts, which are a field of their own."""

    def __init__(self, request: PreparedRequest, profile: BedrockModelProfile) -> None:
        self.turns: list[Json] = []
        self.system: list[str] = []
        self._request = request
        self._profile = profile
        self._content = ContentEncoder(request.system, request.model_name, profile)
        responses = ResponseEncoder(request, profile)
        for message in request.messages:
            if isinstance(message, ModelRequest):
                self._add_request(message)
            elif blocks := responses.encode(message):
                self.turns.append({'role': 'assistant', 'content': blocks})
        if not self.turns:
            raise UserError('messages has no content of the user, which the Converse API requires')

    def _add_request(self, message: ModelRequest) -> None:
        """Add a turn of the user: the tool results, which must come first, their files, then the user's content."""
        results: list[Json] = []
        files: list[Json] = []
        content: list[Json | CachePoint] = []
        for part in message.parts:
            match part:
                case SystemPromptPart(content=prompt):
                    self.system.append(prompt)
                case UserPromptPart():
                    content.extend(self._content.encode_content(part.items()))
                case ToolReturnPart():
                    result, after = self._content.encode_tool_return(part)
                    results.append(result)
                    files += after
                case RetryPromptPart(tool_name=None):
                    content.extend(encode_text(part.model_response()))
                case RetryPromptPart():
                    results.append(self._content.encode_retry(part))
                case _:
                    assert_never(part)
        self._add_user_turn([*results, *files, *content])

    def _add_user_turn(self, content: Iterable[Json | CachePoint]) -> None:
        blocks: list[Json] = []
        for item in content:
            if isinstance(item, CachePoint):
                self._add_cache_point(item, blocks)
            else:
                blocks.append(item)
        if blocks:
            self.turns.append({'role': 'user', 'content': blocks})

    def _add_cache_point(self, point: CachePoint, blocks: list[Json]) -> None:
        """Add a cache point to the `blocks` of this turn, or to the last turn if this turn has no blocks yet."""
        if 'messages' not in self._profile.bedrock_cache:
            self._request.drop_cache_point()
            return
        before: list[Json] = self.turns[-1]['content'] if self.turns and not blocks else blocks
        if not add_cache_point(before, make_cache_point(point.ttl, self._request, self._profile)):
            raise UserError(
                'CachePoint() has nothing before it that could be cached: put it after some text or an image'
            )
