"""Histories that a vendor refused according to a public report, each sent to the room of that vendor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pydantic_llm.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.testing.room import Json, Room
from tests.conformance.histories import TOOLS, Case, find_problems
from tests.conformance.rooms import (
    anthropic,
    bedrock,
    cohere,
    gemini,
    groq,
    huggingface,
    mistral,
    openai_chat,
    openai_responses,
)

ID = 'toolu_1'
LONG_ID = 'fc_0f0e50a1476a6c35006912c58dc9f8819192c25864eb16f07f'
OWN: dict[str, Any] = {'provider_name': 'anthropic'}
OPENAI: dict[str, Any] = {'provider_name': 'openai'}
THOUGHT = ThinkingPart('Hm.', signature='c2ln', **OWN)
THINKING = {'thinking': 'low', 'max_tokens': 8000}
INVALID = RetryPromptPart('Invalid arguments', tool_name='look', tool_call_id=ID)


def ask(*parts: ModelRequestPart | str | list[Any]) -> ModelRequest:
    return ModelRequest([UserPromptPart(part) if isinstance(part, (str, list)) else part for part in parts])


def say(*parts: ModelResponsePart | str, **fields: Any) -> ModelResponse:
    return ModelResponse([TextPart(part) if isinstance(part, str) else part for part in parts], **fields)


def call(name: str = 'look', args: str = '{}', id: str = ID, **fields: Any) -> ToolCallPart:
    return ToolCallPart(name, args, id, **fields)


def result(name: str = 'look', content: str = 'ok', id: str = ID) -> ToolReturnPart:
    return ToolReturnPart(name, content, id)


def pdf(data: bytes, name: str | None = None) -> BinaryContent:
    return BinaryContent(data, media_type='application/pdf', vendor_metadata={'name': name} if name else None)


HELLO = ask('Hello?')
PNG = BinaryContent(b'\x89PNG', media_type='image/png')

REPORTS: tuple[tuple[str, Room, list[ModelMessage]], ...] = (
    # Anthropic
    ('anthropics/claude-code#23440', anthropic.ROOM, [HELLO, say('\n\n', call()), ask(result())]),
    ('anthropics/claude-code#59812', anthropic.ROOM, [HELLO, say(call()), ask(result(content=''))]),
    ('anthropics/claude-code#8210', anthropic.ROOM, [HELLO, say(call()), HELLO]),
    ('anthropics/claude-code#18947', anthropic.ROOM, [ask(result())]),
    (
        'anthropics/claude-code#64383',
        anthropic.ROOM,
        [HELLO, say(NativeToolReturnPart('advisor', {'type': 'x'}, 'srvtoolu_9', **OWN), 'x'), HELLO],
    ),
    (
        'tingly-dev/tingly-box#1401',
        anthropic.ROOM,
        [
            HELLO,
            say(
                NativeToolCallPart('web_search', {'query': 'x'}, 'call_1.a', **OWN),
                NativeToolReturnPart('web_search', [], 'call_1.a', **OWN),
                'x',
                provider_url='https://messages.example',
                model_name='another-model',
            ),
            HELLO,
        ],
    ),
    ('tailcallhq/forgecode#2107', anthropic.ROOM, [HELLO, say(THOUGHT, **OWN), HELLO]),
    ('tailcallhq/forgecode#1853', anthropic.ROOM, [HELLO, say(THOUGHT, 'x', **OWN)]),
    ('tailcallhq/forgecode#1142', anthropic.ROOM, [HELLO, say(call(id='a.b|c')), ask(result(id='a.b|c'))]),
    ('tailcallhq/forgecode#1872', anthropic.ROOM, [HELLO, say('So ')]),
    (
        'vellum-ai/vellum-assistant#18387',
        anthropic.ROOM,
        [HELLO, say(call()), ask(ToolReturnPart('look', ['No.', PNG], ID, outcome='failed'))],
    ),
    # Gemini
    ('google-gemini/gemini-cli#4504', gemini.ROOM, [HELLO, say(call(id='1'), call(id='2')), ask(result(id='1'))]),
    ('google-gemini/gemini-cli#26486', gemini.ROOM, [say(call()), ask(result())]),
    ('eino-ext#571', gemini.ROOM, [HELLO, say(call(id='1'), call(id='2')), ask(result(id='1')), ask(result(id='2'))]),
    ('router-for-me/CLIProxyAPI#1292', gemini.ROOM, [HELLO, say(''), HELLO]),
    ('vercel/ai#3775', gemini.ROOM, [HELLO, say(), HELLO]),
    ('google-gemini/deprecated-generative-ai-python#697', gemini.ROOM, [ask('')]),
    ('kaitranntt/ccs#25', gemini.ROOM, [HELLO, say(call('1 tool')), ask(result('1 tool'))]),
    # Mistral
    ('karthink/gptel#1203', mistral.ROOM, [HELLO, say(call(id='call_0fypS1hVX')), ask(result(id='call_0fypS1hVX'))]),
    ('datapizza-labs/datapizza-ai#98', mistral.ROOM, [HELLO, say(call()), ask(result(), 'And?')]),
    ('0xPlaygrounds/rig#1130', mistral.ROOM, [HELLO, say('So')]),
    ('mistralai/mistral-common', mistral.ROOM, [HELLO, say('So'), ask(SystemPromptPart('Be brief.'), 'And?')]),
    # Chat Completions
    ('vercel/ai#5171', openai_chat.ROOM, [HELLO, say(call(id='x' * 43)), ask(result(id='x' * 43))]),
    ('agno-agi/agno#5382', openai_chat.ROOM, [HELLO, say(call(id=LONG_ID)), ask(result(id=LONG_ID))]),
    ('chatboxai/chatbox#2079', openai_chat.ROOM, [HELLO, say('x\n'), HELLO]),
    ('langchain4j/langchain4j#1105', openai_chat.ROOM, [HELLO, say(ThinkingPart('Hm.')), HELLO]),
    ('mcp-use/mcp-use#90', openai_chat.ROOM, [HELLO, say(call('a.b')), ask(result('a.b'))]),
    ('microsoft/agent-framework#2384', openai_chat.ROOM, [ask()]),
    ('vllm#43995', huggingface.ROOM, [HELLO, say(call(args='{"x": ')), ask(INVALID)]),
    ('OpenBMB/ChatDev#301', huggingface.ROOM, [ask([]), say('x'), HELLO]),
    (
        'tashfeenahmed/freellmapi#1070',
        groq.ROOM,
        [HELLO, say(ThinkingPart('Hm.', id='reasoning_content', provider_name='deepseek'), 'x'), HELLO],
    ),
    ('OpenHands/OpenHands#4643', groq.ROOM, [ask(SystemPromptPart('a'), SystemPromptPart('b'), 'x')]),
    # Responses
    (
        'earendil-works/pi#5149',
        openai_responses.ROOM,
        [HELLO, say(TextPart('x', id='msg_1', **OPENAI)), HELLO, say(TextPart('y', id='msg_1', **OPENAI)), HELLO],
    ),
    ('openai/codex#33176', openai_responses.ROOM, [HELLO, say(TextPart('x', id='019f629b', **OPENAI)), HELLO]),
    (
        'Wei-Shaw/sub2api#3981',
        openai_responses.ROOM,
        [HELLO, say(ToolCallPart('f', '{}', ID, id='item_1', **OPENAI)), ask(result('f'))],
    ),
    # Bedrock
    ('boto/botocore#3525', bedrock.ROOM, [HELLO, say('', 'x'), HELLO]),
    ('earendil-works/pi#4975', bedrock.ROOM, [ask('Half \ud83d', ' \n')]),
    ('NousResearch/hermes-agent#61318', bedrock.ROOM, [HELLO, say(call()), ask(result(content=''))]),
    (
        'NousResearch/hermes-agent#105780',
        bedrock.ROOM,
        [HELLO, say(ThinkingPart('Hm.', signature='c2ln', provider_name='bedrock')), HELLO],
    ),
    (
        'vellum-ai/vellum-assistant#18387, at Bedrock',
        bedrock.ROOM,
        [HELLO, say(call()), ask(ToolReturnPart('look', ['No.', PNG], ID, outcome='failed'))],
    ),
    ('archestra-ai/archestra#4220', bedrock.ROOM, [ask([pdf(b'%PDF')])]),
    ('langchain-ai/langchain-aws#130', bedrock.ROOM, [HELLO, HELLO, say('a'), say('b'), HELLO]),
    ('langgenius/dify#17545', bedrock.ROOM, [HELLO, say(call()), ask(result())]),
    ('langgenius/dify-official-plugins#765', bedrock.ROOM, [HELLO, say(call()), ask(result(), result())]),
    ('BerriAI/litellm#20049', bedrock.ROOM, [HELLO, say(call(), call()), ask(result(), result())]),
    ('BerriAI/litellm#30093', bedrock.ROOM, [ask(['a', pdf(b'%PDF1', 'q_3'), pdf(b'%PDF2', 'q 3')])]),
    ('vercel/ai#19023', bedrock.ROOM, [HELLO, say(call(args='{"x')), ask(INVALID)]),
    # Cohere
    ('kwaroran/Risuai#504', cohere.ROOM, [HELLO, say(''), HELLO]),
)


@pytest.mark.parametrize(('report', 'room', 'history'), REPORTS, ids=[row[0] for row in REPORTS])
def test_the_history_of_a_report_is_accepted(report: str, room: Room, history: list[ModelMessage]) -> None:
    assert find_problems(room, Case(history, {}, ModelRequestParameters(), stream=False)) == [], report


@pytest.mark.parametrize('last', [say('So'), say('So', call())], ids=['text', 'tool call'])
def test_claude_is_not_asked_to_think_in_a_turn_that_began_without(last: ModelResponse) -> None:
    """n8n-io/n8n#22550."""
    history: list[ModelMessage] = [HELLO, last, *([ask(result())] if last.tool_calls else [])]
    case = Case(history, THINKING, ModelRequestParameters(TOOLS), stream=False)  # type: ignore[arg-type]
    assert find_problems(anthropic.ROOM, case) == []


