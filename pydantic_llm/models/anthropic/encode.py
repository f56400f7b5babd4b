"""Messages → the body of `POST /v1/messages`. Start at `encode`."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
from ...profiles.anthropic import AnthropicModelProfile
from ...wire.prepare import PreparedRequest
from .cache import encode_cache, mark
from .content import encode_content, encode_tool_return, text, tool_result
from .encode_response import Past, encode_response
from .options import encode_output, encode_settings, encode_tools
from .thinking import encode_max_tokens, encode_thinking

TOOL_CALL_ID = re.compile(r'[a-zA-Z0-9_-]+')
"""The ids that the API takes."""


def encode(request: PreparedRequest, profile: AnthropicModelProfile) -> Json:
    """The body of a request."""
    conversation = Conversation(request, profile)
    thinking = encode_thinking(request, profile, resumed=conversation.resumes_without_thoughts)
    body: Json = {
        'model': request.model_name,
        'max_tokens': encode_max_tokens(request, profile, thinking),
        'messages': conversation.turns,
        **encode_system(conversation.system, request),
        **encode_tools(request, profile, thinking),
        **encode_settings(request),
        **({'thinking': thinking.config} if thinking.config else {}),
        **encode_output(request, thinking),
    }
    if request.stream:
        body['stream'] = True
    return encode_cache(body, request.options)


def encode_system(prompts: list[str], request: PreparedRequest) -> Json:
    """The system prompts as one text, and the instructions, which change more often, behind them."""
    prompt = '\n\n'.join(prompts)
    if not (request.instructions or request.options.get('anthropic_cache_instructions')):
        return {'system': prompt} if prompt else {}
    blocks = [block for words in (prompt, *request.instructions) for block in text(words)]
    return {'system': blocks} if blocks else {}


class Conversation:
    """The turns of a conversation, and the system prompts that come before all of them."""

    def __init__(self, request: PreparedRequest, profile: AnthropicModelProfile) -> None:
        self.turns: list[Json] = []
        self.system: list[str] = []
        self._provider = request.system
        self._inline = profile.anthropic_inline_system
        self._past = Past(
            request.system,
            profile.thinking_tags,
            frozenset(tool.name for tool in request.parameters.tools),
            _defines_advisor(request),
        )
        messages = map_tool_call_ids(
            request.messages, accepts=lambda id: bool(TOOL_CALL_ID.fullmatch(id)), make=lambda n: f'toolu_{n}'
        )
        self._past.look_at(messages)
        for position, message in enumerate(messages):
            self._add(message, first=position == 0)
        for note in self._past.notes:
            request.note(note)
        if not self.turns:
            raise UserError('messages holds nothing that the user says, and the Messages API answers nothing else')

    @property
    def resumes_without_thoughts(self) -> bool:
        """Whether the model takes up a turn that waited for tools, and that did not begin with thoughts."""
        if len(self.turns) < 2 or self.turns[-1]['content'][0]['type'] != 'tool_result':
            return False
        return self.turns[-2]['content'][0]['type'] not in ('thinking', 'redacted_thinking')

    def _add(self, message: ModelMessage, *, first: bool) -> None:
        match message:
            case ModelRequest():
                self._ask(message, first=first)
            case ModelResponse():
                if blocks := encode_response(message, self._past):
                    self.turns.append({'role': 'assistant', 'content': blocks})
            case _:
                assert_never(message)

    def _ask(self, message: ModelRequest, *, first: bool) -> None:
        """Add a turn of the user's: the answers of tools, which must come first, then what the user says.

        A system prompt in the middle of a conversation follows the turn, for models that listen to it there.
        """
        answers: list[Json] = []
        said: list[Json | CachePoint] = []
        prompts: list[str] = []
        for part in message.parts:
            match part:
                case SystemPromptPart(content=content):
                    inline = self._inline and (said or answers or not first)
                    (prompts if inline else self.system).extend([content] if content else [])
                case UserPromptPart():
                    said.extend(encode_content(part.items(), self._provider))
                case ToolReturnPart():
                    answers.append(encode_tool_return(part, self._provider))
                case RetryPromptPart(tool_name=None):
                    said.extend(text(part.model_response()))
                case RetryPromptPart():
                    blocks = list(text(part.model_response()))
                    answers.append(tool_result(part.tool_call_id, blocks, is_error=True))
                case _:
                    assert_never(part)
        self._end_turn([*answers, *said], prompts)

    def _end_turn(self, content: Iterable[Json | CachePoint], prompts: list[str]) -> None:
        blocks: list[Json] = []
        for item in content:
            if isinstance(item, CachePoint):
                self._cache(blocks, item)
            else:
                blocks.append(item)
        if not blocks:
            self.system.extend(prompts)
            return
        self.turns.append({'role': 'user', 'content': blocks})
        if prompts:
            self.turns.append({'role': 'system', 'content': [block for prompt in prompts for block in text(prompt)]})

    def _cache(self, blocks: list[Json], point: CachePoint) -> None:
        """Mark what comes before a cache point, in this turn or at the end of the last one."""
        before: list[Json] = self.turns[-1]['content'] if self.turns else []
        if not (mark(blocks, point.ttl) or mark(before, point.ttl)):
            raise UserError('CachePoint() has nothing before it that could be cached: put it behind some content')


def _defines_advisor(request: PreparedRequest) -> bool:
    tools = request.settings.get('extra_body', {}).get('tools', ())
    return any(str(tool.get('type', '')).startswith('advisor_') for tool in tools)
