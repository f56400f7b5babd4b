"""Messages → the body of `POST /model/{model}/converse`. Start at `encode`."""

from __future__ import annotations

import re
from typing import assert_never

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    CachePoint,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from ...messages.history import map_tool_call_ids
from ...profiles.bedrock import BedrockModelProfile
from ...wire.prepare import PreparedRequest
from .cache import add_point, cache_point, encode_cache
from .content import ContentEncoder, text
from .encode_response import encode_response
from .options import encode_output, encode_settings, encode_tools
from .thinking import encode_thinking
from .turns import arrange

TOOL_CALL_ID = re.compile(r'[a-zA-Z0-9_-]{1,64}')
"""The ids that all models take; the API itself takes points and colons too."""


def encode(request: PreparedRequest, profile: BedrockModelProfile) -> Json:
    """The body of a request. The model's name and the wish for a stream stand in the address."""
    conversation = Conversation(request, profile)
    turns = arrange(conversation.turns, profile)
    thinking = encode_thinking(request, profile, resumed=resumes_without_thoughts(turns))
    tools = encode_tools(request, profile, thinking, turns)
    system = [block for words in (*conversation.system, *request.instructions) for block in text(words)]
    body: Json = {
        'messages': turns,
        **({'system': system} if system else {}),
        **encode_settings(request, profile, thinking, tools.fields),
        **({'toolConfig': tools.config} if tools.config else {}),
        **encode_output(request, thinking),
    }
    return encode_cache(body, request, profile)


def resumes_without_thoughts(turns: list[Json]) -> bool:
    """Whether the model takes up a turn that waited for tools, and that did not begin with thoughts."""
    if len(turns) < 2 or 'toolResult' not in turns[-1]['content'][0]:
        return False
    return 'reasoningContent' not in turns[-2]['content'][0]


class Conversation:
    """The turns of a conversation as they were, and the system prompts that come before all of them."""

    def __init__(self, request: PreparedRequest, profile: BedrockModelProfile) -> None:
        self.turns: list[Json] = []
        self.system: list[str] = []
        self._request = request
        self._profile = profile
        self._content = ContentEncoder(request.system, request.model_name, profile)
        messages = map_tool_call_ids(
            request.messages, accepts=lambda id: bool(TOOL_CALL_ID.fullmatch(id)), make=lambda n: f'tooluse_{n}'
        )
        for message in messages:
            self._add(message)
        if not self.turns:
            raise UserError('messages holds nothing that the user says, and the Converse API answers nothing else')

    def _add(self, message: ModelMessage) -> None:
        match message:
            case ModelRequest():
                self._ask(message)
            case ModelResponse():
                if blocks := encode_response(message, self._request, self._profile):
                    self.turns.append({'role': 'assistant', 'content': blocks})
            case _:
                assert_never(message)

    def _ask(self, message: ModelRequest) -> None:
        """Add a turn of the user's: the results of tools, which must come first, then what the user says."""
        results: list[Json] = []
        files: list[Json] = []
        said: list[Json | CachePoint] = []
        for part in message.parts:
            match part:
                case SystemPromptPart(content=content):
                    self.system.append(content)
                case UserPromptPart():
                    said.extend(self._content.content(part.items()))
                case ToolReturnPart():
                    result, after = self._content.tool_return(part)
                    results.append(result)
                    files += after
                case RetryPromptPart(tool_name=None):
                    said.extend(text(part.model_response()))
                case RetryPromptPart():
                    results.append(self._content.retry(part))
                case _:
                    assert_never(part)
        self._end_turn([*results, *files, *said])

    def _end_turn(self, content: list[Json | CachePoint]) -> None:
        blocks: list[Json] = []
        for item in content:
            if isinstance(item, CachePoint):
                self._cache(blocks, item)
            else:
                blocks.append(item)
        if blocks:
            self.turns.append({'role': 'user', 'content': blocks})

    def _cache(self, blocks: list[Json], point: CachePoint) -> None:
        """Put a cache point behind what comes before it, in this turn or at the end of the last one."""
        if 'messages' not in self._profile.bedrock_cache:
            self._request.note(f'CachePoint() was not sent: {self._request.model_name!r} cannot cache messages')
            return
        before: list[Json] = self.turns[-1]['content'] if self.turns and not blocks else blocks
        if not add_point(before, cache_point(point.ttl, self._request, self._profile)):
            raise UserError(
                'CachePoint() has nothing before it that could be cached: put it behind some text or an image'
            )
