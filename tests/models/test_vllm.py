"""The fields that vLLM gets, and the values that are decoded from it. None of it needs vLLM: see `make test-vllm`."""

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


def make_job(sampling: Sampling) -> Job:
    return Job(Prompt([1, 2]), sampling=sampling, max_tokens=9, decoder=TokenDecoder(str))


async def encode_settings(settings: VLLMModelSettings, defaults: VLLMSampling | None = None) -> dict[str, Any]:
    """Return the fields of `SamplingParams` for these settings, without those that all requests have."""
    fields = encode_sampling(make_job(resolve_sampling(settings, defaults or VLLMSampling(), 100)))
    assert (fields.pop('max_tokens'), fields.pop('detokenize')) == (9, False)
    return fields


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
    assert await encode_settings(settings) == {'temperature': 0.0, **expected}


async def test_the_generation_config_holds_unless_a_setting_is_given() -> None:
    config = {'do_sample': True, 'temperature': 0.6, 'top_k': 20, 'top_p': 0.95, 'repetition_penalty': 1.05}
    defaults = decode_generation_config(config, {})
    expected = {'temperature': 0.6, 'top_k': 20, 'top_p': 0.95, 'repetition_penalty': 1.05}
    assert await encode_settings({}, defaults) == expected
    assert await encode_settings({'temperature': 0}, defaults) == {**expected, 'temperature': 0.0}
    assert decode_generation_config({'temperature': 0.6, 'top_k': 20}, {}) == VLLMSampling(top_k=20)
    assert decode_generation_config({'do_sample': True, 'temperature': 'hot', 'top_p': 7}, {}).temperature == 1.0
    assert decode_generation_config({}, {'temperature': 0.3}) == VLLMSampling(temperature=0.3)
    assert decode_generation_config({'do_sample': True}, {'top_p': 0.5}) == VLLMSampling(temperature=1.0, top_p=0.5)


@pytest.mark.parametrize(
    ('settings', 'message'),
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
def test_an_invalid_setting_is_a_user_error(settings: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve_sampling(settings, VLLMSampling(), 100)


def test_every_own_setting_is_encoded() -> None:
    others = {'vllm_adapter', 'vllm_min_p', 'vllm_repetition_penalty', 'vllm_sampling_params'}
    assert VLLMModel.own_settings == {*OWN} | others


# ---------------------------------------------------------------------- constraints

STYLE = {'whitespace_flexible': False, 'item_separator': ', ?', 'key_separator': ': ?', 'lenient': True}


@pytest.mark.parametrize(
    ('constraint', 'expected'),
    [
        (Regex('a+'), {'regex': 'a+'}),
        (Choice(('a', 'b.')), {'regex': 'a|b\\.'}),
        (Grammar('start: "a"'), {'grammar': 'start: "a"'}),
        (Grammar('root ::= "a"', syntax='gbnf'), {'grammar': 'root ::= "a"'}),
    ],
    ids=lambda value: getattr(value, 'kind', ''),
)
def test_a_constraint_is_a_field_of_its_structured_outputs(constraint: Constraint, expected: Any) -> None:
    assert encode_constraint(constraint) == expected


def test_a_schema_contains_the_json_style() -> None:
    schema = {'type': 'object', 'properties': {'a': {'const': 'ä'}}}
    fields = encode_constraint(JsonSchema(schema))
    assert fields.keys() == {'json'}
    assert json.loads(fields['json']) == {**schema, 'x-guidance': STYLE}


@pytest.mark.parametrize('constraint', [Choice(()), JsonSchema({'default': object()})], ids=['empty', 'not JSON'])
def test_a_constraint_that_cannot_be_encoded_is_a_user_error(constraint: Constraint) -> None:
    with pytest.raises(UserError):
        encode_constraint(constraint)


# ---------------------------------------------------------------------- the engine's options

KNOWN = ('model', 'structured_outputs_config', 'tensor_parallel_size', 'trust_remote_code', 'disable_log_stats')


def options(**model_kwargs: Any) -> Mapping[str, Any]:
    return make_engine_options(VLLMSource(name='some/model', model_kwargs=model_kwargs), KNOWN)


def test_model_kwargs_are_passed_to_the_engine() -> None:
    assert options(tensor_parallel_size=2) == {
        'model': 'some/model',
        'tensor_parallel_size': 2,
        'trust_remote_code': False,
        'disable_log_stats': True,
        'structured_outputs_config': {'backend': 'guidance'},
    }
    backend = options(structured_outputs_config={'backend': 'xgrammar'})['structured_outputs_config']
    assert backend == {'backend': 'xgrammar'}


def test_an_unknown_engine_option_is_a_user_error() -> None:
    with pytest.raises(UserError, match="not a field of vLLM's AsyncEngineArgs; did you mean 'tensor_parallel_size'"):
        options(tensor_parallel=2)
    with pytest.raises(UserError, match='give it as model_id'):
        options(model='other')


def test_models_with_the_same_loading_options_share_an_engine() -> None:
    one = VLLMModel('some/model', model_kwargs={'tensor_parallel_size': 2}, max_new_tokens=3)
    same = VLLMModel(Path('some/model'), model_kwargs={'tensor_parallel_size': 2}, settings={'temperature': 0.1})
    other = VLLMModel('some/model', model_kwargs={'tensor_parallel_size': 4})
    assert one.engine_key() == same.engine_key() != other.engine_key()
    assert one.engine is same.engine is not other.engine
    for model in (one, same, other):
        model.cleanup()


# ---------------------------------------------------------------------- outputs and errors


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None


def test_log_probabilities_have_the_shape_of_openai() -> None:
    likely = {1: Logprob(-2.5, 3), 2: Logprob(-0.1, 1), 3: Logprob(-1.5, 2)}
    logprobs = decode_logprobs([1], [likely], 2, lambda tokens: {1: 'ä', 2: 'b', 3: 'c'}[tokens[0]])
    assert logprobs == [
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


def test_an_error_of_vllm_is_translated() -> None:
    too_long = ValueError('The decoder prompt (length 9) is longer than the maximum model length of 8.')
    assert isinstance(request_error('m', too_long), ContextLengthError)
    assert isinstance(request_error('m', ValueError('top_p must be in (0, 1]')), UserError)


@pytest.mark.skipif(importlib.util.find_spec('vllm') is not None, reason='vLLM is installed')
async def test_without_the_library_the_error_names_the_package_to_install() -> None:
    with pytest.raises(UserError, match=r"pip install 'pydantic-llm\[vllm\]'"):
        infer_model('vllm:some/model')
    async with VLLMModel('some/model') as model:
        with pytest.raises(UserError, match=r"VLLMModel needs the package 'vllm': pip install 'pydantic-llm\[vllm\]'"):
            await model.request([ModelRequest.user_text_prompt('hi')])
