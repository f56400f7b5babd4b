"""The text of Transformers' engine is the text of bare `generate`: alone and in a batch, in both ways of batching."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pydantic_llm.exceptions import ContextLengthError, UserError
from pydantic_llm.messages import ModelRequest, PartDeltaEvent, PartStartEvent
from pydantic_llm.models import infer_model
from pydantic_llm.models.local.loading import find_context_length
from pydantic_llm.models.transformers import TransformersModel
from tests.local import tiny
from tests.replay import replay

BATCHINGS = ('padded', 'paged')
PROMPTS = [f'Say {"something " * (number % 7)}about the number {number}.' for number in range(10)]


def ask(text: str) -> list[ModelRequest]:
    return [ModelRequest.user_text_prompt(text)]


@functools.cache
def library(path: Path) -> tuple[Any, Any]:
    """The library's own model and tokenizer."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32), tokenizer


@functools.cache
def written(path: Path, prompt: str, tokens: int) -> str:
    """What the library itself writes."""
    model, tokenizer = library(path)
    messages = [{'role': 'user', 'content': prompt}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids = torch.tensor([tokenizer(text)['input_ids']])
    output = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False)
    decoded: str = tokenizer.decode(output[0][ids.shape[1] :], skip_special_tokens=True)
    return decoded


def bare(path: Path, prompts: Sequence[str], tokens: int) -> list[str]:
    return [written(path, prompt, tokens) for prompt in prompts]


@pytest.mark.parametrize('batching', BATCHINGS)
async def test_a_lone_answer_is_what_generate_writes(
    make: Callable[..., Any], random_path: Path, batching: str
) -> None:
    model = make(batching=batching, max_new_tokens=24)
    texts = [(await model.request(ask(prompt))).text for prompt in PROMPTS[:5]]
    assert texts == bare(random_path, PROMPTS[:5], 24)


@pytest.mark.parametrize('batching', BATCHINGS)
async def test_answers_of_a_batch_are_what_generate_writes(
    make: Callable[..., Any], random_path: Path, batching: str
) -> None:
    model = make(batching=batching, max_new_tokens=24, max_batch_size=4)
    answers = await asyncio.gather(*(model.request(ask(prompt)) for prompt in PROMPTS))
    assert [answer.text for answer in answers] == bare(random_path, PROMPTS, 24)


@pytest.mark.parametrize('batching', BATCHINGS)
async def test_prompts_that_join_others_midway_are_answered_alike(
    make: Callable[..., Any], random_path: Path, batching: str
) -> None:
    model = make(batching=batching, max_new_tokens=24)
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


@pytest.mark.parametrize('batching', BATCHINGS)
async def test_a_long_prompt_is_read_in_pieces_and_answered_alike(
    make: Callable[..., Any], random_path: Path, batching: str
) -> None:
    prompts = ['word ' * 120, 'Short.', 'other words ' * 50]
    model = make(batching=batching, max_new_tokens=24, prefill_tokens=32)
    answers = await asyncio.gather(*(model.request(ask(prompt)) for prompt in prompts))
    assert [answer.text for answer in answers] == bare(random_path, prompts, 24)


FAMILIES: dict[str, Callable[[Any], Any]] = {
    'llama': lambda size: transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**small(size), num_key_value_heads=2, head_dim=8)
    ),
    'mistral with a sliding window': lambda size: transformers.MistralForCausalLM(
        transformers.MistralConfig(**small(size), num_key_value_heads=2, head_dim=8, sliding_window=16)
    ),
    'gemma with both kinds of layers': lambda size: transformers.Gemma3ForCausalLM(
        transformers.Gemma3TextConfig(
            **small(size),
            num_key_value_heads=2,
            head_dim=8,
            sliding_window=16,
            layer_types=['sliding_attention', 'full_attention'],
        )
    ),
    'gpt2 with absolute positions': lambda size: transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=4, n_positions=512, initializer_range=0.3)
    ),
    'mamba without keys and values': lambda size: transformers.MambaForCausalLM(
        transformers.MambaConfig(
            vocab_size=size, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.3
        )
    ),
}


def small(size: int) -> dict[str, Any]:
    return {
        'vocab_size': size,
        'hidden_size': 32,
        'intermediate_size': 64,
        'num_hidden_layers': 2,
        'num_attention_heads': 4,
        'max_position_embeddings': 512,
        'initializer_range': 0.3,
    }


@pytest.mark.parametrize('family', FAMILIES)
async def test_models_of_other_families_write_what_generate_writes(
    make: Callable[..., Any], tmp_path: Path, family: str
) -> None:
    tokenizer = tiny.make_tokenizer()
    torch.manual_seed(0)
    model = FAMILIES[family](len(tokenizer)).eval()
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    tiny.save(tmp_path, model, tokenizer)
    ours = make(tmp_path, batching='padded', max_new_tokens=30, torch_dtype='float32')
    answers = await asyncio.gather(*(ours.request(ask(prompt)) for prompt in PROMPTS[:6]))
    assert [answer.text for answer in answers] == bare(tmp_path, PROMPTS[:6], 30)


# ---------------------------------------------------------------------- what is told of an answer


async def test_the_taught_model_answers_whole_and_streamed(make: Callable[..., Any], taught_path: Path) -> None:
    model = make(taught_path)
    for question, answer in tiny.ANSWERS.items():
        response = await model.request(ask(question))
        assert (response.text, response.finish_reason, response.provider_name) == (answer, 'stop', 'transformers')
        async with model.request_stream(ask(question)) as stream:
            pieces = [
                event.part.content if isinstance(event, PartStartEvent) else event.delta.content_delta
                async for event in stream
                if isinstance(event, PartStartEvent | PartDeltaEvent)
            ]
        assert ''.join(pieces) == answer
        assert len(pieces) > 1
        assert stream.get().usage == response.usage


