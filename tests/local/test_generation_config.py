"""A model's `generation_config`: it holds as with `generate`, or `warnings` names what does not."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pydantic_llm.models.local import Job, Prompt, Sampling, sampling_from
from pydantic_llm.models.local.generation import CHANGES_TEXT, decode_generation
from pydantic_llm.models.local.loading import decode_generation_config
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.models.transformers.choose import choose
from pydantic_llm.models.transformers.processors import (
    FILTERS,
    PROCESSORS,
    WITHOUT_PROCESSOR,
    TransformersSampling,
    list_supported,
)
from pydantic_llm.models.transformers.rows import Row
from tests.local.engines import Engine, ask, generate_with_transformers, load_with_transformers, on

PROMPTS = ['hi', 'Where is Oslo? Where is Bergen?']

VALUES: Mapping[str, Any] = {
    'sequence_bias': [[[70], 1.5], [[71, 72], -3.0]],
    'encoder_repetition_penalty': 3.0,
    'no_repeat_ngram_size': 1,
    'encoder_no_repeat_ngram_size': 1,
    'bad_words_ids': [[70], [71, 72]],
    'min_length': 30,
    'min_new_tokens': 20,
    'forced_eos_token_id': 2,
    'remove_invalid_values': True,
    'exponential_decay_length_penalty': [5, 1.5],
    'suppress_tokens': [70, 71],
    'begin_suppress_tokens': [70, 71],
    'top_h': 0.5,
    'typical_p': 0.3,
    'epsilon_cutoff': 0.1,
    'eta_cutoff': 0.3,
}
"""A value that changes something, for each name that the engine of Transformers supports."""

NO_CHANGE = """
    assistant_confidence_threshold assistant_early_exit assistant_ensemble_weight assistant_lookbehind bos_token_id
    cache_config cache_implementation compile_config continuous_batching_config decoder_start_token_id disable_compile
    early_stopping forced_bos_token_id is_assistant length_penalty low_memory max_cache_len max_matching_ngram_size
    num_assistant_tokens num_assistant_tokens_schedule num_beam_groups num_return_sequences output_attentions
    output_hidden_states output_logits output_scores pad_token_id prefill_chunk_size prompt_lookup_num_tokens
    return_dict_in_generate speculation_type target_lookbehind transformers_version use_cache use_mtp
""".split()
"""The names that change the speed, the type of the result, beams, or models with an encoder only."""

EVERYWHERE = """
    do_sample eos_token_id max_length max_new_tokens min_p repetition_penalty stop_strings temperature top_k top_p
