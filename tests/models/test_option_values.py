"""Options with invalid values are refused with one sentence that names the option, when the object is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.models import infer_model
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.llamacpp import LlamaCppModel
from pydantic_llm.models.mlx import MLXModel
from pydantic_llm.models.rate_limit import RateLimitedModel
from pydantic_llm.models.router import Deployment, RouterModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.models.transformers import TransformersModel
from pydantic_llm.models.vllm import VLLMModel
from pydantic_llm.retries.policy import RetryPolicy

NAN = float('nan')


def deployment(**options: Any) -> Any:
    return Deployment(TestModel(), **options)


def router(**options: Any) -> Any:
    return RouterModel([Deployment(TestModel())], **options)


def limited(**options: Any) -> Any:
    return ConcurrencyLimitedModel(TestModel(), **{'limit': 1, **options})


def rated(**options: Any) -> Any:
    return RateLimitedModel(TestModel(), **{'requests_per_minute': 1, **options})


def fallback(**options: Any) -> Any:
    return FallbackModel(TestModel(), **options)


def llamacpp(**options: Any) -> Any:
    return LlamaCppModel('model.gguf', **options)


REFUSED: list[tuple[Callable[..., Any], str, Any]] = [
    *((deployment, 'cost', value) for value in (5, 'x', (1,), (1, 2, 3), (1, None), ('a', 'b'), (-1, 2), {1: 2})),
    *((deployment, 'weight', value) for value in (0, -1, 'x', None, NAN, True)),
    *((deployment, 'concurrency', value) for value in (0, 'x', NAN)),
    *((deployment, 'requests_per_minute', value) for value in (0, 'x', [1])),
    *((router, 'cooldown', value) for value in (-1, 'x', None)),
    *((router, 'max_wait', value) for value in (-1, 'x')),
    *((router, 'max_queue', value) for value in (-1, 'x')),
    *((limited, 'limit', value) for value in (0, 'x', None, NAN)),
    *((limited, 'max_queue', value) for value in (-1, 'x')),
    *((rated, 'requests_per_minute', value) for value in (0, 'x', NAN)),
    *((rated, 'tokens_per_minute', value) for value in (-5, 'x')),
    *((fallback, 'attempt_timeout', value) for value in (0, 'x', NAN)),
    *((llamacpp, name, value) for name in ('n_ctx', 'n_threads') for value in (0, -1, 'x', 1.5, True, 2**40)),
    *((llamacpp, 'max_batch_size', value) for value in (0, 'x', None, 257)),
    *((RetryPolicy, 'retries', value) for value in (-1, 'x', 1.5, None)),
    *((RetryPolicy, 'first_wait', value) for value in (-1, 'x', None, NAN)),
]


@pytest.mark.parametrize(('make', 'name', 'value'), REFUSED)
def test_an_invalid_value_of_an_option_is_refused(make: Callable[..., Any], name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf'^{name}.* is .*: give '):
        make(**{name: value})


@pytest.mark.parametrize('value', [5, None, ['openai:gpt-4o']])
def test_a_model_that_is_neither_a_model_nor_a_name_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match='takes a Model or a name'):
        infer_model(value)
    with pytest.raises(UserError, match='takes a Model or a name'):
        Deployment(value)


@pytest.mark.parametrize(
    ('model_type', 'name', 'hint'),
    [
        (TransformersModel, 'dtype', '; did you mean torch_dtype='),
        (TransformersModel, 'stop', '; did you mean stop_sequences='),
        (LlamaCppModel, 'lora_path', '; did you mean adapter='),
        (LlamaCppModel, 'n_batch', '; did you mean prefill_tokens='),
        (MLXModel, 'device', '; TransformersModel has it'),
        (VLLMModel, 'tool_fromat', '; did you mean tool_format='),
    ],
)
def test_an_unknown_option_of_a_local_model_is_refused_with_a_suggestion(
    model_type: type, name: str, hint: str
) -> None:
    with pytest.raises(TypeError) as raised:
        model_type('/no/such/folder', **{name: 1})
    assert str(raised.value).startswith(f'{model_type.__name__}() got an unexpected keyword argument {name!r}')
    assert hint in str(raised.value)


@pytest.mark.parametrize('model_type', [TransformersModel, MLXModel, VLLMModel, LlamaCppModel])
def test_a_local_model_takes_settings_as_keywords(model_type: Any) -> None:
    model = model_type(model_id='/no/such/folder', temperature=0.2, max_tokens=5, tool_format=None)
    assert (model.model_name, model.settings) == ('/no/such/folder', {'temperature': 0.2, 'max_tokens': 5})


def test_device_is_another_name_of_device_map() -> None:
    by_device, by_map = TransformersModel('/a', device='cpu'), TransformersModel('/a', device_map='cpu')
    assert by_device.engine_key() == by_map.engine_key() != TransformersModel('/a').engine_key()
    with pytest.raises(UserError, match=r'^device and device_map'):
        TransformersModel('/a', device='cpu', device_map='auto')
