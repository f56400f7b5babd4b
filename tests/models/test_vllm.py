"""What is asked of vLLM, in its words. None of it needs vLLM; `make test-vllm` runs the engine."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from pydantic_llm.exceptions import ContextLengthError, UserError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import infer_model
from pydantic_llm.models.local import Job, Prompt, Sampling
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.models.vllm import VLLMModel, VLLMModelSettings
from pydantic_llm.models.vllm.constraints import encode_constraint
from pydantic_llm.models.vllm.load import VLLMSource, make_engine_options
from pydantic_llm.models.vllm.logprobs import decode_logprobs
from pydantic_llm.models.vllm.runner import request_error
from pydantic_llm.models.vllm.sampling import (
    OWN,
    VLLMSampling,
    decode_generation_config,
    encode_sampling,
    resolve_sampling,
)


def job(sampling: Sampling) -> Job:
    return Job(Prompt([1, 2]), sampling=sampling, max_tokens=9, decoder=TokenDecoder(str))


async def fields(settings: VLLMModelSettings, defaults: VLLMSampling | None = None) -> dict[str, Any]:
    """The fields of `SamplingParams` for these settings, without those that all requests have."""
    said = encode_sampling(job(resolve_sampling(settings, defaults or VLLMSampling(), 100)))
    assert (said.pop('max_tokens'), said.pop('detokenize')) == (9, False)
    return said


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({}, {'temperature': 0.0}),
        ({'temperature': 0.5}, {'temperature': 0.5}),
        ({'top_p': 0.9}, {'temperature': 1.0, 'top_p': 0.9}),
        ({'top_k': 1000}, {'temperature': 1.0, 'top_k': 100}),
        ({'vllm_min_p': 0.1}, {'temperature': 1.0, 'min_p': 0.1}),
        ({'seed': 3}, {'temperature': 0.0, 'seed': 3}),
        ({'presence_penalty': 1, 'frequency_penalty': -1}, {'presence_penalty': 1.0, 'frequency_penalty': -1.0}),
        ({'vllm_repetition_penalty': 1.2}, {'repetition_penalty': 1.2}),
        ({'logit_bias': {'7': 2}}, {'logit_bias': {7: 2.0}}),
        ({'logprobs': True}, {'logprobs': 0}),
        ({'logprobs': False}, {}),
        ({'top_logprobs': 3}, {'logprobs': 3}),
        ({'logprobs': True, 'top_logprobs': 3}, {'logprobs': 3}),
        ({'logprobs': False, 'top_logprobs': 3}, {}),
        ({'vllm_min_tokens': 2}, {'min_tokens': 2}),
        ({'vllm_stop_token_ids': (4, 5)}, {'stop_token_ids': [4, 5]}),
        ({'vllm_bad_words': ['no']}, {'bad_words': ['no']}),
        ({'vllm_allowed_token_ids': (1,)}, {'allowed_token_ids': [1]}),
        ({'vllm_thinking_token_budget': 8}, {'thinking_token_budget': 8}),
        ({'vllm_sampling_params': {'extra_args': {'a': 1}}}, {'extra_args': {'a': 1}}),
    ],
    ids=str,
)
async def test_a_setting_is_a_field_of_its_sampling_params(settings: Any, expected: dict[str, Any]) -> None:
    assert await fields(settings) == {'temperature': 0.0, **expected}


async def test_what_the_makers_want_holds_where_nothing_is_said() -> None:
    config = {'do_sample': True, 'temperature': 0.6, 'top_k': 20, 'top_p': 0.95, 'repetition_penalty': 1.05}
    defaults = decode_generation_config(config, {})
    expected = {'temperature': 0.6, 'top_k': 20, 'top_p': 0.95, 'repetition_penalty': 1.05}
    assert await fields({}, defaults) == expected
    assert await fields({'temperature': 0}, defaults) == {**expected, 'temperature': 0.0}
    assert decode_generation_config({'temperature': 0.6, 'top_k': 20}, {}) == VLLMSampling()
    assert decode_generation_config({}, {'temperature': 0.3}) == VLLMSampling(temperature=0.3)
    assert decode_generation_config({'do_sample': True}, {'top_p': 0.5}) == VLLMSampling(temperature=1.0, top_p=0.5)


@pytest.mark.parametrize(
    ('settings', 'said'),
    [
        ({'top_logprobs': -1}, 'top_logprobs is -1'),
        ({'top_logprobs': True}, 'top_logprobs is True'),
        ({'temperature': -1}, 'temperature is -1'),
        ({'vllm_min_p': 2}, 'vllm_min_p is 2'),
        ({'vllm_sampling_params': {'stop': ['x']}}, "contains 'stop'"),
        ({'vllm_sampling_params': {'min_tokens': 1}}, "contains 'min_tokens'"),
    ],
    ids=str,
)
def test_a_setting_that_means_nothing_is_a_user_error(settings: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        resolve_sampling(settings, VLLMSampling(), 100)


def test_every_setting_of_its_own_is_read() -> None:
    elsewhere = {'vllm_min_p', 'vllm_repetition_penalty', 'vllm_sampling_params'}
    assert VLLMModel.own_settings == {*OWN} | elsewhere


# ---------------------------------------------------------------------- constraints

STYLE = {'whitespace_flexible': False, 'item_separator': ', ?', 'key_separator': ': ?'}


@pytest.mark.parametrize(
    ('constraint', 'expected'),
    [
        (Regex('a+'), {'regex': 'a+'}),
        (Choice(('a', 'b')), {'choice': ['a', 'b']}),
        (Grammar('start: "a"'), {'grammar': 'start: "a"'}),
        (Grammar('root ::= "a"', syntax='gbnf'), {'grammar': 'root ::= "a"'}),
    ],
    ids=lambda value: getattr(value, 'kind', ''),
)
def test_a_constraint_is_a_field_of_its_structured_outputs(constraint: Constraint, expected: Any) -> None:
    assert encode_constraint(constraint) == expected


def test_a_schema_says_how_its_json_is_written() -> None:
    schema = {'type': 'object', 'properties': {'a': {'const': 'ä'}}}
    said = encode_constraint(JsonSchema(schema))
    assert said.keys() == {'json'}
    assert json.loads(said['json']) == {**schema, 'x-guidance': STYLE}


@pytest.mark.parametrize('constraint', [Choice(()), JsonSchema({'default': object()})], ids=['nothing', 'no JSON'])
def test_a_constraint_that_cannot_be_said_is_a_user_error(constraint: Constraint) -> None:
    with pytest.raises(UserError):
        encode_constraint(constraint)


# ---------------------------------------------------------------------- the engine's options

KNOWN = ('model', 'structured_outputs_config', 'tensor_parallel_size', 'trust_remote_code', 'disable_log_stats')


def options(**model_kwargs: Any) -> Mapping[str, Any]:
    return make_engine_options(VLLMSource(name='some/model', model_kwargs=model_kwargs), KNOWN)


def test_the_engine_is_told_what_the_caller_says() -> None:
    assert options(tensor_parallel_size=2) == {
        'model': 'some/model',
        'tensor_parallel_size': 2,
        'trust_remote_code': False,
        'disable_log_stats': True,
        'structured_outputs_config': {'backend': 'guidance'},
    }
    backend = options(structured_outputs_config={'backend': 'xgrammar'})['structured_outputs_config']
    assert backend == {'backend': 'xgrammar'}


def test_an_option_that_the_engine_lacks_is_a_user_error() -> None:
    with pytest.raises(UserError, match="not a field of vLLM's AsyncEngineArgs; did you mean 'tensor_parallel_size'"):
        options(tensor_parallel=2)
    with pytest.raises(UserError, match='give it as model_id'):
        options(model='other')


def test_objects_that_load_alike_share_an_engine() -> None:
    one = VLLMModel('some/model', model_kwargs={'tensor_parallel_size': 2}, max_new_tokens=3)
    same = VLLMModel(Path('some/model'), model_kwargs={'tensor_parallel_size': 2}, settings={'temperature': 0.1})
    other = VLLMModel('some/model', model_kwargs={'tensor_parallel_size': 4})
    assert one.engine_key() == same.engine_key() != other.engine_key()
    assert one.engine is same.engine is not other.engine
    for model in (one, same, other):
        model.cleanup()


# ---------------------------------------------------------------------- what it tells


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None


def test_log_probabilities_have_the_shape_that_openai_gave_them() -> None:
    likely = {1: Logprob(-2.5, 3), 2: Logprob(-0.1, 1), 3: Logprob(-1.5, 2)}
    found = decode_logprobs([1], [likely], 2, lambda tokens: {1: 'ä', 2: 'b', 3: 'c'}[tokens[0]])
    assert found == [
        {
            'token': 'ä',
            'logprob': -2.5,
            'bytes': [195, 164],
            'top_logprobs': [
                {'token': 'b', 'logprob': -0.1, 'bytes': [98]},
                {'token': 'c', 'logprob': -1.5, 'bytes': [99]},
            ],
        }
    ]


def test_an_error_of_its_own_is_one_of_ours() -> None:
    long = ValueError('The decoder prompt (length 9) is longer than the maximum model length of 8.')
    assert isinstance(request_error('m', long), ContextLengthError)
    assert isinstance(request_error('m', ValueError('top_p must be in (0, 1]')), UserError)


@pytest.mark.skipif(importlib.util.find_spec('vllm') is not None, reason='vLLM is installed')
async def test_without_the_library_one_sentence_says_what_to_install() -> None:
    with pytest.raises(UserError, match=r"pip install 'pydantic-llm\[vllm\]'"):
        infer_model('vllm:some/model')
    async with VLLMModel('some/model') as model:
        with pytest.raises(UserError, match=r"VLLMModel needs the package 'vllm': pip install 'pydantic-llm\[vllm\]'"):
            await model.request([ModelRequest.user_text_prompt('hi')])
