"""All parts of vLLM that the engine uses exist in the installed version, even one that cannot run on this machine."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.cli.map_models import VLLMRecipe
from pydantic_llm.constraints import Choice, Grammar, JsonSchema, Regex
from pydantic_llm.exceptions import UserError
from pydantic_llm.models.local import Job, Prompt
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.models.vllm import VLLMModel, VLLMModelSettings
from pydantic_llm.models.vllm.adapters import find_adapters, make_adapter_options, make_requests
from pydantic_llm.models.vllm.constraints import encode_constraint
from pydantic_llm.models.vllm.load import VLLMSource, make_engine_options
from pydantic_llm.models.vllm.runner import FINISH_REASONS
from pydantic_llm.models.vllm.sampling import VLLMSampling, encode_sampling, resolve_sampling
from tests.local.engines import ENGINES, MARKS, VLLM_KWARGS, skip_if_missing

skip_if_missing(ENGINES['vllm'])
pytestmark = [*MARKS['vllm']]

SETTINGS: VLLMModelSettings = {
    'temperature': 0.5,
    'top_p': 0.9,
    'top_k': 5,
    'seed': 1,
    'presence_penalty': 0.1,
    'frequency_penalty': 0.1,
    'logit_bias': {'3': 1.0},
    'logprobs': True,
    'vllm_min_p': 0.1,
    'vllm_repetition_penalty': 1.1,
    'vllm_min_tokens': 1,
    'vllm_stop_token_ids': (3, 4),
    'vllm_bad_words': ('bad',),
    'vllm_allowed_token_ids': (1, 2, 3),
    'vllm_thinking_token_budget': 10,
}
"""All settings that vLLM gets."""


async def test_sampling_params_has_every_field() -> None:
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    sampling = resolve_sampling(SETTINGS, VLLMSampling(), 100)
    job = Job(Prompt([1]), sampling=sampling, max_tokens=5, decoder=TokenDecoder(str))
    fields = encode_sampling(job)
    params = SamplingParams(**fields, output_kind=RequestOutputKind.DELTA)
    kept: dict[str, Any] = {name: getattr(params, name) for name in fields}
    assert kept == fields


@pytest.mark.parametrize(
    'constraint',
    [JsonSchema({'type': 'object'}), Regex('a+'), Choice(('a', 'b')), Grammar('start: "a"')],
    ids=lambda constraint: constraint.kind,
)
def test_structured_outputs_params_has_every_field(constraint: Any) -> None:
    from vllm.sampling_params import StructuredOutputsParams

    fields = encode_constraint(constraint)
    params = StructuredOutputsParams(**fields)
    assert {name: getattr(params, name) for name in fields} == fields


def test_the_engine_options_are_fields_of_async_engine_args() -> None:
    from vllm.engine.arg_utils import AsyncEngineArgs

    spread = {
        'tensor_parallel_size': 2,
        'pipeline_parallel_size': 2,
        'distributed_executor_backend': 'ray',
        'data_parallel_size': 1,
    }
    known = [field.name for field in dataclasses.fields(AsyncEngineArgs)]
    adapters = {'enable_lora': True, 'max_loras': 2, 'max_lora_rank': 8}
    options = make_engine_options(VLLMSource(name='x', model_kwargs={**VLLM_KWARGS, **spread}), known, adapters)
    assert options.keys() >= adapters.keys()
    assert options.keys() <= {*known}


def test_a_model_on_a_ray_cluster_is_spread_over_the_gpus_of_its_worker() -> None:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.executor import ray_utils

    model = VLLMRecipe(name='some/model', tensor_parallel_size=4)()
    assert isinstance(model, VLLMModel)
    source: Any = vars(model)['_source']
    options = make_engine_options(source, [field.name for field in dataclasses.fields(AsyncEngineArgs)])
    assert (options['tensor_parallel_size'], options['distributed_executor_backend']) == (4, 'ray')
    assert 'get_current_placement_group' in inspect.getsource(ray_utils.initialize_ray_cluster)


def test_async_llm_has_the_parts_that_the_runner_uses() -> None:
    from vllm.exceptions import VLLMClientError
    from vllm.outputs import CompletionOutput, RequestOutput
    from vllm.v1.engine import FINISH_REASON_STRINGS
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.engine.exceptions import EngineDeadError

    generate = inspect.signature(AsyncLLM.generate)
    generate.bind(None, {'prompt_token_ids': [1]}, object(), 'id', lora_request=object())
    assert [*generate.parameters][1:4] == ['prompt', 'sampling_params', 'request_id']
    assert inspect.isasyncgenfunction(AsyncLLM.generate)
    assert 'timeout' in inspect.signature(AsyncLLM.shutdown).parameters
    assert [*inspect.signature(AsyncLLM.add_lora).parameters][1:] == ['lora_request']
    assert isinstance(AsyncLLM.errored, property)
    assert {*FINISH_REASONS, 'abort', 'error'} == {*FINISH_REASON_STRINGS}
    fields = {field.name for field in dataclasses.fields(CompletionOutput)}
    assert {'token_ids', 'finish_reason', 'stop_reason', 'logprobs'} <= fields
    read = {'outputs', 'num_cached_tokens', 'prompt_token_ids'}
    assert read <= inspect.signature(RequestOutput.__init__).parameters.keys()
    assert issubclass(VLLMClientError, Exception)
    assert not issubclass(EngineDeadError, VLLMClientError)


def test_adapters_get_a_rank_that_vllm_takes_and_a_request_each(tmp_path: Path) -> None:
    for name, config in (('low', {'r': 3}), ('high', {'r': 8, 'rank_pattern': {'q_proj': 17}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'adapter_config.json').write_text(json.dumps(config), encoding='utf-8')
    from vllm.platforms import current_platform

    spare = 1 if current_platform.is_cpu() else 0
    folders = find_adapters({name: f'{tmp_path / name}' for name in ('low', 'high')})
    assert make_adapter_options(folders) == {'enable_lora': True, 'max_loras': 2 + spare, 'max_lora_rank': 32}
    requests = make_requests(folders)
    assert [(name, one.lora_name, one.lora_int_id, one.lora_path) for name, one in requests.items()] == [
        ('low', 'low', 1, f'{tmp_path / "low"}'),
        ('high', 'high', 2, f'{tmp_path / "high"}'),
    ]
    assert find_adapters({}) == make_adapter_options({}) == make_requests({}) == {}
    with pytest.raises(UserError, match=r"adapters\['sql'\] '/no/such' was not found: give a name on the hub"):
        find_adapters({'sql': '/no/such'})


def test_the_configuration_has_the_parts_that_loading_reads() -> None:
    from vllm.config import ModelConfig, ParallelConfig, SchedulerConfig
    from vllm.multimodal import MULTIMODAL_REGISTRY
    from vllm.transformers_utils.processor import cached_processor_from_config

    fields = {field.name for field in dataclasses.fields(ModelConfig)}
    assert {'generation_config', 'override_generation_config', 'max_model_len'} <= fields
    assert {'hf_text_config'} <= fields | ModelConfig.__annotations__.keys()
    methods = ('get_vocab_size', 'try_get_generation_config', 'supports_multimodal_inputs')
    assert all(hasattr(ModelConfig, name) for name in methods)
    assert 'max_num_seqs' in {field.name for field in dataclasses.fields(SchedulerConfig)}
    assert 'data_parallel_size' in {field.name for field in dataclasses.fields(ParallelConfig)}
    assert callable(cached_processor_from_config)
    assert callable(MULTIMODAL_REGISTRY.get_processing_info)
