"""Adapters (LoRA) that requests name, on one base model: each response is that of its adapter, in any company."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from tests.local import tiny
from tests.local.adapters import save_adapter, save_mlx_adapter
from tests.local.engines import Engine, ask, on

PROMPTS = ('hi', 'Where is Oslo?', 'a longer question, with more words than the others have')
TARGETS = {'sql': ['q_proj', 'down_proj'], 'a.b': ['v_proj']}
"""The layers of each adapter."""

Adapters = dict[str, tuple[Path, list[str]]]
"""The folder of each adapter, and what the library generates with it for each prompt."""


@pytest.fixture(scope='module')
def peft_adapters(random_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Adapters:
    made: Adapters = {}
    for seed, (name, targets) in enumerate(TARGETS.items()):
        path = tmp_path_factory.mktemp('adapters') / f'{seed}'
        made[name] = (path, save_adapter(random_path, path, *PROMPTS, seed=seed, targets=targets))
    return made


@pytest.fixture(scope='module')
def mlx_adapters(random_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Adapters:
    made: Adapters = {}
    for seed, (name, targets) in enumerate(TARGETS.items()):
        path = tmp_path_factory.mktemp('adapters') / f'{seed}'
        keys = [f'{"mlp" if target == "down_proj" else "self_attn"}.{target}' for target in targets]
        made[name] = (path, save_mlx_adapter(random_path, path, *PROMPTS, seed=seed, keys=keys))
    return made


@pytest.fixture
def adapters(engine: Engine, request: pytest.FixtureRequest) -> Adapters:
    found: Adapters = request.getfixturevalue('mlx_adapters' if engine.system == 'mlx' else 'peft_adapters')
    return found


def name_folders(adapters: Adapters) -> dict[str, Path]:
    return {name: path for name, (path, _) in adapters.items()}


def name_adapter(engine: Engine, name: str | None) -> Any:
    return {} if name is None else {f'{engine.system}_adapter': name}


@on('padded', 'paged', 'mlx', 'vllm')
async def test_each_request_gets_the_adapter_that_it_names(
    make: Callable[..., Any], engine: Engine, random_path: Path, adapters: Adapters, caplog: pytest.LogCaptureFixture
) -> None:
    pieces = {} if engine.system == 'vllm' else {'prefill_tokens': 16}
    model = make(adapters=name_folders(adapters), max_new_tokens=12, **pieces)
    expected = {None: engine.expected(random_path, PROMPTS, 12), **{name: two[1] for name, two in adapters.items()}}
    assert len({text for texts in expected.values() for text in texts}) == 9
    each = [(prompt, name) for prompt in range(3) for name in expected]
    responses = await asyncio.gather(
        *(model.request(ask(PROMPTS[prompt]), name_adapter(engine, name)) for prompt, name in each)
    )
    assert [response.text for response in responses] == [expected[name][prompt] for prompt, name in each]
    assert [response.provider_details.get('adapter') for response in responses] == [name for _, name in each]
    is_paged = engine.options.get('batching') == 'paged'
    assert ("and not 'paged': requests can name adapters" in caplog.text) == is_paged


@on('padded')
async def test_the_adapter_of_the_model_is_that_of_requests_without_one(
    make: Callable[..., Any], engine: Engine, random_path: Path, adapters: Adapters
) -> None:
    (folder, own), (_, named) = adapters['a.b'], adapters['sql']
    for options in ({'path': folder}, {'adapter': folder}):
        model = make(**options, adapters=name_folders(adapters), max_new_tokens=12)
        responses = await asyncio.gather(
            *(model.request(ask('hi'), name_adapter(engine, name)) for name in (None, 'sql', None))
        )
        assert [response.text for response in responses] == [own[0], named[0], own[0]]


@on('transformers', 'mlx', 'vllm')
async def test_an_unknown_adapter_is_a_user_error_before_the_model_is_loaded(
    make: Callable[..., Any], engine: Engine, tmp_path: Path
) -> None:
    model = make(tmp_path, adapters={'sql': tmp_path, 'chat': tmp_path})
    with pytest.raises(UserError, match=r"has the adapters \['sql', 'chat'\]; did you mean 'sql'\?"):
        await model.request(ask(), name_adapter(engine, 'sq'))
    with pytest.raises(UserError, match=r"has no adapters: make it with adapters=\{'sq': \.\.\.\}"):
        await make(tmp_path).request(ask(), name_adapter(engine, 'sq'))
    with pytest.raises(UserError, match='_adapter is 3: give'):
        await model.request(ask(), {f'{engine.system}_adapter': 3})
    assert model.engine.loaded is None


@on('transformers', 'mlx', 'vllm')
async def test_adapters_that_cannot_be_used_are_named(
    make: Callable[..., Any], engine: Engine, adapters: Adapters, tmp_path: Path
) -> None:
    for wrong in ('sql', [tmp_path], {'': tmp_path}, {1: tmp_path}, {'sql': None}):
        with pytest.raises(UserError, match='adapters'):
            make(adapters=wrong)
    with pytest.raises(UserError, match=r"adapters\['sql'\] '/no/such/folder' was not found"):
        await make(adapters={'sql': '/no/such/folder'}).load()


@on('transformers', 'vllm')
async def test_an_adapter_of_another_model_is_a_user_error(make: Callable[..., Any], tmp_path: Path) -> None:
    save_adapter(tiny.make_random(tmp_path / 'wide', hidden=256), tmp_path / 'adapter')
    with pytest.raises(UserError, match='cannot be added to the model'):
        await make(adapters={'sql': tmp_path / 'adapter'}).load()


@on('transformers')
async def test_an_adapter_for_fewer_layers_is_a_user_error_and_for_more_a_warning(
    make: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for layers in (1, 3):
        save_adapter(tiny.make_random(tmp_path / f'{layers}', layers=layers), tmp_path / f'adapter{layers}')
    for options in ({'adapter': tmp_path / 'adapter1'}, {'adapters': {'sql': tmp_path / 'adapter1'}}):
        with pytest.raises(UserError, match='it has no weights for'):
            await make(**options).load()
    await make(adapters={'sql': tmp_path / 'adapter3'}).load()
    assert 'weights are for no layer of the model' in caplog.text


@on('mlx')
async def test_adapters_that_mlx_cannot_read_are_user_errors(
    make: Callable[..., Any], random_path: Path, tmp_path: Path
) -> None:
    save_adapter(random_path, tmp_path / 'peft')
    with pytest.raises(UserError, match='is an adapter of PEFT: mlx-lm reads those that'):
        await make(adapters={'sql': tmp_path / 'peft'}).load()
    save_mlx_adapter(random_path, tmp_path / 'mlx', seed=1, keys=['self_attn.q_proj'])
    config = json.loads((tmp_path / 'mlx' / 'adapter_config.json').read_text(encoding='utf-8'))
    for changes, message in (
        ({'fine_tune_type': 'full'}, 'has all weights of a model'),
        ({'lora_parameters': {**config['lora_parameters'], 'rank': 7}}, 'cannot be added to the model: Adapter at'),
        ({'lora_parameters': {}}, 'cannot be added to the model: KeyError'),
    ):
        (tmp_path / 'mlx' / 'adapter_config.json').write_text(json.dumps({**config, **changes}), encoding='utf-8')
        with pytest.raises(UserError, match=message):
            await make(adapters={'sql': tmp_path / 'mlx'}).load()


async def test_a_damaged_adapter_is_an_error_that_names_the_adapter(
    make: Callable[..., Any], random_path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / 'sql'
    save_adapter(random_path, folder)
    weights = folder / 'adapter_model.safetensors'
    saved, config = weights.read_bytes(), json.loads((folder / 'adapter_config.json').read_text(encoding='utf-8'))

    async def check(message: str, **values: Any) -> None:
        (folder / 'adapter_config.json').write_text(json.dumps({**config, **values}), encoding='utf-8')
        for options in ({'adapters': {'sql': folder}}, {'adapter': folder}):
            with pytest.raises(UserError, match=f"The adapter '{folder}' cannot be added to the model: {message}"):
                await make(**options).load()

    await check('its weights have other sizes than its configuration', r=8)
    await check('TypeError', r='x')
    weights.write_bytes(saved[: len(saved) // 2])
    await check('a file of its weights is incomplete or broken')
    weights.unlink()
    await check('No such file or directory')
