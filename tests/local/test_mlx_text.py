"""The text of MLX's engine is the text of bare mlx-lm: alone and in a batch; and what is told of an answer."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pydantic_llm.exceptions import ContextLengthError, ModelConnectionError, UserError
from pydantic_llm.messages import BinaryContent, ModelRequest, PartDeltaEvent, PartStartEvent, UserPromptPart
from pydantic_llm.models import infer_model
from pydantic_llm.models.mlx import MLXModel
from tests.local import tiny
from tests.local.mlx_library import ask, bare
from tests.replay import replay

PROMPTS = [f'Say {"something " * (number % 7)}about the number {number}.' for number in range(10)]


async def test_a_lone_answer_is_what_the_library_writes(make_mlx: Callable[..., Any], random_path: Path) -> None:
    model = make_mlx(max_new_tokens=24)
    texts = [(await model.request(ask(prompt))).text for prompt in PROMPTS[:5]]
    assert texts == bare(random_path, PROMPTS[:5], 24)


async def test_answers_of_a_batch_are_what_the_library_writes(make_mlx: Callable[..., Any], random_path: Path) -> None:
    model = make_mlx(max_new_tokens=24, max_batch_size=4)
    answers = await asyncio.gather(*(model.request(ask(prompt)) for prompt in PROMPTS))
    assert [answer.text for answer in answers] == bare(random_path, PROMPTS, 24)


async def test_prompts_that_join_others_midway_are_answered_alike(
    make_mlx: Callable[..., Any], random_path: Path
) -> None:
    model = make_mlx(max_new_tokens=24)
    dice = random.Random(2)

    async def one(prompt: str) -> str:
        await asyncio.sleep(dice.random() * 0.2)
        async with model.request_stream(ask(prompt), {'max_tokens': 8 + len(prompt) % 16}) as stream:
            events = [event async for event in stream]
            assert replay(e for e in events if hasattr(e, 'index')) == stream.get().parts
            return stream.get().text or ''

    await model.load()
    texts = await asyncio.gather(*map(one, PROMPTS))
    whole = bare(random_path, PROMPTS, 24)
    assert all(full.startswith(text.rstrip('\ufffd')) for full, text in zip(whole, texts, strict=True))
    assert all(texts)


async def test_a_long_prompt_is_read_in_pieces_and_answered_alike(
    make_mlx: Callable[..., Any], random_path: Path
) -> None:
    prompts = ['word ' * 120, 'Short.', 'other words ' * 50]
    model = make_mlx(max_new_tokens=24, prefill_tokens=32)
    answers = await asyncio.gather(*(model.request(ask(prompt)) for prompt in prompts))
    assert [answer.text for answer in answers] == bare(random_path, prompts, 24)


def small(size: int) -> dict[str, Any]:
    return {
        'vocab_size': size,
        'hidden_size': 32,
        'intermediate_size': 64,
        'num_hidden_layers': 2,
        'num_attention_heads': 4,
        'num_key_value_heads': 2,
        'max_position_embeddings': 512,
        'initializer_range': 0.3,
    }


FAMILIES: dict[str, Callable[[int], Any]] = {
    'llama': lambda size: transformers.LlamaForCausalLM(transformers.LlamaConfig(**small(size), head_dim=8)),
    'gemma with a sliding window': lambda size: transformers.Gemma3ForCausalLM(
        transformers.Gemma3TextConfig(
            **small(size),
            head_dim=8,
            sliding_window=16,
            sliding_window_pattern=2,
            layer_types=['sliding_attention', 'full_attention'],
        )
    ),
    'mamba without keys and values': lambda size: transformers.MambaForCausalLM(
        transformers.MambaConfig(
            vocab_size=size, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.3
        )
    ),
}


@pytest.mark.parametrize('family', FAMILIES)
async def test_models_of_other_families_write_what_the_library_writes(
    make_mlx: Callable[..., Any], tmp_path: Path, family: str
) -> None:
    tokenizer = tiny.make_tokenizer()
    torch.manual_seed(0)
    tiny.save(tmp_path, FAMILIES[family](len(tokenizer)).eval(), tokenizer)
    model = make_mlx(tmp_path, max_new_tokens=30)
    answers = await asyncio.gather(*(model.request(ask(prompt)) for prompt in PROMPTS[:6]))
    assert [answer.text for answer in answers] == bare(tmp_path, PROMPTS[:6], 30)


async def test_positions_are_those_that_transformers_writes_down(make_mlx: Callable[..., Any], tmp_path: Path) -> None:
    """mlx-lm looks for `rope_theta` and takes another where Transformers wrote `rope_parameters`."""
    tokenizer = tiny.make_tokenizer()
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        **small(len(tokenizer)), rope_parameters={'rope_type': 'default', 'rope_theta': 9.0}
    )
    model = transformers.Qwen2ForCausalLM(config).eval()
    tiny.save(tmp_path, model, tokenizer)
    assert 'rope_theta' not in json.loads((tmp_path / 'config.json').read_text(encoding='utf-8'))
    text = tokenizer.apply_chat_template(
        [{'role': 'user', 'content': 'hi'}], add_generation_prompt=True, tokenize=False
    )
    ids = torch.tensor([tokenizer(text)['input_ids']])
    output = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False, pad_token_id=0
    )
    expected = tokenizer.decode(output[0][ids.shape[1] :], skip_special_tokens=True)
    assert (await make_mlx(tmp_path, max_new_tokens=24).request(ask('hi'))).text == expected


# ---------------------------------------------------------------------- what is told of an answer


async def test_the_taught_model_answers_whole_and_streamed(make_mlx: Callable[..., Any], taught_path: Path) -> None:
    model = make_mlx(taught_path)
    for question, answer in tiny.ANSWERS.items():
        response = await model.request(ask(question))
        assert (response.text, response.finish_reason, response.provider_name) == (answer, 'stop', 'mlx')
        async with model.request_stream(ask(question)) as stream:
            pieces = [
                event.part.content if isinstance(event, PartStartEvent) else event.delta.content_delta
                async for event in stream
                if isinstance(event, PartStartEvent | PartDeltaEvent)
            ]
        assert ''.join(pieces) == answer
        assert len(pieces) > 1
        assert stream.get().usage == response.usage


async def test_usage_counts_tokens(make_mlx: Callable[..., Any], taught_path: Path) -> None:
    model = make_mlx(taught_path)
    tokenizer = (await model.load()).tokenizer
    response = await model.request(ask('Say hi.'))
    assert response.usage.output_tokens == len(tokenizer.encode(tiny.ANSWERS['Say hi.'])) + 1  # the token that ends it
    prompt = tokenizer.render([{'role': 'user', 'content': 'Say hi.'}], [], {})
    assert response.usage.input_tokens == len(tokenizer.encode(prompt))


async def test_an_answer_ends_where_its_tokens_do(make_mlx: Callable[..., Any], taught_path: Path) -> None:
    response = await make_mlx(taught_path, max_new_tokens=100).request(ask('Where is Oslo?'), {'max_tokens': 4})
    assert response.finish_reason == 'length'
    assert response.provider_details == {'finish_reason': 'length'}
    assert response.usage.output_tokens == 4
    assert tiny.ANSWERS['Where is Oslo?'].startswith(response.text or '-')


@pytest.mark.parametrize('stop', [' of Nor', 'capital', 'Oslo', ', at', ' fjord.'])
async def test_an_answer_ends_before_its_stop_sequence(
    make_mlx: Callable[..., Any], taught_path: Path, stop: str
) -> None:
    model = make_mlx(taught_path)
    response = await model.request(ask('Where is Oslo?'), {'stop_sequences': ['nothing of the kind', stop]})
    assert (response.text or '') == tiny.ANSWERS['Where is Oslo?'].partition(stop)[0]
    assert response.provider_details == {'finish_reason': 'stop_sequence', 'stop_sequence': stop}
    async with model.request_stream(ask('Where is Oslo?'), {'stop_sequences': [stop]}) as stream:
        async for _ in stream:
            assert stop not in (stream.get().text or '')
    assert stream.get().finish_reason == 'stop'
    assert model.engine.counts.active == 0


async def test_a_conversation_that_is_too_long_is_told_so(make_mlx: Callable[..., Any]) -> None:
    with pytest.raises(ContextLengthError, match=f'reads {tiny.CONTEXT} at most'):
        await make_mlx().request(ask('word ' * 2000))


async def test_an_answer_ends_at_the_end_of_the_context(make_mlx: Callable[..., Any]) -> None:
    model = make_mlx(max_new_tokens=5000)
    words = (tiny.CONTEXT - 50) // len((await model.load()).tokenizer.encode('word '))
    response = await model.request(ask('word ' * words), {'logit_bias': {'2': -100}})
    assert response.usage.input_tokens + response.usage.output_tokens == tiny.CONTEXT
    assert response.finish_reason == 'length'


async def test_a_picture_is_a_user_error(make_mlx: Callable[..., Any]) -> None:
    picture = UserPromptPart(['What is this?', BinaryContent(b'...', media_type='image/png')])
    with pytest.raises(UserError, match='image'):
        await make_mlx().request([ModelRequest([picture])])


# ---------------------------------------------------------------------- strings and loading


async def test_a_path_works_as_a_name(taught_path: Path) -> None:
    model = infer_model(f'mlx:{taught_path}')
    assert isinstance(model, MLXModel)
    async with model:
        assert (await model.request(ask('Say hi.'))).text == tiny.ANSWERS['Say hi.']
    assert model.model_id == f'mlx:{taught_path}'


async def test_options_of_the_library_are_passed_on(make_mlx: Callable[..., Any], taught_path: Path) -> None:
    changed = make_mlx(taught_path, load_kwargs={'model_config': {'rope_theta': 2.0}})
    assert (await changed.request(ask('Where is Oslo?'), {'max_tokens': 30})).text != tiny.ANSWERS['Where is Oslo?']
    with pytest.raises(UserError, match='no_such_option'):
        await make_mlx(taught_path, load_kwargs={'no_such_option': 1}).load()


async def test_what_is_not_there_is_a_user_error(make_mlx: Callable[..., Any], tmp_path: Path) -> None:
    for name in (tmp_path / 'nothing', tmp_path):
        with pytest.raises(UserError, match='cannot be loaded: give a name on the hub or the path of a folder'):
            await make_mlx(name).request(ask('hi'))


async def test_a_hub_that_is_away_is_a_connection_error(make_mlx: Callable[..., Any]) -> None:
    with pytest.raises(ModelConnectionError, match='the hub cannot be reached'):
        await make_mlx('nobody/no-such-model').load()


async def test_code_of_a_model_does_not_run_unless_it_is_trusted(
    make_mlx: Callable[..., Any], taught_path: Path, tmp_path: Path
) -> None:
    shutil.copytree(taught_path, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / 'config.json').read_text(encoding='utf-8'))
    (tmp_path / 'config.json').write_text(json.dumps({**config, 'model_file': 'mine.py'}), encoding='utf-8')
    (tmp_path / 'mine.py').write_text('from mlx_lm.models.qwen2 import Model, ModelArgs\n', encoding='utf-8')
    with pytest.raises(UserError, match='runs only with trust_remote_code=True'):
        await make_mlx(tmp_path).load()
    trusted = make_mlx(tmp_path, trust_remote_code=True)
    assert (await trusted.request(ask('Say hi.'))).text == tiny.ANSWERS['Say hi.']


async def test_loading_is_told_of_and_happens_once(make_mlx: Callable[..., Any]) -> None:
    told: list[str] = []
    model = make_mlx(progress=told.append)
    await asyncio.gather(*(model.request(ask('hi'), {'max_tokens': 2}) for _ in range(4)))
    assert [sentence.partition(' ')[0] for sentence in told] == ['Loading', 'Loaded']


async def test_a_setting_that_does_not_exist_here_is_listed(make_mlx: Callable[..., Any]) -> None:
    response = await make_mlx().request(ask('hi'), {'max_tokens': 2, 'service_tier': 'flex', 'logprobs': True})
    assert [warning.partition(':')[0] for warning in response.warnings] == [
        "'service_tier' was not sent",
        "'logprobs' was not sent",
    ]


async def test_the_makers_settings_hold_where_nobody_says_otherwise(
    make_mlx: Callable[..., Any], random_path: Path, tmp_path: Path
) -> None:
    shutil.copytree(random_path, tmp_path, dirs_exist_ok=True)
    made = {'do_sample': True, 'temperature': 1.5, 'eos_token_id': 2}
    (tmp_path / 'generation_config.json').write_text(json.dumps(made), encoding='utf-8')
    model = make_mlx(tmp_path, max_new_tokens=24)
    assert len({(await model.request(ask('hi'))).text for _ in range(4)}) > 1
    plain = await model.request(ask('hi'), {'temperature': 0.0})
    assert [plain.text] == bare(random_path, ['hi'], 24)