""".split()
"""The names that every engine supports."""


def copy_with(folder: Path, target: Path, **values: Any) -> Path:
    """Copy a model, and give it a generation config."""
    shutil.copytree(folder, target)
    config = {'eos_token_id': 2, 'pad_token_id': 0, **values}
    (target / 'generation_config.json').write_text(json.dumps(config), encoding='utf-8')
    return target


def generate_first_tokens(folder: Path) -> list[int]:
    """Return the first three tokens that a model generates for the first prompt."""
    model, tokenizer = load_with_transformers(folder)
    turns = [{'role': 'user', 'content': PROMPTS[0]}]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors='pt', return_dict=True)
    tokens: list[int] = model.generate(**prompt, max_new_tokens=3, do_sample=False)[0][-3:].tolist()
    return tokens


def test_every_value_of_a_generation_config_is_classified() -> None:
    known = {name for name in vars(transformers.GenerationConfig()) if not name.startswith('_')}
    assert known <= {*CHANGES_TEXT, *NO_CHANGE, *EVERYWHERE}
    assert {*PROCESSORS, *FILTERS, *WITHOUT_PROCESSOR} <= CHANGES_TEXT.keys()
    assert VALUES.keys() == {*PROCESSORS, *FILTERS}


async def test_the_processors_are_those_of_generate_in_its_order(random_path: Path) -> None:
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(random_path)
    config: Any = transformers.GenerationConfig(do_sample=True, **VALUES)
    config._eos_token_tensor = torch.tensor([2])
    prompt = torch.tensor([[1, 2, 3]])
    config.max_length = 20
    theirs = model._get_logits_processor(config, input_ids_seq_length=3, encoder_input_ids=prompt, device='cpu')
    row = make_row(**VALUES)
    assert row.processors is not None
    ours = [processor for made in row.processors._get_processors('cpu') for processor in made]
    assert [type(processor).__name__ for processor in ours] == [type(processor).__name__ for processor in theirs]


@on('padded', 'paged')
async def test_a_batch_follows_the_generation_config_as_generate_does(
    make: Callable[..., Any], random_path: Path, tmp_path: Path
) -> None:
    plain = [generate_with_transformers(random_path, prompt, 24) for prompt in PROMPTS]
    first, second, third = generate_first_tokens(random_path)
    values = {
        **VALUES,
        'sequence_bias': [[[second], -99.0], [[first, third], 99.0]],
        'bad_words_ids': [[third], [first, second]],
        'suppress_tokens': [second, third],
        'begin_suppress_tokens': [first],
    }
    unchanged: set[str] = set()
    for name in PROCESSORS:
        folder = copy_with(random_path, tmp_path / name, **{name: values[name]})
        model = make(folder, max_new_tokens=24, torch_dtype='float32')
        responses = await asyncio.gather(*(model.request(ask(prompt)) for prompt in PROMPTS))
        await model.aclose()
        expected = [generate_with_transformers(folder, prompt, 24) for prompt in PROMPTS]
        assert [response.text for response in responses] == expected, name
        assert not any(response.warnings for response in responses), name
        if expected == plain:
            unchanged.add(name)
    assert unchanged <= {'min_length', 'min_new_tokens', 'remove_invalid_values', 'exponential_decay_length_penalty'}


async def test_a_response_is_not_shorter_than_the_generation_config_requires(
    make: Callable[..., Any], trained_path: Path, tmp_path: Path
) -> None:
    folder = copy_with(trained_path, tmp_path / 'long', min_new_tokens=40)
    short = await make(trained_path, max_new_tokens=50).request(ask('Say hi.'))
    response = await make(folder, max_new_tokens=50).request(ask('Say hi.'))
    assert short.usage.output_tokens < 40 <= response.usage.output_tokens


@pytest.mark.parametrize('name', FILTERS)
async def test_tokens_are_drawn_among_those_that_the_library_leaves(name: str) -> None:
    logits = torch.tensor([[3.0, 2.5, 2.0, 0.5, 0.0, -1.0, -4.0]])
    library = make_row(**{name: VALUES[name]}).processors
    assert library is not None
    [only] = library._get_processors('cpu')[1]
    allowed = {int(index) for index in only(torch.tensor([[1]]), logits.clone())[0].isfinite().nonzero()}
    drawn = {choose(logits.clone(), [make_row(seed=seed, **{name: VALUES[name]})])[0] for seed in range(200)}
    assert drawn == allowed
    assert len(drawn) < 7


async def test_a_constraint_wins_over_values_that_exclude_all_that_it_allows() -> None:
    class OnlyOne:
        def compute_mask(self) -> Any:
            return (torch.arange(7) == 3).numpy()

    row = make_row(suppress_tokens=[3])
    row.matcher = OnlyOne()
    assert choose(torch.tensor([[3.0, 2.5, 2.0, 0.5, 0.0, -1.0, -4.0]]), [row]) == [3]


@on('transformers', 'mlx')
async def test_lengths_and_ends_of_the_generation_config_hold(
    make: Callable[..., Any], trained_path: Path, tmp_path: Path
) -> None:
    async def respond(name: str, options: Mapping[str, Any] = {}, **values: Any) -> Any:
        folder = tmp_path / name
        model = make(folder if folder.exists() else copy_with(trained_path, folder, **values), **options)
        response = await model.request(ask('Where is Oslo?'), {'max_tokens': 5} if name == 'asked' else None)
        assert response.warnings == []
        return response

    assert (await respond('new', max_new_tokens=3)).usage.output_tokens == 3
    assert (await respond('new', {'max_new_tokens': 4})).usage.output_tokens == 4
    assert (await respond('asked', max_new_tokens=3)).usage.output_tokens == 5
    total = await respond('total', max_length=20)
    assert total.usage.input_tokens + total.usage.output_tokens == 20
    assert (await respond('less than the prompt', max_length=2)).finish_reason == 'stop'
    ended = await respond('ended', stop_strings=[' capital', 'never'])
    assert (ended.text, ended.finish_reason) == ('Oslo is the', 'stop')


@on('transformers', 'mlx')
async def test_what_does_not_hold_is_named_in_warnings(
    make: Callable[..., Any], engine: Engine, random_path: Path, tmp_path: Path
) -> None:
    folder = copy_with(random_path, tmp_path / 'model', num_beams=4, no_repeat_ngram_size=2, typical_p=1.0, chat='x')
    response = await make(folder, max_new_tokens=3).request(ask())
    unsupported = ['no_repeat_ngram_size=2', 'num_beams=4'] if engine.system == 'mlx' else ['num_beams=4']
    assert [warning.partition(' ')[0] for warning in response.warnings] == unsupported
    silent = await make(folder, max_new_tokens=3).request(ask(), {'unsupported_settings': 'drop'})
    assert silent.warnings == []


@on('mlx')
async def test_an_invalid_value_is_named_in_warnings_and_a_default_holds(
    make: Callable[..., Any], engine: Engine, random_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = {'temperature': 'hot', 'top_k': -3, 'top_p': 7, 'repetition_penalty': 0, 'max_new_tokens': True}
    folder = copy_with(random_path, tmp_path / 'model', **numbers, stop_strings=5, eos_token_id=['x', None, 2])
    response = await make(folder).request(ask(), {'max_tokens': 12})
    assert [response.text] == engine.expected(random_path, ['hi'], 12)
    named = {warning.partition('=')[0] for warning in response.warnings if 'the value is invalid' in warning}
    assert named == {*numbers, 'stop_strings'}
    (folder / 'generation_config.json').write_text('{', encoding='utf-8')
    assert (await make(folder, max_queue=7).request(ask(), {'max_tokens': 2})).warnings == []
    assert 'generation_config.json is not used' in caplog.text


def test_values_hold_for_a_request_that_draws_although_the_default_is_greedy() -> None:
    config = {'temperature': 0.6, 'top_k': 20, 'top_p': 0.9, 'typical_p': 0.5}
    sampling = decode_generation_config(config)
    assert sampling == Sampling(temperature=0.0, top_k=20, top_p=0.9)
    assert sampling_from({'temperature': 1.0}, sampling, prefix='mlx_').top_k == 20
    generation = decode_generation(config)
    assert generation.list_warnings(drawn=False) == []
    [warning] = generation.list_warnings(drawn=True)
    assert warning.startswith('typical_p=0.5 ')


def test_a_value_that_the_library_rejects_does_not_hold() -> None:
    config = {
        'bad_words_ids': 'tea',
        'suppress_tokens': [5],
        'sequence_bias': [[[900], 1.0]],
        'forced_eos_token_id': 900,
    }
    held = list_supported(config, frozenset({2}), 100)
    assert decode_generation(config, held=held).held == {'suppress_tokens': [5]}
    assert decode_generation(config, held=held).ignored.keys() == config.keys() - {'suppress_tokens'}


def make_row(*, seed: int = 0, **values: Any) -> Row:
    """Return a row of a response to a prompt of three tokens."""
    sampling = TransformersSampling(temperature=1.0, seed=seed, generation=values, eos=frozenset({2}))
    if 'suppress_tokens' in values and len(values) == 1:
        sampling = TransformersSampling(generation=values)
    return Row(Job(Prompt([1, 2, 3]), sampling=sampling, max_tokens=17, decoder=TokenDecoder(lambda tokens: '')))
