"""`portability_report`: what a model would do with a history, part by part, without sending it."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from pydantic_llm import (
    Agent,
    AgentModel,
    Model,
    ModelRequestParameters,
    ModelSettings,
    PortabilityReport,
    UserError,
    portability_report,
)
from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.groq import GroqModel
from pydantic_llm.models.mistral import MistralModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.router import RouterModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.models.transformers import TransformersModel
from pydantic_llm.tools import ToolDefinition

PNG = BinaryContent(b'\x89PNG', media_type='image/png')
OWN: dict[str, Any] = {'provider_name': 'anthropic'}
TALKS = [AudioUrl(f'https://example.com/{name}.mp3') for name in 'ab']

SEARCHED = ModelResponse(
    [
        ThinkingPart('I must search.', signature='sealed', **OWN),
        NativeToolCallPart('web_search', {'query': 'tides'}, 'srvtoolu_1', **OWN),
        NativeToolReturnPart('web_search', [], 'srvtoolu_1', **OWN),
        TextPart('It is low tide.', id='text-1'),
        ToolCallPart('look', '{}', 'toolu_1'),
    ],
    **OWN,
)
HISTORY: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('Be brief.'), UserPromptPart(['What is this?', PNG])]),
    SEARCHED,
    ModelRequest([ToolReturnPart('look', 'a boat', 'toolu_1'), UserPromptPart('Go on.')]),
    ModelResponse([TextPart('Done.')], **OWN),
    ModelRequest([SystemPromptPart('Now in French.'), UserPromptPart('And then?')]),
]

CLAUDE = AnthropicModel('claude-sonnet-4-5', api_key='k')
GPT = OpenAIChatModel('gpt-4.1', api_key='k')
LLAMA = GroqModel('llama-3.3-70b-versatile', api_key='k')
MISTRAL = MistralModel('mistral-large-latest', api_key='k')


def find(report: PortabilityReport) -> list[tuple[str, int | None, str | None]]:
    return [(issue.effect, issue.message_index, issue.part_kind) for issue in report.issues]


def test_the_vendor_of_a_history_gets_it_as_it_is() -> None:
    report = portability_report(HISTORY[:4], CLAUDE)
    assert find(report) == []
    assert str(report) == 'anthropic:claude-sonnet-4-5 would get this history as it is.'


def test_each_part_that_another_vendor_cannot_get_is_listed() -> None:
    assert find(portability_report(HISTORY, GPT)) == [
        ('changed', 1, 'thinking'),  # sent as text
        ('changed', 1, 'thinking'),  # its signature
        ('dropped', 1, 'builtin-tool-call'),
        ('dropped', 1, 'builtin-tool-return'),
        ('changed', 1, 'text'),  # its id
    ]


def test_the_descriptions_are_the_warnings_of_the_request() -> None:
    warnings = GPT.prepare(HISTORY).warnings
    preview = GPT.preview(HISTORY)
    descriptions = {issue.description for issue in portability_report(HISTORY, GPT).issues}
    assert preview.warnings
    assert {*warnings, *preview.warnings} <= descriptions


def test_ids_and_the_places_of_system_prompts_are_listed() -> None:
    issues = portability_report(HISTORY, MISTRAL).issues
    assert "not sent, since it is for 'anthropic' only: tool_call_id" in [each.description for each in issues]
    moved = [issue for issue in issues if issue.part_kind == 'system-prompt']
    assert [(issue.message_index, issue.description) for issue in moved] == [
        (4, 'system prompts inside the conversation were sent at its beginning')
    ]


def test_tool_calls_are_listed_for_a_model_without_tools() -> None:
    model = OpenAIChatModel('gpt-4.1', api_key='k', profile={'supports_tools': False})
    history = [*HISTORY[:1], ModelResponse([ToolCallPart('look', '{}', 'toolu_1')]), *HISTORY[2:3]]
    issue = portability_report(history, model).issues[0]
    description = "'gpt-4.1' has no tools: past tool calls were sent as text"
    assert (issue.part_kind, issue.description) == ('tool-call', description)


def test_every_file_that_is_refused_is_listed_and_the_rest_is_examined_too() -> None:
    history = [ModelRequest([UserPromptPart(['Listen.', *TALKS, CachePoint(), PNG])]), *HISTORY[1:]]
    report = portability_report(history, LLAMA)
    assert [(each.message_index, each.part_index) for each in report.refused] == [(0, 0), (0, 0)]
    for talk, issue in zip(TALKS, report.refused, strict=True):
        assert talk.url in issue.description
        with pytest.raises(UserError) as raised:
            LLAMA.preview([ModelRequest([UserPromptPart(['Listen.', talk])])])
        assert str(raised.value) == issue.description
    assert find(report)[2:4] == [('dropped', 0, 'user-prompt'), ('changed', 1, 'thinking')]
    assert str(report).startswith(
        'groq:llama-3.3-70b-versatile would refuse this history:\n- refused: messages[0] user'
    )


def test_a_file_in_a_tool_result_is_refused_where_it_is() -> None:
    history = [
        HISTORY[0],
        ModelResponse([ToolCallPart('listen', '{}', 'toolu_1')]),
        ModelRequest([ToolReturnPart('listen', TALKS, 'toolu_1')]),
    ]
    issues = portability_report(history, LLAMA).refused
    assert [(issue.message_index, issue.part_kind) for issue in issues] == [(2, 'tool-return')]


def test_a_cache_point_without_content_before_it_is_refused() -> None:
    history = [ModelRequest([UserPromptPart([CachePoint(), 'Hello.'])])]
    assert find(portability_report(history, CLAUDE)) == [('refused', 0, 'user-prompt')]


def test_a_request_that_is_refused_as_a_whole_has_no_position() -> None:
    model = OpenAIChatModel('gpt-4.1', api_key='k', profile={'supports_tools': False})
    tool = ToolDefinition('look', {'type': 'object', 'properties': {}})
    report = portability_report(HISTORY, model, model_request_parameters=ModelRequestParameters([tool]))
    assert find(report)[0] == ('refused', None, None)
    assert "cannot call tools, and was given 'look'" in str(report.issues[0])


def test_settings_are_examined_too() -> None:
    history = [ModelRequest.user_text_prompt('Hello.')]
    report = portability_report(history, CLAUDE, model_settings={'seed': 3})
    assert [str(issue) for issue in report.issues] == [
        "changed: 'seed' was not sent: the API of 'anthropic' does not support it"
    ]


def test_changes_are_listed_also_if_warnings_are_off() -> None:
    settings = ModelSettings(unsupported_settings='drop')
    assert portability_report(HISTORY, GPT, model_settings=settings) == portability_report(HISTORY, GPT)


def test_an_orphaned_tool_call_is_listed() -> None:
    history = [HISTORY[0], ModelResponse([ToolCallPart('look', '{}', 'toolu_1')], **OWN), HISTORY[4]]
    assert ('changed', 1, 'tool-call') in find(portability_report(history, CLAUDE))


@pytest.mark.parametrize(
    'model',
    [
        FallbackModel(CLAUDE, GPT),
        RouterModel([CLAUDE, GPT]),
        ConcurrencyLimitedModel(FallbackModel(CLAUDE, GPT), limit=1),
        AgentModel(Agent(FallbackModel(CLAUDE, GPT))),
    ],
    ids=['fallback', 'router', 'wrapper', 'agent'],
)
def test_a_model_of_several_models_has_the_issues_of_each(model: Model) -> None:
    report = portability_report(HISTORY, model)
    assert report.models == ['anthropic:claude-sonnet-4-5', 'openai:gpt-4.1']
    assert report.for_model('openai:gpt-4.1') == portability_report(HISTORY, GPT)
    assert report.for_model('anthropic:claude-sonnet-4-5') == portability_report(HISTORY, CLAUDE)


def test_the_settings_of_a_wrapper_are_examined() -> None:
    history = [ModelRequest.user_text_prompt('Hello.')]
    report = portability_report(history, FallbackModel(CLAUDE, settings={'seed': 3}))
    assert len(report.issues) == 1


@pytest.mark.parametrize(
    'model', [TestModel(), FunctionModel(lambda _, __: ModelResponse([]))], ids=['test', 'function']
)
def test_a_model_for_tests_gets_every_history_as_it_is(model: Model) -> None:
    assert portability_report(HISTORY, model).issues == []


def test_a_local_model_is_not_loaded() -> None:
    model = TransformersModel('no/such-model')
    report = portability_report(HISTORY, model)
    assert model._lease is None
    assert "the chat template of 'no/such-model' was not read" in str(report)


def test_a_model_that_shows_nothing_is_unknown() -> None:
    class Other(Model):
        model_name = 'other'  # type: ignore[assignment]  # a property there

        async def request(self, *arguments: Any) -> ModelResponse:
            raise AssertionError(arguments)

    report = portability_report(HISTORY, Other())
    assert find(report) == [('unknown', None, None)]
    assert str(report) == 'other:other cannot be examined:\n- unknown: Other does not show what it sends'


def test_a_file_that_must_be_downloaded_is_not() -> None:
    urls = [
        ImageUrl('https://nowhere.example/a.png'),
        DocumentUrl('https://nowhere.example/b.pdf', force_download=True),
    ]
    assert portability_report([ModelRequest([UserPromptPart(urls)])], CLAUDE).issues == []


def test_the_history_is_not_changed_and_nothing_is_kept_with_it() -> None:
    before = [*HISTORY]
    portability_report(HISTORY, MISTRAL)
    assert before == HISTORY
    assert all(getattr(message, '_known', None) is None for message in HISTORY)
    gc.collect()


@pytest.mark.parametrize('history', ['text', {'role': 'user'}, [{'role': 'user', 'content': 'x'}], None], ids=repr)
def test_a_history_that_is_none_is_refused(history: Any) -> None:
    with pytest.raises(UserError, match='history'):
        portability_report(history, CLAUDE)


def test_many_issues_of_one_kind_are_one_line() -> None:
    history = [HISTORY[0], *(ModelResponse([ThinkingPart('Hm.', **OWN), TextPart('a')], **OWN) for _ in range(5))]
    assert str(portability_report(history, GPT)).splitlines()[1:] == [
        "- changed: messages[1], [2], [3] and 2 more thinking: thinking of 'anthropic' was sent as text between tags"
    ]
