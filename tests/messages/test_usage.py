"""Tests of usage counts and of usage limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from pydantic import TypeAdapter, ValidationError

from pydantic_llm.exceptions import UsageLimitExceeded
from pydantic_llm.usage import RequestUsage, RunUsage, UsageLimits
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
