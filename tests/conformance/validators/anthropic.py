"""The rules of Anthropic's Messages: https://platform.claude.com/docs/en/api/messages/create."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from anthropic.types import MessageParam, TextBlockParam
from anthropic.types.beta import BetaMessageParam
from anthropic.types.beta.message_create_params import MessageCreateParamsBase as BetaMessageCreateParams
from anthropic.types.message_create_params import MessageCreateParamsBase

from tests.conformance.validators import shapes
from tests.conformance.validators.rules import (
    NAME,
    Json,
    check_both,
    check_json,
    check_pairs,
    check_pattern,
    check_unique,
    is_blank,
)

ID = re.compile(r'[a-zA-Z0-9_-]+')
"""tailcallhq/forgecode#1142: "messages.5.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"."""

SERVER_ID = re.compile(r'srvtoolu_[a-zA-Z0-9_]+')
"""tingly-dev/tingly-box#1401: "server_tool_use.id: String should match pattern '^srvtoolu_[a-zA-Z0-9_]+$'"."""

CACHE_POINTS = 4
"""agentjido/req_llm#480: "A maximum of 4 blocks with cache_control may be provided"."""

THINKING = ('thinking', 'redacted_thinking')

SAMPLING = {'temperature', 'top_p', 'top_k'}
"""Parameters that the SDK has no longer and older models accept: recording
anthropic__test_anthropic_sampling_settings_reach_the_wire__0_5fc6d4."""


def validate(body: Json) -> list[str]:
    """Return every rule that the body breaks."""
    return check_both([*check_json(body), *_check_types(body)], _check_rules(body))


def _check_rules(body: Json) -> Iterator[str]:
    yield from _check_system(body)
    yield from _check_tools(body)
    yield from _check_messages(body.get('messages') or [])
    yield from _check_thinking(body)
    yield from _check_cache_points(body)


def _check_types(body: Json) -> Iterator[str]:
    known = MessageCreateParamsBase.__annotations__.keys() | BetaMessageCreateParams.__annotations__.keys()
    for name in body.keys() - known - SAMPLING - {'stream'}:
        yield f'body: there is no parameter {name!r}'
    for name in {'model', 'max_tokens', 'messages'} - body.keys():
        yield f'body: the parameter {name!r} is missing'
    for index, message in enumerate(body.get('messages', [])):
        path = f'messages[{index}]'
        found = list(shapes.check(message, BetaMessageParam, path))
        if found and list(shapes.check(message, MessageParam, path)):
            yield from found


def _check_system(body: Json) -> Iterator[str]:
    system = body.get('system', [])
    yield from shapes.check(system, str | list[TextBlockParam], 'system')
    for index, block in enumerate(system if isinstance(system, list) else [{'text': system}]):
        # anthropic-sdk-python#461: text blocks must not be blank
        if is_blank(block.get('text')):
            yield f'system[{index}].text: blank'


def _check_tools(body: Json) -> Iterator[str]:
    for index, tool in enumerate(body.get('tools', [])):
        if tool.get('type', 'custom') == 'custom':
            # https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools: ^[a-zA-Z0-9_-]{1,64}$
            yield from check_pattern(tool.get('name'), NAME, f'tools[{index}].name')
    yield from check_unique([tool.get('name') for tool in body.get('tools', []) if 'name' in tool], 'tools: names')


def _check_messages(messages: list[Json]) -> Iterator[str]:
    if not messages:
        yield 'messages: empty'
    for index, message in enumerate(messages):
        yield from _check_content(message, f'messages[{index}].content')
    turns = join_turns(messages)
    for index, turn in enumerate(turns):
        yield from _check_order(turn, f'turn {index}')
    if messages and messages[-1]['role'] == 'assistant':
        yield from _check_last_turn(messages[-1])
    yield from _check_tool_results(turns)
    yield from _check_server_tools(messages)


def join_turns(messages: list[Json]) -> list[Json]:
    """Return the turns as the API reads them: consecutive ones of a role are one, and system messages are not counted.

    Recording anthropic__test_cross_provider_capability_replay_anthropic-claude-sonnet-4-5-open__1_e2fe53.
    """
    turns: list[Json] = []
    for message in messages:
        if turns and turns[-1]['role'] == message['role']:
            turns[-1]['content'] += blocks_of(message)
        elif message['role'] != 'system':
            turns.append({'role': message['role'], 'content': [*blocks_of(message)]})
    return turns


def blocks_of(message: Json) -> list[Json]:
    """Return the content as blocks."""
    content = message.get('content')
    return [{'type': 'text', 'text': content}] if isinstance(content, str) else content or []


def _check_content(message: Json, path: str) -> Iterator[str]:
    # anthropics/claude-code#59812
    blocks = blocks_of(message)
    if not blocks:
        yield f'{path}: empty'
    for index, block in enumerate(blocks):
        yield from _check_block(block, f'{path}[{index}]')


def _check_order(turn: Json, path: str) -> Iterator[str]:
    blocks = turn['content']
    # tailcallhq/forgecode#2107: "The final block in an assistant message cannot be `thinking`"
    if turn['role'] == 'assistant' and blocks and blocks[-1].get('type') in THINKING:
        yield f'{path}: thinking is its last block'
    # "tool_result blocks must come first": https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls
    kinds = [block.get('type') == 'tool_result' for block in blocks]
    if kinds != sorted(kinds, reverse=True):
        yield f'{path}: a tool result follows other content'


