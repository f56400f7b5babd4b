"""The setting `thinking` at every form of model: what is sent is accepted, nothing is lost silently, more is more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelRequest, UserPromptPart
from pydantic_llm.models.local.thinking import make_thinking_scale
from pydantic_llm.models.openai import OpenAIModel, OpenAIResponsesModel
from pydantic_llm.profiles import ModelProfileSpec
from pydantic_llm.profiles.compatible import (
    alibaba_profile,
    cerebras_profile,
    deepseek_profile,
    grok_profile,
    moonshotai_profile,
    ollama_profile,
    openrouter_profile,
    snowflake_profile,
    vllm_server_profile,
    zai_profile,
)
from pydantic_llm.profiles.thinking import LEVELS, TOKENS
from pydantic_llm.settings import ModelSettings
from pydantic_llm.testing.room import Json, Room
from pydantic_llm.wire.model import WireModel
from pydantic_llm.wire.prepare import PreparedRequest
from pydantic_llm.wire.thinking import find_level, resolve_thinking
from tests.conformance.rooms import ROOMS
from tests.conformance.validators import VALIDATORS

BY_NAME = {room.name: room for room in ROOMS}

MODELS: dict[str, tuple[str, ...]] = {
    'openai-chat': ('gpt-5.6', 'gpt-5-mini', 'gpt-5-pro', 'o3', 'gpt-4o'),
    'openai-responses': ('gpt-6', 'o3', 'gpt-4o'),
    'anthropic': ('claude-sonnet-4-5', 'claude-opus-4-5', 'claude-opus-4-6', 'claude-opus-5-5', 'claude-3-haiku'),
    'gemini': ('gemini-2.5-pro', 'gemini-2.5-flash', 'gemini-3-pro', 'gemini-3-flash', 'gemini-2.0-flash'),
    'bedrock': (
        'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
        'us.anthropic.claude-opus-4-8',
        'us.amazon.nova-2-lite-v1:0',
        'us.openai.gpt-6-sol',
        'openai.gpt-oss-120b-1:0',
        'qwen.qwen3-32b-v1:0',
        'us.deepseek.r1-v1:0',
        'us.meta.llama4-scout-17b-instruct-v1:0',
    ),
    'cohere': ('command-a-reasoning-08-2025', 'command-r-plus'),
    'groq': ('qwen/qwen3-32b', 'openai/gpt-oss-120b', 'llama-3.3-70b-versatile'),
    'huggingface': ('openai/gpt-oss-120b', 'meta-llama/Llama-3.3-70B-Instruct'),
    'litellm': ('anthropic/claude-sonnet-4-5', 'anthropic/claude-opus-4-8', 'gemini/gemini-2.5-pro', 'openai/o3'),
    'mistral': ('mistral-small-latest', 'magistral-medium-latest', 'mistral-large-2512', 'glm-5-2'),
    'acme': ('acme-1',),
}
"""Room → a model of each form that its API has."""

SERVICES: tuple[tuple[Any, str], ...] = (
    (openrouter_profile, 'anthropic/claude-sonnet-4.5'),
    (alibaba_profile, 'qwen3-32b'),
    (zai_profile, 'glm-4.7'),
    (zai_profile, 'glm-5.3'),
    (deepseek_profile, 'deepseek-v4-pro'),
    (deepseek_profile, 'deepseek-reasoner'),
    (moonshotai_profile, 'kimi-k2.6'),
    (moonshotai_profile, 'kimi-k3'),
    (grok_profile, 'grok-4.3'),
    (grok_profile, 'grok-4.7'),
    (snowflake_profile, 'claude-sonnet-4-6'),
    (cerebras_profile, 'zai-glm-4.7'),
    (vllm_server_profile, 'Qwen/Qwen3-8B'),
    (ollama_profile, 'gpt-oss:20b'),
)
"""The profile of each service with a form of its own, and a model there."""

BUDGETS = (1, 500, 1024, 3000, 9000, 20_000, 40_000, 200_000)
VALUES: tuple[Any, ...] = (False, 0, True, *LEVELS, *BUDGETS)

EFFORT_FIELDS = ('effort', 'reasoning_effort', 'thinkingLevel', 'maxReasoningEffort', 'reasoning_config')
BUDGET_FIELDS = ('budget_tokens', 'thinkingBudget', 'token_budget', 'thinking_budget')
SWITCHES = {'enabled': 0.5, 'adaptive': 0.5, True: 0.5}


class Case(NamedTuple):
    room: Room
    model_name: str
    profile: ModelProfileSpec | None = None

    def make(self) -> WireModel:
        kinds: dict[str, Any] = {'openai-chat': OpenAIModel, 'openai-responses': OpenAIResponsesModel}
        if self.room.name in kinds:
            made = kinds[self.room.name](self.model_name, api_key='k', profile=self.profile)
        else:
            template = self.room.build()
            made = type(template)(self.model_name, provider=template.provider)
        return cast('WireModel', made)

    def prepare(self, value: Any, **settings: Any) -> tuple[Json, list[str]]:
        """Return the body for a value of the setting, and the warnings. `None` leaves the setting out."""
        model = self.make()
        asked = cast('ModelSettings', settings if value is None else {'thinking': value, **settings})
        request = model.prepare([ModelRequest([UserPromptPart('Hi')])], asked)
        return model.encode(request), request.warnings


CASES = [
    *(Case(BY_NAME[room], name) for room, names in MODELS.items() for name in names),
    *(Case(BY_NAME['openai-chat'], name, profile) for profile, name in SERVICES),
    Case(BY_NAME['openai-responses'], 'qwen3-32b', alibaba_profile),
    Case(BY_NAME['openai-responses'], 'openai/gpt-6', openrouter_profile),
]

cases = pytest.mark.parametrize('case', CASES, ids=lambda case: f'{case.room}-{case.model_name}-{bool(case.profile)}')


def measure(body: Json) -> float:
    """Return how much a body asks the model to think: tokens, the rank of a level, 0.5 for a switch, or 0."""
    return max(_measure_fields(body), default=0)


def _measure_fields(value: Any, key: str = '') -> Iterator[float]:
    if isinstance(value, dict):
        for name, item in cast('Json', value).items():
            yield from _measure_fields(item, f'{key}.{name}')
        return
    name = key.rpartition('.')[2]
    if name in EFFORT_FIELDS and str(value).lower() in LEVELS:
        yield 1 + LEVELS.index(str(value).lower())
    elif name in BUDGET_FIELDS or key == '.reasoning.max_tokens':
        yield value
    elif key.endswith(('thinking.type', '.enable_thinking', 'includeThoughts')) and value in SWITCHES:
        yield SWITCHES[value]


@cases
def test_every_value_is_sent_or_listed(case: Case) -> None:
    without, _ = case.prepare(None)
    for value in VALUES:
        body, warnings = case.prepare(value)
        scale_is_off = value in (False, 0) and measure(body) == 0
        is_exact = (body != without and measure(body) > 0) or value is True
        assert bool(warnings) or scale_is_off or is_exact, (value, body)
        if case.profile is None:
            assert VALIDATORS[case.room.name](body) == []
        assert case.room.decode_request({'model': 'm', **body}).messages


@cases
def test_more_thinking_is_never_less(case: Case) -> None:
    for values in ((False, *LEVELS), (0, *BUDGETS)):
        measured = [measure(case.prepare(value)[0]) for value in values]
        assert measured == sorted(measured), dict(zip(values, measured, strict=True))


@cases
def test_a_budget_that_is_accepted_is_sent_as_it_is(case: Case) -> None:
    body, warnings = case.prepare(3000)
    assert warnings or measure(body) == 3000


@cases
def test_no_tokens_are_no_thinking(case: Case) -> None:
    off, zero = (case.prepare(value)[0] for value in (False, 0))
    assert zero == off


def test_a_warning_names_what_was_asked_for_and_what_was_sent() -> None:
    chat = BY_NAME['openai-chat']
    assert Case(chat, 'o3').prepare('max')[1] == [
        "thinking='max' became 'high', the nearest value that 'o3' accepts",
    ]
    assert Case(chat, 'o3').prepare(10_000)[1] == [
        "thinking=10000 became 'medium', the nearest value that 'o3' accepts"
    ]
    assert Case(chat, 'kimi-k2.6', moonshotai_profile).prepare('low')[1] == [
        "thinking='low' became True, the nearest value that 'kimi-k2.6' accepts"
    ]
    assert Case(BY_NAME['gemini'], 'gemini-2.5-pro').prepare(100_000)[1] == [
        "thinking=100000 became 32768, the nearest value that 'gemini-2.5-pro' accepts"
    ]


@pytest.mark.parametrize('name', ['anthropic', 'cohere'])
def test_a_budget_leaves_room_for_the_response(name: str) -> None:
    case = Case(BY_NAME[name], MODELS[name][0])
    body, warnings = case.prepare(8000, max_tokens=6000)
    assert (measure(body), len(warnings)) == (3000 if name == 'anthropic' else 5000, 1)


@cases
def test_a_wrong_value_is_refused_with_all_levels(case: Case) -> None:
    for value in ('none', -1, 0.5, 'Low'):
        with pytest.raises(UserError, match=r"^thinking is .*'minimal', 'low', 'medium', 'high', 'xhigh', 'max'"):
            case.prepare(value)


def test_each_level_is_the_nearest_to_its_own_tokens() -> None:
    assert [find_level(tokens) for tokens in TOKENS.values()] == [*TOKENS]
    assert (find_level(1), find_level(10**9)) == ('minimal', 'max')


TEMPLATES = {
    'a switch': ('{% if enable_thinking %}<think>{% endif %}', ('high', 4000), 2),
    'levels': ('{{ reasoning_effort }}', ('high', 4000), 1),
    'a budget': ('{{ thinking_budget }}', ('high', 4000), 0),
    'nothing': ('{{ messages }}', ('high', 4000), 2),
}
"""Form of a chat template → a template, two values, and how many of them are changed or dropped."""


@pytest.mark.parametrize('form', TEMPLATES)
def test_a_chat_template_says_what_a_local_model_accepts(form: str) -> None:
    template, values, changed = TEMPLATES[form]
    prepared: list[PreparedRequest] = []
    for value in values:
        request = OpenAIModel('tiny', api_key='k').prepare([ModelRequest([UserPromptPart('Hi')])], {'thinking': value})
        request.warnings.clear()
        resolve_thinking(request, make_thinking_scale(template))
        prepared.append(request)
    assert sum(bool(request.warnings) for request in prepared) == changed