async def test_usage_counts_tokens(make: Callable[..., Any], taught_path: Path) -> None:
    model = make(taught_path)
    tokenizer = (await model.load()).tokenizer
    response = await model.request(ask('Say hi.'))
    written = tokenizer.encode(tiny.ANSWERS['Say hi.'])
    assert response.usage.output_tokens == len(written) + 1  # the token that ends it
    prompt = tokenizer.render([{'role': 'user', 'content': 'Say hi.'}], [], {})
    assert response.usage.input_tokens == len(tokenizer.encode(prompt))


async def test_an_answer_ends_where_its_tokens_do(make: Callable[..., Any], taught_path: Path) -> None:
    response = await make(taught_path, max_new_tokens=100).request(ask('Where is Oslo?'), {'max_tokens': 4})
    assert response.finish_reason == 'length'
    assert response.provider_details == {'finish_reason': 'length'}
    assert response.usage.output_tokens == 4
    assert tiny.ANSWERS['Where is Oslo?'].startswith(response.text or '-')


@pytest.mark.parametrize('batching', BATCHINGS)
@pytest.mark.parametrize('stop', [' of Nor', 'capital', 'Oslo', ', at', ' fjord.'])
async def test_an_answer_ends_before_its_stop_sequence(
    make: Callable[..., Any], taught_path: Path, batching: str, stop: str
) -> None:
    model = make(taught_path, batching=batching)
    response = await model.request(ask('Where is Oslo?'), {'stop_sequences': ['nothing of the kind', stop]})
    assert (response.text or '') == tiny.ANSWERS['Where is Oslo?'].partition(stop)[0]
    assert response.provider_details == {'finish_reason': 'stop_sequence', 'stop_sequence': stop}
    async with model.request_stream(ask('Where is Oslo?'), {'stop_sequences': [stop]}) as stream:
        async for _ in stream:
            assert stop not in (stream.get().text or '')
    assert stream.get().finish_reason == 'stop'
    assert model.engine.counts.active == 0


async def test_prompts_that_begin_alike_share_pages(make: Callable[..., Any]) -> None:
    model = make(batching='paged', max_new_tokens=4)
    first = await model.request(ask('word ' * 150))
    second = await model.request(ask('word ' * 150))
    assert first.usage.cache_read_tokens == 0
    assert second.usage.cache_read_tokens == 512


async def test_a_conversation_that_is_too_long_is_told_so(make: Callable[..., Any]) -> None:
    with pytest.raises(ContextLengthError, match=f'reads {tiny.CONTEXT} at most'):
        await make().request(ask('word ' * 2000))


async def test_an_answer_ends_at_the_end_of_the_context(make: Callable[..., Any]) -> None:
    model = make(max_new_tokens=5000)
    response = await model.request(ask('word ' * 240), {'logit_bias': {'2': -100}})
    assert response.usage.input_tokens + response.usage.output_tokens == tiny.CONTEXT
    assert response.finish_reason == 'length'


# ---------------------------------------------------------------------- strings and loading


async def test_a_path_works_as_a_name(taught_path: Path) -> None:
    model = infer_model(f'transformers:{taught_path}')
    assert isinstance(model, TransformersModel)
    async with model:
        assert (await model.request(ask('Say hi.'))).text == tiny.ANSWERS['Say hi.']
    assert model.model_id == f'transformers:{taught_path}'


async def test_weights_are_spread_where_that_is_wanted(make: Callable[..., Any], taught_path: Path) -> None:
    model = make(taught_path, device_map='auto', model_kwargs={'attn_implementation': 'eager'})
    assert (await model.request(ask('Say hi.'))).text == tiny.ANSWERS['Say hi.']


async def test_what_is_not_there_is_a_user_error(make: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match='cannot be loaded: give a name on the hub or the path of a folder'):
        await make(tmp_path / 'nothing').request(ask('hi'))


async def test_loading_is_told_of_and_happens_once(make: Callable[..., Any]) -> None:
    told: list[str] = []
    model = make(progress=told.append)
    await asyncio.gather(*(model.request(ask('hi'), {'max_tokens': 2}) for _ in range(4)))
    assert [sentence.partition(' ')[0] for sentence in told] == ['Loading', 'Loaded']


async def test_a_setting_that_does_not_exist_here_is_listed(make: Callable[..., Any]) -> None:
    response = await make().request(ask('hi'), {'max_tokens': 2, 'service_tier': 'flex', 'logprobs': True})
    assert [warning.partition(':')[0] for warning in response.warnings] == [
        "'service_tier' was not sent",
        "'logprobs' was not sent",
    ]


@pytest.mark.parametrize(
    'settings',
    [
        {'max_tokens': 0},
        {'stop_sequences': 'END'},
        {'stop_sequences': ['']},
        {'temperature': -1},
        {'logit_bias': {'999999': 1}},
    ],
)
async def test_a_setting_that_means_nothing_is_a_user_error(make: Callable[..., Any], settings: Any) -> None:
    with pytest.raises(UserError):
        await make().request(ask('hi'), settings)


def test_the_context_is_found_by_whichever_name_a_configuration_has() -> None:
    other_name: Any = transformers.DbrxConfig(max_seq_len=77)
    assert find_context_length(lambda name: getattr(other_name, name, None)) == 77
    assert find_context_length({'n_positions': 12}.get) == 12
    assert find_context_length({}.get) is None