def _check_block(block: Json, path: str) -> Iterator[str]:
    match block.get('type'):
        case 'text':
            # anthropics/claude-code#23440: "text content blocks must contain non-whitespace text"
            if is_blank(block.get('text')):
                yield f'{path}.text: blank'
        case 'tool_use':
            yield from check_pattern(block.get('id'), ID, f'{path}.id')
            yield from check_pattern(block.get('name'), NAME, f'{path}.name')
            if not isinstance(block.get('input'), dict):
                yield f'{path}.input: not an object'
        case 'tool_result':
            content = block.get('content')
            for index, inner in enumerate(content if isinstance(content, list) else []):
                yield from _check_block(inner, f'{path}.content[{index}]')
                # vellum-ai/vellum-assistant#18387: "all content must be type `text` if `is_error` is true"
                if block.get('is_error') and inner.get('type') != 'text':
                    yield f'{path}.content[{index}]: {inner.get("type")!r} in the result of a failed tool'
        case 'image' | 'document' | 'thinking' | 'redacted_thinking' | 'server_tool_use':
            yield from _check_vendor_block(block, path)
        case _:
            return


def _check_vendor_block(block: Json, path: str) -> Iterator[str]:
    match block['type']:
        case 'thinking':
            # https://platform.claude.com/docs/en/build-with-claude/extended-thinking: unsigned thinking is refused
            if not block.get('signature'):
                yield f'{path}.signature: empty'
        case 'redacted_thinking':
            if not block.get('data'):
                yield f'{path}.data: empty'
        case 'server_tool_use':
            yield from check_pattern(block.get('id'), SERVER_ID, f'{path}.id')
        case 'image' | 'document':
            source: Any = block.get('source', {})
            if source.get('type') == 'base64' and not source.get('data'):
                yield f'{path}.source.data: empty'
        case _:
            return


def _check_last_turn(message: Json) -> Iterator[str]:
    # tailcallhq/forgecode#1872: "final assistant content cannot end with trailing whitespace"
    last = blocks_of(message)[-1] if blocks_of(message) else {}
    text = last.get('text')
    if last.get('type') == 'text' and isinstance(text, str) and text != text.rstrip():
        yield f'messages[-1]: the last turn ends with whitespace: {text[-10:]!r}'


def _check_tool_results(turns: list[Json]) -> Iterator[str]:
    """Yield tool calls without results in the next message, and the reverse.

    anthropics/claude-code#8210 ("`tool_use` ids were found without `tool_result` blocks immediately after"),
    anthropics/claude-code#18947 ("unexpected `tool_use_id` found in `tool_result` blocks").
    """
    calls: list[Any] = []
    for index, turn in enumerate(turns):
        results = [block.get('tool_use_id') for block in turn['content'] if block.get('type') == 'tool_result']
        yield from check_pairs(calls, results, f'turn {index}')
        calls = [block.get('id') for block in turn['content'] if block.get('type') == 'tool_use']
    if calls:
        yield f'messages[-1]: the tool calls {calls!r} have no results'
    ids = [block.get('id') for turn in turns for block in turn['content'] if block.get('type') == 'tool_use']
    yield from check_unique(ids, 'messages: tool call ids')


def _check_server_tools(messages: list[Json]) -> Iterator[str]:
    """Yield results of Anthropic's own tools without a call before them: anthropics/claude-code#64383."""
    known: set[Any] = set()
    for index, message in enumerate(messages):
        for block in blocks_of(message):
            kind = str(block.get('type'))
            if kind.endswith('_tool_use'):
                known.add(block.get('id'))
            elif kind.endswith('_tool_result') and block.get('tool_use_id') not in known:
                yield f'messages[{index}]: {kind} {block.get("tool_use_id")!r} has no call before it'


def _check_thinking(body: Json) -> Iterator[str]:
    thinking: Json = body.get('thinking', {})
    if thinking.get('type') == 'enabled':
        # https://platform.claude.com/docs/en/build-with-claude/extended-thinking: at least 1,024, less than max_tokens
        budget = thinking.get('budget_tokens', 0)
        if not 1024 <= budget < body.get('max_tokens', 0):
            yield f'thinking.budget_tokens: {budget} is not between 1,024 and max_tokens'
        yield from _check_begin_of_thinking(body.get('messages') or [])
    # tailcallhq/forgecode#1853: "an `assistant` message in the final position cannot contain `thinking`"
    last = (body.get('messages') or [{}])[-1]
    has_thinking = last.get('role') == 'assistant' and any(block.get('type') in THINKING for block in blocks_of(last))
    if has_thinking and thinking.get('type', 'disabled') == 'disabled':
        yield 'messages[-1]: the last turn has thinking, which the request disables'


def _check_begin_of_thinking(messages: list[Json]) -> Iterator[str]:
    """n8n-io/n8n#22550: "a final assistant message must start with a thinking block", also before tool results."""
    turns = join_turns(messages)
    if len(turns) > 1 and any(block.get('type') == 'tool_result' for block in turns[-1]['content']):
        turns.pop()
    first = turns[-1]['content'][0] if turns and turns[-1]['content'] else {}
    if turns and turns[-1]['role'] == 'assistant' and first.get('type') not in THINKING:
        yield 'messages: the last turn of the assistant does not begin with thinking'


def _check_cache_points(body: Json) -> Iterator[str]:
    count = _count(body, 'cache_control')
    if count > CACHE_POINTS:
        yield f'body: {count} blocks have cache_control'


def _count(value: Any, name: str) -> int:
    match value:
        case dict():
            return (value.get(name) is not None) + sum(
                _count(item, name) for key, item in value.items() if key not in ('input', 'input_schema')
            )
        case list():
            return sum(_count(item, name) for item in value)
        case _:
            return 0
