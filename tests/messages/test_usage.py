"""Tests of usage counts and of usage limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from pydantic import TypeAdapter, ValidationError

from pydantic_llm import Agent, ModelResponse, TextPart
from pydantic_llm.exceptions import UsageLimitExceeded
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.usage import REPORTED, RequestUsage, RunUsage, UsageLimits
from tests.messages.strategies import usages

ONE = RequestUsage(
    input_tokens=10,
    cache_write_tokens=1,
    cache_read_tokens=2,
    output_tokens=5,
    input_audio_tokens=3,
    cache_audio_read_tokens=4,
    output_audio_tokens=6,
    output_reasoning_tokens=2,
    details={'reasoning_tokens': 2},
)


def test_the_usage_of_a_request_is_added_to_a_run() -> None:
    run = RunUsage(input_tokens=1, requests=1, tool_calls=2, details={'reasoning_tokens': 1, 'x': 1})
    run.incr(ONE)
    assert run == RunUsage(
        input_tokens=11,
        cache_write_tokens=1,
        cache_read_tokens=2,
        output_tokens=5,
        input_audio_tokens=3,
        cache_audio_read_tokens=4,
        output_audio_tokens=6,
        output_reasoning_tokens=2,
        details={'reasoning_tokens': 3, 'x': 1},
        requests=2,
        tool_calls=2,
    )
    assert ONE.details == {'reasoning_tokens': 2}


def test_the_usage_of_two_runs_is_added() -> None:
    assert RunUsage(requests=1, tool_calls=2) + RunUsage(requests=3, tool_calls=4) == RunUsage(requests=4, tool_calls=6)


@given(usages, usages)
def test_a_sum_is_a_new_value_with_all_counts(a: RequestUsage, b: RequestUsage) -> None:
    details = [dict(a.details), dict(b.details)]
    total = a + b
    assert total.total_tokens == a.total_tokens + b.total_tokens
    assert total.details == {
        name: a.details.get(name, 0) + b.details.get(name, 0) for name in a.details.keys() | b.details.keys()
    }
    assert details == [a.details, b.details]
    assert total == b + a


# ---------------------------------------------------------------------- which count contains which


@given(usages)
def test_the_classes_of_tokens_are_disjoint(usage: RequestUsage) -> None:
    classes = usage.split()
    assert sum(classes.values()) == usage.total_tokens
    assert all(count > 0 for count in classes.values())
    assert sum(count for name, count in classes.items() if name.startswith('output')) == usage.output_tokens


def test_a_token_of_cached_audio_is_in_one_class() -> None:
    usage = RequestUsage(
        input_tokens=100,
        cache_read_tokens=30,
        cache_write_tokens=20,
        input_audio_tokens=25,
        cache_audio_read_tokens=10,
        output_tokens=50,
        output_reasoning_tokens=15,
        output_audio_tokens=5,
        details={'ephemeral_1h_input_tokens': 8},
    )
    assert usage.split() == {
        'input': 35,
        'cache_read': 20,
        'cache_audio_read': 10,
        'cache_write': 12,
        'cache_write_1h': 8,
        'input_audio': 15,
        'output': 30,
        'output_reasoning': 15,
        'output_audio': 5,
    }


def test_parts_larger_than_the_whole_do_not_add_tokens() -> None:
    usage = RequestUsage(input_tokens=5, cache_read_tokens=9, output_tokens=3, output_reasoning_tokens=7)
    assert usage.split() == {'cache_read': 5, 'output_reasoning': 3}


# ---------------------------------------------------------------------- exact, estimated, missing


def test_a_sum_says_which_counts_are_not_exact() -> None:
    run = RunUsage(requests=1)
    run.incr(RequestUsage(input_tokens=3, missing=('output_tokens',)))
    run.incr(RequestUsage(input_tokens=3, output_tokens=1, estimated=REPORTED))
    assert [run.source(name) for name in ('input_tokens', 'output_tokens', 'cache_read_tokens')] == [
        'estimated',
        'missing',
        'exact',
    ]
    assert run.unmeasured_requests == 0
    assert (run + RequestUsage.without_counts()).unmeasured_requests == 1
    assert (RequestUsage(input_tokens=1) + RequestUsage.without_counts()).missing == REPORTED


def test_marks_are_stored_only_if_there_are_any() -> None:
    adapter = TypeAdapter(RequestUsage)
    marked = RequestUsage(input_tokens=3, missing=('output_tokens',), estimated=('input_tokens',))
    read = adapter.validate_json(adapter.dump_json(marked))
    assert (read.missing, read.estimated) == (marked.missing, marked.estimated)
    assert not {'missing', 'estimated', 'unmeasured_requests'} & adapter.dump_python(ONE).keys()
    assert 'unmeasured_requests' not in TypeAdapter(RunUsage).dump_python(RunUsage())


def test_a_stored_usage_of_pydantic_ai_keeps_its_mark() -> None:
    stored = {'kind': 'response', 'parts': [], 'usage': {'input_tokens': 0, 'unmeasured_requests': 1}}
    assert TypeAdapter(ModelResponse).validate_python(stored).usage.missing == REPORTED


async def test_the_counts_of_models_for_tests_are_estimates() -> None:
    for model in (TestModel(), FunctionModel(lambda messages, info: ModelResponse([TextPart('Hi.')]))):
        result = await Agent(model).run('Hello.')
        assert [result.usage.source(name) for name in REPORTED] == ['estimated', 'estimated']
        assert (await model.count_tokens([])).source('input_tokens') == 'estimated'


def test_has_values_is_true_if_anything_was_counted() -> None:
    assert not RequestUsage().has_values()
    assert ONE.has_values()
    assert RunUsage(tool_calls=1).has_values()


def test_older_names_are_accepted() -> None:
    assert (ONE.request_tokens, ONE.response_tokens, ONE.total_tokens, ONE.requests) == (10, 5, 15, 1)
    run = RunUsage(requests=1)
    assert run() is run
    read = TypeAdapter(RequestUsage).validate_python({'request_tokens': 1, 'response_tokens': None, 'details': None})
    assert read == RequestUsage(input_tokens=1)


@pytest.mark.parametrize('wrong', [{'input_tokens': 'many'}, {'details': {'x': 'many'}}])
def test_counts_must_be_numbers(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(RequestUsage).validate_python(wrong)


# ---------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ('limits', 'usage', 'sentence'),
    [
        (
            UsageLimits(),
            RunUsage(requests=50),
            'The next step would bring the run to 51 requests, over request_lim',
        ),
        (UsageLimits(request_limit=0), RunUsage(), 'to 1 requests, over request_limit=0'),
        (UsageLimits(input_tokens_limit=9), RunUsage(input_tokens=10), '10 input tokens, over input_tokens_limit=9'),
        (
            UsageLimits(output_tokens_limit=9),
            RunUsage(output_tokens=10),
            '10 output tokens, over output_tokens',
        ),
        (
            UsageLimits(total_tokens_limit=9),
            RunUsage(input_tokens=5, output_tokens=5),
            '10 tokens, over total_tokens_limit=9',
        ),
    ],
)
def test_exceeding_a_limit_stops_the_next_request(limits: UsageLimits, usage: RunUsage, sentence: str) -> None:
    with pytest.raises(UsageLimitExceeded, match=sentence):
        limits.check_before_request(usage)


def test_reaching_a_limit_exactly_is_allowed() -> None:
    limits = UsageLimits(
        request_limit=2, tool_calls_limit=3, input_tokens_limit=10, output_tokens_limit=5, total_tokens_limit=15
    )
    limits.check_before_request(RunUsage(requests=1, input_tokens=10, output_tokens=5))
    limits.check_before_tool_calls(RunUsage(tool_calls=1), 2)
    limits.check_tokens(ONE)


def test_tool_calls_are_counted_before_they_are_made() -> None:
    with pytest.raises(UsageLimitExceeded, match='4 tool calls, over tool_calls_limit=3'):
        UsageLimits(tool_calls_limit=3).check_before_tool_calls(RunUsage(tool_calls=1), 3)
    UsageLimits().check_before_tool_calls(RunUsage(tool_calls=10**6))


def test_none_is_no_limit() -> None:
    UsageLimits(request_limit=None).check_before_request(RunUsage(requests=10**6, input_tokens=10**9))


@pytest.mark.parametrize('name', ['input_tokens_limit', 'output_tokens_limit', 'total_tokens_limit'])
def test_only_token_limits_count_as_token_limits(name: str) -> None:
    assert UsageLimits(**{name: 0}).has_token_limits()
    assert not UsageLimits(tool_calls_limit=1).has_token_limits()
