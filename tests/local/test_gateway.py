"""A model in this process behind the gateway, with requests in the form of Claude Code's."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from pydantic_llm.serve import create_app

TOOLS = [
    {
        'name': name,
        'description': f'{name} something.',
        'input_schema': {
            '$schema': 'http://json-schema.org/draft-07/schema#',
            'type': 'object',
            'properties': {'command': {'type': 'string'}},
            'required': ['command'],
            'additionalProperties': False,
        },
    }
    for name in ('Bash', 'Read', 'Edit')
]

REQUEST: dict[str, Any] = {
    'model': 'claude-opus-4-6',
    'max_tokens': 12,
    'system': [
        {'type': 'text', 'text': 'x-anthropic-billing-header: cc_version=2.1.37.0d9;'},
        {'type': 'text', 'text': 'You are a CLI.', 'cache_control': {'type': 'ephemeral', 'ttl': '1h'}},
    ],
    'messages': [
        {'role': 'user', 'content': [{'type': 'text', 'text': 'List the files.'}]},
        {
            'role': 'assistant',
            'content': [
                {'type': 'thinking', 'thinking': 'I need to run ls.', 'signature': 'c2lnbmF0dXJl'},
                {'type': 'tool_use', 'id': 'toolu_01', 'name': 'Bash', 'input': {'command': 'ls'}},
            ],
        },
        {
            'role': 'user',
            'content': [
                {'tool_use_id': 'toolu_01', 'type': 'tool_result', 'content': 'a.py', 'is_error': False},
                {'type': 'text', 'text': 'And now?', 'cache_control': {'type': 'ephemeral'}},
            ],
        },
    ],
    'tools': TOOLS,
    'metadata': {'user_id': 'user_0123_account__session_4567'},
    'thinking': {'type': 'adaptive'},
    'context_management': {'edits': [{'type': 'clear_thinking_20251015', 'keep': 'all'}]},
    'output_config': {'effort': 'high'},
    'a_field_of_a_new_beta': {'enabled': True},
}

HEADERS = {'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14'}


async def test_claude_code_is_answered_by_a_model_in_this_process(make: Any) -> None:
    transport = httpx2.ASGITransport(create_app({'local': make()}, aliases={'claude-*': 'local'}))
    async with httpx2.AsyncClient(transport=transport, base_url='http://localhost', timeout=120) as client:
        whole = await client.post('/v1/messages?beta=true', json=REQUEST, headers=HEADERS)
        streamed = await client.post('/v1/messages?beta=true', json=REQUEST | {'stream': True}, headers=HEADERS)
        counted = {name: REQUEST[name] for name in ('model', 'system', 'messages', 'tools', 'thinking')}
        count = await client.post('/v1/messages/count_tokens?beta=true', json=counted, headers=HEADERS)
    assert whole.status_code == 200, whole.text
    assert whole.json()['usage']['output_tokens'] > 0
    assert streamed.status_code == 200, streamed.text
    events = [json.loads(line[6:])['type'] for line in streamed.text.splitlines() if line.startswith('data: ')]
    assert events[0] == 'message_start'
    assert events[-1] == 'message_stop'
    assert count.status_code == 200, count.text
    assert count.json()['input_tokens'] > 20
