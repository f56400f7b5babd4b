"""The options of the engines in this process: a wrong one is an error when the model object is made."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models.llamacpp import LlamaCppModel
from pydantic_llm.models.local import LocalModel, LocalOptions
from pydantic_llm.models.mlx import MLXModel
from pydantic_llm.models.transformers import TransformersModel
from pydantic_llm.models.vllm import VLLMModel
from pydantic_llm.settings import ModelSettings

ENGINES = [TransformersModel, MLXModel, VLLMModel, LlamaCppModel]

OF_ANY_TYPE = {'device', 'device_map', 'torch_dtype', 'quantization_config'}
"""The options that a library takes in several types of its own."""

NOT_AN_OPTION = {'model_name', 'options', *ModelSettings.__annotations__}


def list_options(kind: type[LocalModel]) -> list[str]:
    """Return the names of the options of an engine, without settings."""
    return sorted({*signature(kind).parameters, *LocalOptions.__annotations__} - NOT_AN_OPTION)


@pytest.mark.parametrize('kind', ENGINES)
def test_every_option_refuses_a_value_of_another_type_and_is_named(kind: type[Any]) -> None:
    for name in {*list_options(kind)} - OF_ANY_TYPE:
        shown = 'model_name' if name == 'model_id' else name
        place = () if name == 'model_id' else ('some/model',)
        for value in (object(), [object()], 1j):
            with pytest.raises(UserError, match=f'^{shown} (is|takes) '):
                kind(*place, **{name: value})


@pytest.mark.parametrize('kind', ENGINES)
def test_every_number_refuses_what_the_library_cannot_take(kind: type[Any]) -> None:
    numbers = [name for name in list_options(kind) if 'int' in str(find_annotation(kind, name)).split(' | ')]
    assert 'max_queue' in numbers
    for name in numbers:
        for value in (-(10**12), 10**30, 0.5, float('nan'), '3', True):
            with pytest.raises(UserError, match=f'^{name} is .*: give a whole number'):
                kind('some/model', **{name: value})


def find_annotation(kind: type[Any], name: str) -> object:
    parameter = signature(kind).parameters.get(name)
    return parameter.annotation if parameter else LocalOptions.__annotations__[name].__forward_arg__


@pytest.mark.parametrize('kind', ENGINES)
def test_a_misspelled_option_or_choice_is_explained(kind: type[Any]) -> None:
    for name in list_options(kind):
        with pytest.raises(TypeError, match=f'unexpected keyword argument .*; did you mean {name}='):
            kind('some/model', **{f'{name}_': 1})
    with pytest.raises(UserError, match="when_full is 'erorr': give one of 'wait', 'error'; did you mean 'error'"):
        kind('some/model', when_full='erorr')
    with pytest.raises(UserError, match=r"tool_format is 'herme': .*; did you mean 'hermes'"):
        kind('some/model', tool_format='herme')


def test_a_text_does_not_switch_on_the_code_of_a_model() -> None:
    for kind in (TransformersModel, MLXModel, VLLMModel):
        with pytest.raises(UserError, match="trust_remote_code is 'no': give True or False"):
            kind('some/model', trust_remote_code='no')  # type: ignore[arg-type]


def test_none_stands_for_the_default_where_it_is_documented() -> None:
    model = TransformersModel('some/model', max_new_tokens=None, chat_template=None, revision=None, cache_tokens=None)
    assert model.engine_key() == TransformersModel('some/model').engine_key()
    with pytest.raises(UserError, match='max_queue is None: give a whole number'):
        TransformersModel('some/model', max_queue=None)  # type: ignore[arg-type]


@pytest.mark.parametrize('kind', ENGINES)
def test_a_tilde_is_the_home_folder(kind: type[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    model = kind('~/model', adapters={'sql': Path('~/sql')})
    assert (model.model_name, model.adapters) == ('~/model', {'sql': str(tmp_path / 'sql')})
    assert model.engine_key() == kind(tmp_path / 'model', adapters={'sql': tmp_path / 'sql'}).engine_key()
    monkeypatch.delenv('HOME')
    assert kind('~no-such-user/model').engine_key() == kind(Path('~no-such-user/model')).engine_key()


@pytest.mark.parametrize('kind', ENGINES)
def test_what_is_for_requests_over_http_is_named_in_warnings(kind: type[Any]) -> None:
    settings: ModelSettings = {'extra_body': {'guided_regex': 'a+'}, 'extra_headers': {'x': 'y'}, 'timeout': 5}
    preview = kind('some/model').preview([ModelRequest.user_text_prompt('hi')], settings)
    assert [warning.partition(' ')[0] for warning in preview.warnings[:2]] == ["'extra_body'", "'extra_headers'"]
