"""What a chat template cannot express is expressed another way: nothing of a conversation is lost in silence.

The templates are miniatures, each with one habit of templates in use.
"""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.local.encode import RequestEncoder
from pydantic_llm.models.local.tokenizer import Tokenizer
from pydantic_llm.models.transformers import TransformersModel
from pydantic_llm.tools import ToolDefinition
from tests.local import tiny

TOOLS = '{% for tool in tools or [] %}{{ tool.function.name }}\n{% endfor %}'
CALLS = '{% for c in m.tool_calls or [] %}<tool_call>{{ c.function.arguments | tojson }}</tool_call>{% endfor %}'
ALL = f'{TOOLS}{{% for m in messages %}}<{{{{ m.role }}}}>{{{{ m.content }}}}{CALLS}\n{{% endfor %}}'


def raising(condition: str, rest: str = ALL) -> str:
    """Return a template that refuses a turn under a condition."""
    check = '{% for m in messages %}{% if ' + condition + " %}{{ raise_exception('refused') }}{% endif %}{% endfor %}"
    return check + rest


TURN = '{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}'
TEMPLATES = {
    'everything': ALL,
    'no tools': TURN,
    'roles alternate': raising(
        "m.role in ('user', 'assistant') and (m.role == 'user') != (loop.index0 % 2 == 0)",
        TURN,
    ),
    'system prompts are refused': raising("m.role == 'system'"),
    'system prompts are left out': f"{TOOLS}{{% for m in messages if m.role != 'system' %}}"
    f'<{{{{ m.role }}}}>{{{{ m.content }}}}{CALLS}\n{{% endfor %}}',
    'system prompts are first': raising("m.role == 'system' and not loop.first"),
    'the user is first': raising("loop.first and m.role == 'assistant'"),
    'past calls are left out': f'{TOOLS}{TURN}',
    'results have another role': f'{TOOLS}{{% for m in messages %}}'
    "{% if m.role in ('user', 'assistant', 'system') %}<{{ m.role }}>{{ m.content }}\n{% endif %}{% endfor %}",
    'one call in a turn': raising('m.tool_calls and m.tool_calls | length > 1'),
    'arguments are text': f'{TOOLS}{{% for m in messages %}}<{{{{ m.role }}}}>{{{{ m.content }}}}'
    "{% for c in m.tool_calls or [] %}{{ '<call>' + c.function.arguments + '</call>' }}{% endfor %}\n{% endfor %}",
    'text beside calls is left out': f'{TOOLS}{{% for m in messages %}}<{{{{ m.role }}}}>'
    f'{{% if m.tool_calls %}}{CALLS}{{% else %}}{{{{ m.content }}}}{{% endif %}}\n{{% endfor %}}',
    'the user may not follow a result': raising("m.role == 'user' and not loop.first and loop.previtem.role == 'tool'"),
    'text beside calls is left out later': f'{TOOLS}{{% for m in messages %}}<{{{{ m.role }}}}>'
    '{% if not m.tool_calls or loop.last or loop.nextitem == messages[-1] %}{{ m.content }}{% endif %}'
    f'{CALLS}\n{{% endfor %}}',
    'calls beside text are left out': f'{TOOLS}{{% for m in messages %}}<{{{{ m.role }}}}>{{{{ m.content }}}}'
    f'{{% if not m.content %}}{CALLS}{{% endif %}}\n{{% endfor %}}',
    'the first turn is the user with tools': f'{TOOLS}{{% set rest = messages %}}{{% if tools %}}'
    "{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}<system>{{ messages[0].content }}\n{% endif %}"
    '<user>{{ rest[0].content }}\n{% set rest = rest[1:] %}{% endif %}'
    f'{{% for m in rest %}}<{{{{ m.role }}}}>{{{{ m.content }}}}{CALLS}\n{{% endfor %}}',
    'the system prompt is in the last turn of the user': "{% if messages[0].role == 'system' %}"
    f'{{% set rest = messages[1:] %}}{{% else %}}{{% set rest = messages %}}{{% endif %}}'
    f'{TOOLS}{{% for m in rest %}}<{{{{ m.role }}}}>'
    "{% if loop.last and m.role == 'user' and rest | length < messages | length %}{{ messages[0].content }}{% endif %}"
    f'{{{{ m.content }}}}{CALLS}\n{{% endfor %}}',
    'there must be tools': '{% if not tools %}{{ raise_exception("no tools") }}{% endif %}' + f'{TOOLS}'
    '{% for m in messages %}<{{ m.role }}>{% if m.tool_calls %}'
    + CALLS
    + '{% else %}{{ m.content }}{% endif %}\n{% endfor %}',
    'tools are Python': ALL.replace('{{ tool.function.name }}', '{{ tool }}'),
    'there must be a user': '{% if not messages | selectattr("role", "equalto", "user") | list %}'
    f'{{{{ raise_exception("no user") }}}}{{% endif %}}{ALL}',
    'contents are lists': f'{TOOLS}{{% for m in messages %}}<{{{{ m.role }}}}>'
    "{% if m.content is string %}{% if m.role == 'tool' %}{{ m.content }}{% endif %}{% else %}"
    f'{{% for piece in m.content %}}{{{{ piece.text }}}}{{% endfor %}}{{% endif %}}{CALLS}\n{{% endfor %}}',
}
PARAMETERS = ModelRequestParameters(
    [ToolDefinition('weather', {'type': 'object', 'properties': {'city': {'type': 'string'}}})]
)