THOUGHT_BY_GPT = ThinkingPart('', id='rs_1', signature='sealed', **OPENAI)
CALL_BY_GPT = ToolCallPart('look', '{}', 'call_1', id='fc_1', **OPENAI)
TEXT_BY_GPT = TextPart('Let me look.', id='msg_1', **OPENAI)


def send_to_responses(*responses: ModelResponse) -> list[Json]:
    history = [message for response in responses for message in (HELLO, response)]
    request = openai_responses.ROOM.prepare([*history, HELLO], None, ModelRequestParameters(TOOLS))
    items = openai_responses.ROOM.build().encode(request)['input']
    return [item for item in items if item.get('role') != 'user' and item.get('type') != 'function_call_output']


@pytest.mark.parametrize('thinking', [[], [THOUGHT_BY_GPT]], ids=['without reasoning', 'with reasoning'])
def test_items_keep_their_ids_if_no_reasoning_is_lost(thinking: list[ThinkingPart]) -> None:
    items = send_to_responses(say(*thinking, TEXT_BY_GPT, CALL_BY_GPT, **OPENAI))
    assert [item.get('id') for item in items] == [*(part.id for part in thinking), 'msg_1', 'fc_1']


def test_items_have_no_ids_if_their_reasoning_cannot_be_sent() -> None:
    """laravel/ai#1052, qbit-ai/qbit#92: "Item 'fc_...' was provided without its required 'reasoning' item"."""
    again = replace(CALL_BY_GPT, tool_call_id='call_2', id='fc_2')
    items = send_to_responses(say(THOUGHT_BY_GPT, CALL_BY_GPT, **OPENAI), say(THOUGHT_BY_GPT, again, **OPENAI))
    assert [item.get('id') for item in items] == ['rs_1', 'fc_1', None]
