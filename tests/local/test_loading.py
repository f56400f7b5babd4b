"""Loading a model, by each engine: names, options, errors, and the defaults that its makers saved with it."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pydantic_llm.exceptions import ModelConnectionError, UserError
from pydantic_llm.models import infer_model
from pydantic_llm.models.local.loading import find_context_length
from tests.local import tiny
from tests.local.adapters import save_adapter
from tests.local.engines import Engine, ask, load_with_transformers, on


@on('transformers', 'mlx', 'llamacpp')
async def test_a_path_works_as_a_name(engine: Engine, trained_path: Path) -> None:
    model = infer_model(f'{engine.system}:{trained_path}')
    assert isinstance(model, engine.model_class)
    async with model:
        assert (await model.request(ask('Say hi.'))).text == tiny.RESPONSES['Say hi.']
    assert model.model_id == f'{engine.system}:{trained_path}'


@on('transformers', 'mlx', 'llamacpp')
async def test_a_folder_without_a_model_is_a_user_error(make: Callable[..., Any], tmp_path: Path) -> None:
    for name in (tmp_path / 'nothing', tmp_path):
        with pytest.raises(UserError, match='cannot be loaded: give a name on the hub or the path of a folder'):
            await make(name).request(ask())


@on('transformers', 'mlx', 'llamacpp')
async def test_a_hub_that_is_away_is_a_connection_error(make: Callable[..., Any]) -> None:
    with pytest.raises(ModelConnectionError, match='the hub cannot be reached'):
        await make('nobody/no-such-model').load()


@on('transformers', 'mlx', 'llamacpp')
async def test_a_model_is_loaded_once_and_reports_it(make: Callable[..., Any]) -> None:
    reports: list[str] = []
    model = make(progress=reports.append)
    await asyncio.gather(*(model.request(ask(), {'max_tokens': 2}) for _ in range(4)))
    assert [sentence.partition(' ')[0] for sentence in reports] == ['Loading', 'Loaded']


@on('transformers', 'mlx')
async def test_the_generation_config_holds_unless_a_setting_is_given(
    make: Callable[..., Any], engine: Engine, random_path: Path, tmp_path: Path
) -> None:
    shutil.copytree(random_path, tmp_path, dirs_exist_ok=True)
    config = {'do_sample': True, 'temperature': 1.5, 'eos_token_id': 2}
    (tmp_path / 'generation_config.json').write_text(json.dumps(config), encoding='utf-8')
    model = make(tmp_path, max_new_tokens=24)
    assert len({(await model.request(ask())).text for _ in range(4)}) > 1
    plain = await model.request(ask(), {'temperature': 0.0})
    assert [plain.text] == engine.expected(random_path, ['hi'], 24)


def break_json(folder: Path, name: str) -> None:
    (folder / name).write_text('{"model_type": ', encoding='utf-8')


def change_config(folder: Path, **values: Any) -> None:
    file = folder / 'config.json'
    file.write_text(json.dumps({**json.loads(file.read_text(encoding='utf-8')), **values}), encoding='utf-8')


def keep_half(folder: Path) -> None:
    file = folder / 'model.safetensors'
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def drop_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / 'model.safetensors')
    del weights['model.layers.0.mlp.down_proj.weight']
    save_file(weights, folder / 'model.safetensors', {'format': 'pt'})


DAMAGES: list[tuple[Callable[[Path], Any], str]] = [
    (lambda folder: break_json(folder, 'config.json'), r'cannot be loaded: .*(JSON|config file)'),
    (lambda folder: change_config(folder, model_type='frobnicate'), 'cannot be loaded: .*frobnicate'),
    (lambda folder: change_config(folder, hidden_size='big'), r'cannot be loaded: \w+Error: .*str'),
    (lambda folder: (folder / 'model.safetensors').unlink(), 'cannot be loaded: .*safetensors.*found'),
    (lambda folder: (folder / 'model.safetensors').write_bytes(b''), 'a file of its weights is incomplete or broken'),
    (
        lambda folder: (folder / 'model.safetensors').write_text('<html>'),
        'a file of its weights is incomplete or broken',
    ),
    (keep_half, 'a file of its weights is incomplete or broken'),
    (drop_a_weight, r'cannot be loaded: .*(no weights for|Missing) 1 param.*model\.layers\.0\.mlp\.down_proj\.weight'),
    (lambda folder: break_json(folder, 'tokenizer.json'), 'cannot be loaded'),
]
"""What can happen to the files of a model, and a part of the error."""


@on('transformers', 'mlx')
async def test_a_damaged_folder_is_an_error_of_one_sentence_with_the_reason(
    make: Callable[..., Any], random_path: Path, tmp_path: Path
) -> None:
    for number, (damage, message) in enumerate(DAMAGES):
        folder = tmp_path / f'{number}'
        shutil.copytree(random_path, folder)
        damage(folder)
        with pytest.raises(UserError, match=message) as caught:
            await make(folder).load()
        text = str(caught.value)
        assert 'give a name on the hub' not in text, 'the folder is there'
        assert '\n' not in text
    with pytest.raises(UserError, match='give the path of its folder'):
        await make(random_path / 'config.json').load()


@on('transformers', 'mlx')
async def test_a_load_that_fails_after_its_caller_has_left_logs_nothing(
    make: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun, may_fail = threading.Event(), threading.Event()

    def wait(sentence: str) -> None:
        begun.set()
        may_fail.wait(10)

    model = make(tmp_path, progress=wait)
    waiting = asyncio.create_task(model.load())
    await asyncio.to_thread(begun.wait)
    waiting.cancel()
    await asyncio.wait([waiting])
    may_fail.set()
    with pytest.raises(UserError):
        await model.load()
    del model, waiting
    gc.collect()
    assert [record for record in caplog.records if record.name == 'asyncio'] == []


# ---------------------------------------------------------------------- Transformers only


async def test_models_that_load_at_once_leave_the_type_of_torch_as_it_was(
    make: Callable[..., Any], random_path: Path
) -> None:
    types = ('bfloat16', 'float32', 'float16', 'float32')
    await asyncio.gather(*(make(random_path, torch_dtype=name, max_queue=n).load() for n, name in enumerate(types)))
    assert torch.get_default_dtype() == torch.float32


async def test_a_type_of_weights_that_is_not_one_of_torch_is_named(make: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"torch_dtype is 'flaot32': .*; did you mean 'float32'\?"):
        await make(torch_dtype='flaot32').load()


async def test_weights_are_spread_by_a_device_map(make: Callable[..., Any], trained_path: Path) -> None:
    model = make(trained_path, device_map='auto', model_kwargs={'attn_implementation': 'eager'})
    assert (await model.request(ask('Say hi.'))).text == tiny.RESPONSES['Say hi.']


async def test_sharded_weights_in_a_subfolder_are_found(
    make: Callable[..., Any], engine: Engine, random_path: Path, tmp_path: Path
) -> None:
    model, tokenizer = load_with_transformers(random_path)
    model.save_pretrained(tmp_path / 'inner', max_shard_size='200KB')
    tokenizer.save_pretrained(tmp_path / 'inner')
    assert len([path for path in (tmp_path / 'inner').iterdir() if path.suffix == '.safetensors']) > 1
    response = await make(tmp_path, subfolder='inner', max_new_tokens=8).request(ask('hi'))
    assert [response.text] == engine.expected(random_path, ['hi'], 8)
    assert make(tmp_path, subfolder='inner').engine_key() != make(tmp_path).engine_key()


async def test_a_gguf_file_is_a_model_or_an_option_of_its_folder(
    make: Callable[..., Any], trained_path: Path, tmp_path: Path
) -> None:
    pytest.importorskip('gguf', reason='GGUF files need the package gguf: `make test-local` installs it')
    from tests.local.gguf_files import write_gguf

    file = write_gguf(trained_path, tmp_path / 'trained.gguf')
    for model in (make(tmp_path, gguf_file=file.name), make(file)):
        loaded = await model.load()
        assert (loaded.context_length, loaded.eos) == (tiny.CONTEXT, {2})
        responses = await asyncio.gather(*(model.request(ask(question)) for question in tiny.RESPONSES))
        assert [response.text for response in responses] == [*tiny.RESPONSES.values()]
        assert {response.finish_reason for response in responses} == {'stop'}


async def test_a_broken_gguf_file_is_a_user_error(make: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip('gguf', reason='GGUF files need the package gguf: `make test-local` installs it')
    (tmp_path / 'broken.gguf').write_bytes(b'GGUF' + bytes(400))
    for model in (make(tmp_path / 'broken.gguf'), make(tmp_path, gguf_file='missing.gguf')):
        with pytest.raises(UserError, match='cannot be loaded'):
            await model.load()


async def test_a_revision_holds_for_every_part_of_a_model(
    make: Callable[..., Any], random_path: Path, trained_path: Path, tmp_path: Path
) -> None:
    """Make the cache of a repository with two revisions, in the layout of `huggingface_hub`."""
    repository = tmp_path / 'models--me--mine'
    (repository / 'refs').mkdir(parents=True)
    for name, digit, folder in (('main', 'a', random_path), ('second', 'b', trained_path)):
        (repository / 'refs' / name).write_text(digit * 40, encoding='utf-8')
        shutil.copytree(folder, repository / 'snapshots' / (digit * 40))
    options = {'model_kwargs': {'cache_dir': str(tmp_path)}, 'max_new_tokens': 24}
    second = await make('me/mine', revision='second', **options).request(ask('Say hi.'))
    assert second.text == tiny.RESPONSES['Say hi.']
    assert (await make('me/mine', **options).request(ask('Say hi.'))).text != second.text


@on('padded', 'paged')
async def test_an_adapter_is_a_model_or_an_option_of_its_base(
    make: Callable[..., Any], engine: Engine, random_path: Path, tmp_path: Path
) -> None:
    [expected] = save_adapter(random_path, tmp_path, 'hi')
    assert engine.expected(random_path, ['hi'], 12) != [expected]
    for model in (make(tmp_path, max_new_tokens=12), make(random_path, adapter=tmp_path, max_new_tokens=12)):
        responses = await asyncio.gather(*(model.request(ask(prompt)) for prompt in ('hi', 'Where is Oslo?')))
        assert responses[0].text == expected


async def test_an_adapter_may_bring_its_tokenizer(make: Callable[..., Any], random_path: Path, tmp_path: Path) -> None:
    save_adapter(random_path, tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(random_path)
    tokenizer.chat_template = 'always this'
    tokenizer.save_pretrained(tmp_path)
    model = make(tmp_path)
    await model.load()
    content: Any = model.preview(ask('hi')).content
    assert content[0] == 'always this'


async def test_an_adapter_without_its_package_or_its_base_is_a_user_error(
    make: Callable[..., Any], random_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'adapter_config.json').write_text('{"base_model_name_or_path": null}', encoding='utf-8')
    with pytest.raises(UserError, match='does not name its base model: give the model, and adapter= for it'):
        await make(tmp_path).load()
    for name in (f'{random_path}', '/no/such/folder'):
        with pytest.raises(UserError, match=f"adapter '{name}' was not found: give a name on the hub"):
            await make(random_path, adapter=name).load()
    with pytest.raises(ModelConnectionError, match="'me/nothing' is not on this machine"):
        await make(random_path, adapter='me/nothing').load()
    monkeypatch.setitem(sys.modules, 'peft', None)
    with pytest.raises(UserError, match='needs the package peft: pip install peft'):
        await make(random_path, adapter=tmp_path).load()


async def test_a_missing_package_is_named(
    make: Callable[..., Any], random_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantized = make(random_path, quantization_config=transformers.BitsAndBytesConfig(load_in_4bit=True))
    with pytest.raises(UserError, match=r'a package is missing: .*bitsandbytes'):
        await quantized.load()


def test_the_context_length_has_one_of_several_names() -> None:
    other_name: Any = transformers.DbrxConfig(max_seq_len=77)
    assert find_context_length(lambda name: getattr(other_name, name, None)) == 77
    assert find_context_length({'n_positions': 12}.get) == 12
    assert find_context_length({}.get) is None
    assert find_context_length({'max_position_embeddings': -1}.get) is None  # XLNet has no limit


# ---------------------------------------------------------------------- MLX only


@on('mlx')
async def test_positions_are_those_that_transformers_saves(make: Callable[..., Any], tmp_path: Path) -> None:
    """mlx-lm reads `rope_theta`, and takes a default if Transformers has saved `rope_parameters`."""
    tokenizer = tiny.make_tokenizer()
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,
        rope_parameters={'rope_type': 'default', 'rope_theta': 9.0},
    )
    model = transformers.Qwen2ForCausalLM(config).eval()
    tiny.save(tmp_path, model, tokenizer)
    assert 'rope_theta' not in json.loads((tmp_path / 'config.json').read_text(encoding='utf-8'))
    expected = tiny.generate(model, tokenizer, 'hi', 24)
    assert (await make(tmp_path, max_new_tokens=24).request(ask('hi'))).text == expected


@on('mlx')
async def test_load_kwargs_are_passed_to_the_library(make: Callable[..., Any], trained_path: Path) -> None:
    changed = make(trained_path, load_kwargs={'model_config': {'rope_theta': 2.0}})
    assert (await changed.request(ask('Where is Oslo?'), {'max_tokens': 30})).text != tiny.RESPONSES['Where is Oslo?']
    with pytest.raises(UserError, match='no_such_option'):
        await make(trained_path, load_kwargs={'no_such_option': 1}).load()


@on('mlx')
async def test_code_of_a_model_runs_only_if_it_is_trusted(
    make: Callable[..., Any], trained_path: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained_path, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / 'config.json').read_text(encoding='utf-8'))
    (tmp_path / 'config.json').write_text(json.dumps({**config, 'model_file': 'mine.py'}), encoding='utf-8')
    (tmp_path / 'mine.py').write_text('from mlx_lm.models.qwen2 import Model, ModelArgs\n', encoding='utf-8')
    with pytest.raises(UserError, match='runs only with trust_remote_code=True'):
        await make(tmp_path).load()
    trusted = make(tmp_path, trust_remote_code=True)
    assert (await trusted.request(ask('Say hi.'))).text == tiny.RESPONSES['Say hi.']
