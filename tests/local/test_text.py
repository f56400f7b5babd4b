"""The text of each engine is the text of its library: alone and in a batch. And what a response reports."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pydantic_llm.exceptions import ContextLengthError, UserError
from pydantic_llm.messages import BinaryContent, ModelRequest, PartDeltaEvent, PartStartEvent, UserPromptPart
from tests.local import tiny
from tests.local.engines import Engine, ask, on
from tests.replay import replay

PROMPTS = [f'Say {"something " * (number % 7)}about the number {number}.' for number in range(16)]


@on('padded', 'paged', 'mlx', 'llamacpp', 'vllm')
async def test_a_lone_response_is_what_the_library_generates(
    make: Callable[..., Any], engine: Engine, random_path: Path
) -> None:
    model = make(max_new_tokens=24)
    texts = [(await model.request(ask(prompt))).text for prompt in PROMPTS[:5]]
    assert texts == engine.expected(random_path, PROMPTS[:5], 24)


@on('padded', 'paged', 'mlx', 'llamacpp', 'vllm')
async def test_the_responses_of_a_batch_are_what_the_library_generates(
    make: Callable[..., Any], engine: Engine, random_path: Path
) -> None:
    model = make(max_new_tokens=24, max_batch_size=4)
    responses = await asyncio.gather(*(model.request(ask(prompt)) for prompt in PROMPTS))
    assert [response.text for response in responses] == engine.expected(random_path, PROMPTS, 24)


@on('padded', 'paged', 'mlx', 'llamacpp')
async def test_a_prompt_that_joins_a_running_batch_gets_the_same_text(
    make: Callable[..., Any], engine: Engine, random_path: Path
) -> None:
    model = make(max_new_tokens=24)
    dice = random.Random(2)

    async def one(prompt: str) -> str:
        await asyncio.sleep(dice.random() * 0.2)
        async with model.request_stream(ask(prompt), {'max_tokens': 8 + len(prompt) % 16}) as stream:
            events = [event async for event in stream]
            assert replay(e for e in events if hasattr(e, 'index')) == stream.get().parts
            return stream.get().text or ''

    await model.load()
    texts = await asyncio.gather(*map(one, PROMPTS))
    whole = engine.expected(random_path, PROMPTS, 24)
    assert all(full.startswith(text.rstrip('\ufffd')) for full, text in zip(whole, texts, strict=True))
    assert all(texts)


@on('padded', 'paged', 'mlx', 'llamacpp')
async def test_a_long_prompt_that_is_read_in_pieces_gets_the_same_text(
    make: Callable[..., Any], engine: Engine, random_path: Path
) -> None:
    prompts = ['word ' * 120, 'Short.', 'other words ' * 50]
    model = make(max_new_tokens=24, prefill_tokens=32)
    responses = await asyncio.gather(*(model.request(ask(prompt)) for prompt in prompts))
    assert [response.text for response in responses] == engine.expected(random_path, prompts, 24)


def small(size: int, **more: Any) -> dict[str, Any]:
    return {
        'vocab_size': size,
        'hidden_size': 32,
        'intermediate_size': 64,
        'num_hidden_layers': 2,
        'num_attention_heads': 4,
        'max_position_embeddings': 512,
        'initializer_range': 0.3,
        **more,
    }


GROUPED = {'num_key_value_heads': 2, 'head_dim': 8}

FAMILIES: dict[str, Callable[[int], Any]] = {
    'llama': lambda size: transformers.LlamaForCausalLM(transformers.LlamaConfig(**small(size, **GROUPED))),
    'mistral with a sliding window': lambda size: transformers.MistralForCausalLM(
        transformers.MistralConfig(**small(size, **GROUPED, sliding_window=16))
    ),
    'gemma with both kinds of layers': lambda size: transformers.Gemma3ForCausalLM(
        transformers.Gemma3TextConfig(
            **small(size, **GROUPED),
            sliding_window=16,
            sliding_window_pattern=2,
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


# mlx-lm 0.32 does not know the names under which Transformers 5 saves the weights of GPT-2.
CASES = [(name, family) for name in ('padded', 'mlx') for family in FAMILIES if (name, family[:4]) != ('mlx', 'gpt2')]


@pytest.mark.parametrize(('engine', 'family'), CASES, indirect=['engine'])
async def test_models_of_other_families_generate_what_the_library_generates(
    make: Callable[..., Any], engine: Engine, tmp_path: Path, family: str
) -> None:
    tokenizer = tiny.make_tokenizer()
    torch.manual_seed(0)
    model = FAMILIES[family](len(tokenizer)).eval()
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    tiny.save(tmp_path, model, tokenizer)
    ours = make(tmp_path, max_new_tokens=30)
    responses = await asyncio.gather(*(ours.request(ask(prompt)) for prompt in PROMPTS[:6]))
    assert [response.text for response in responses] == engine.expected(tmp_path, PROMPTS[:6], 30)


# ---------------------------------------------------------------------- what a response reports


@on('transformers', 'mlx', 'llamacpp')
async def test_the_trained_model_responds_whole_and_streamed(
    make: Callable[..., Any], engine: Engine, trained_path: Path
) -> None:
    model = make(trained_path)
    for question, text in tiny.RESPONSES.items():
        response = await model.request(ask(question))
        assert (response.text, response.finish_reason, response.provider_name) == (text, 'stop', engine.system)
        async with model.request_stream(ask(question)) as stream:
            pieces = [
                event.part.content if isinstance(event, PartStartEvent) else event.delta.content_delta
                async for event in stream
                if isinstance(event, PartStartEvent | PartDeltaEvent)
            ]
        assert ''.join(pieces) == text
        is_short = len(text) < 30  # and can be there before it is read
        assert len(pieces) > 1 or engine.is_fast or is_short
        usage = stream.get().usage
        assert (usage.input_tokens, usage.output_tokens) == (response.usage.input_tokens, response.usage.output_tokens)


@on('transformers', 'mlx', 'llamacpp')
async def test_usage_counts_tokens(make: Callable[..., Any], trained_path: Path) -> None:
    model = make(trained_path)
    tokenizer = (await model.load()).tokenizer
    response = await model.request(ask('Say hi.'))
    generated = tokenizer.encode(tiny.RESPONSES['Say hi.'])
    assert response.usage.output_tokens == len(generated) + 1  # the token that ends it
    prompt = tokenizer.render([{'role': 'user', 'content': 'Say hi.'}], [], {})
    assert response.usage.input_tokens == len(tokenizer.encode(prompt))
    counted = await model.count_tokens(ask('Say hi.'))
    assert (counted.input_tokens, counted.source('input_tokens')) == (response.usage.input_tokens, 'exact')
    assert [response.usage.source(name) for name in ('input_tokens', 'output_tokens')] == ['exact', 'exact']


@on('transformers', 'mlx', 'llamacpp')
async def test_a_response_ends_after_max_tokens(make: Callable[..., Any], trained_path: Path) -> None:
    response = await make(trained_path, max_new_tokens=100).request(ask('Where is Oslo?'), {'max_tokens': 4})
    assert response.finish_reason == 'length'
    assert response.provider_details == {'finish_reason': 'length'}
    assert response.usage.output_tokens == 4
    assert tiny.RESPONSES['Where is Oslo?'].startswith(response.text or '-')


@on('padded', 'paged', 'mlx', 'llamacpp')
@pytest.mark.parametrize('stop', [' of Nor', 'capital', 'Oslo', ', at', ' fjord.'])
async def test_a_response_ends_before_its_stop_sequence(
    make: Callable[..., Any], trained_path: Path, stop: str
) -> None:
    model = make(trained_path)
    response = await model.request(ask('Where is Oslo?'), {'stop_sequences': ['nothing of the kind', stop]})
    assert (response.text or '') == tiny.RESPONSES['Where is Oslo?'].partition(stop)[0]
    assert response.provider_details == {'finish_reason': 'stop_sequence', 'stop_sequence': stop}
    async with model.request_stream(ask('Where is Oslo?'), {'stop_sequences': [stop]}) as stream:
        async for _ in stream:
            assert stop not in (stream.get().text or '')
    assert stream.get().finish_reason == 'stop'
    assert model.engine.counts.active == 0


@on('transformers', 'mlx', 'llamacpp', 'vllm')
async def test_a_conversation_that_is_too_long_is_a_context_length_error(make: Callable[..., Any]) -> None:
    with pytest.raises(ContextLengthError, match=f'reads {tiny.CONTEXT} at most'):
        await make().request(ask('word ' * 2000))


@on('transformers', 'mlx', 'llamacpp')
async def test_a_response_ends_at_the_end_of_the_context(make: Callable[..., Any]) -> None:
    model = make(max_new_tokens=5000)
    words = (tiny.CONTEXT - 50) // len((await model.load()).tokenizer.encode('word '))
    response = await model.request(ask('word ' * words), {'logit_bias': {'2': -100}})
    assert response.usage.input_tokens + response.usage.output_tokens == tiny.CONTEXT
    assert response.finish_reason == 'length'


@on('transformers', 'mlx', 'llamacpp')
async def test_an_image_for_a_text_model_is_a_user_error(make: Callable[..., Any]) -> None:
    image = UserPromptPart(['What is this?', BinaryContent(b'...', media_type='image/png')])
    with pytest.raises(UserError, match='reads text alone'):
        await make().request([ModelRequest([image])])


@on('transformers', 'mlx', 'llamacpp')
async def test_a_setting_that_the_engine_lacks_is_a_warning(make: Callable[..., Any]) -> None:
    response = await make().request(ask(), {'max_tokens': 2, 'service_tier': 'flex', 'logprobs': True})
    assert [warning.partition(':')[0] for warning in response.warnings] == [
        "'service_tier' was not sent",
        "'logprobs' was not sent",
    ]


@on('transformers', 'mlx', 'llamacpp')
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
async def test_an_invalid_setting_is_a_user_error(make: Callable[..., Any], settings: Any) -> None:
    with pytest.raises(UserError):
        await make().request(ask(), settings)