def call(*cities: str) -> list[ToolCallPart]:
    return [ToolCallPart('weather', {'city': city}, f'id-{city}') for city in cities]


def result(city: str, content: str) -> ToolReturnPart:
    return ToolReturnPart('weather', content, f'id-{city}')


HISTORY: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('SYSTEM-1'), UserPromptPart('USER-1')]),
    ModelResponse([TextPart('TEXT-1'), *call('CITY-1', 'CITY-2')]),
    ModelRequest([result('CITY-1', 'RESULT-1'), result('CITY-2', 'RESULT-2'), UserPromptPart('USER-2')]),
    ModelResponse([TextPart('RESPONSE-1')]),
    ModelResponse([TextPart('RESPONSE-2')]),
    ModelRequest([SystemPromptPart('SYSTEM-2'), UserPromptPart('USER-3')]),
    ModelResponse(call('CITY-3')),
    ModelRequest([result('CITY-3', 'RESULT-3')]),
]
WORDS = (
    'SYSTEM-1 USER-1 TEXT-1 CITY-1 CITY-2 RESULT-1 RESULT-2 USER-2 RESPONSE-1 RESPONSE-2 SYSTEM-2 USER-3 CITY-3 '
    'RESULT-3'
).split()


@pytest.fixture(params=TEMPLATES)
def name(request: pytest.FixtureRequest) -> Any:
    return request.param


TOKENIZER = tiny.make_tokenizer()


def encode(template: Any, messages: list[ModelMessage], settings: Any = None) -> tuple[str, list[str]]:
    """Return the prompt and the warnings."""
    TOKENIZER.chat_template = template
    encoder = RequestEncoder(Tokenizer(TOKENIZER), takes_images=False, options={})
    request = TransformersModel('never-loaded').prepare(messages, settings, PARAMETERS)
    return encoder.encode(request).text, request.warnings


def test_every_word_of_a_conversation_is_in_the_prompt_in_order(name: str) -> None:
    text, _ = encode(TEMPLATES[name], HISTORY)
    assert [word for word in WORDS if word not in text] == []
    places = [text.index(word) for word in WORDS if not word.startswith('SYSTEM')]
    if name != 'one call in a turn':
        assert places == sorted(places), text
    assert "{'city': 'CITY" not in text


@pytest.mark.parametrize(
    ('name', 'warnings'),
    [
        ('everything', []),
        ('contents are lists', []),
        ('arguments are text', []),
        ('system prompts are first', ['system prompts inside the conversation were sent at its beginning']),
        ('past calls are left out', ['past tool calls were sent as text: the chat template leaves them out']),
        ('tools are Python', []),
        ('results have another role', ['past tool calls were sent as text: the chat template leaves them out']),
    ],
)
def test_a_change_is_reported_once(name: str, warnings: list[str]) -> None:
    assert encode(TEMPLATES[name], HISTORY)[1] == warnings


def test_a_conversation_may_begin_with_a_response(name: str) -> None:
    text, _ = encode(TEMPLATES[name], [ModelResponse([TextPart('RESPONSE-0')]), *HISTORY])
    assert [word for word in ('RESPONSE-0', *WORDS) if word not in text] == []


def test_a_conversation_may_begin_with_a_call(name: str) -> None:
    text, _ = encode(TEMPLATES[name], [ModelResponse(call('CITY-0')), ModelRequest([result('CITY-0', 'RESULT-0')])])
    assert [word for word in ('CITY-0', 'RESULT-0', 'weather') if word not in text] == []


def test_a_conversation_may_be_a_system_prompt_alone(name: str) -> None:
    text, _ = encode(TEMPLATES[name], [ModelRequest([SystemPromptPart('SYSTEM-1')])])
    assert [word for word in ('SYSTEM-1', 'weather') if word not in text] == []


def test_past_calls_are_in_a_prompt_without_tools_too(name: str) -> None:
    if name == 'there must be tools':
        return
    text, warnings = encode({'default': TURN, 'tool_use': TEMPLATES[name]}, HISTORY, {'tool_choice': 'none'})
    assert [word for word in WORDS if word not in text] == []
    assert ('past tool calls were sent as text' in f'{warnings}') == ('tools' in TEMPLATES[name])
    text, _ = encode(TEMPLATES[name], HISTORY, {'tool_choice': 'none'})
    assert [word for word in WORDS if word not in text] == []


def test_each_call_is_followed_by_its_result_if_a_turn_may_have_one_call() -> None:
    text, _ = encode(TEMPLATES['one call in a turn'], HISTORY)
    places = [text.index(word) for word in ('CITY-1', 'RESULT-1', 'CITY-2', 'RESULT-2', 'USER-2')]
    assert places == sorted(places)


def test_text_that_cannot_stand_beside_calls_is_reported_if_roles_alternate() -> None:
    template = TEMPLATES['text beside calls is left out']
    refusal = "m.role == 'assistant' and not loop.first and loop.previtem.role == 'assistant'"
    text, warnings = encode(raising(refusal, template), HISTORY)
    assert 'TEXT-1' not in text
    assert any('text beside past tool calls' in warning for warning in warnings)
