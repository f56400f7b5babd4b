"""llama.cpp's engine: the text of the binding, memory that prompts share, its limits, files, options and errors."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pydantic_llm import Agent
from pydantic_llm.constraints import Regex
from pydantic_llm.exceptions import ContextLengthError, ModelAPIError, ModelConnectionError, UserError
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models.local import Job, Prompt, Sampling
from pydantic_llm.models.local.detokenize import Detokenizer
from pydantic_llm.models.local.token_decoder import TokenDecoder
from tests.local import tiny
from tests.local.engines import ENGINES, ask, skip_if_missing

pytestmark = pytest.mark.llamacpp
llamacpp = ENGINES['llamacpp']
skip_if_missing(llamacpp)

import gguf  # noqa: E402 -- it is missing where the library is
import llama_cpp  # noqa: E402

from pydantic_llm.models.llamacpp import LlamaCppModel  # noqa: E402
from pydantic_llm.models.llamacpp.batch import MIN_SHARED  # noqa: E402
from pydantic_llm.models.llamacpp.choose import choose  # noqa: E402
from pydantic_llm.models.llamacpp.files import pick_file  # noqa: E402
from pydantic_llm.models.llamacpp.rows import Row  # noqa: E402
from pydantic_llm.models.llamacpp.sequences import count_common  # noqa: E402
from tests.local.gguf_files import add_sentence_pieces, write_encoder, write_gguf  # noqa: E402
from tests.local.test_company import make_family  # noqa: E402
from tests.test_docs import ROOT  # noqa: E402

SYSTEM = 'The rules of this house are many, and each of them holds for all of its guests. ' * 4
"""The beginning of prompts, longer than the number of tokens that is worth waiting for."""


@pytest.fixture(scope='module')
def random_file(random_path: Path) -> Path:
    return Path(llamacpp.prepare(random_path))


@pytest.fixture
async def make(random_file: Path) -> Any:
    """Make models that are closed after the test: the random one, unless a path is given."""
    made: list[Any] = []

    def maker(path: Path | str = random_file, **options: Any) -> Any:
        made.append(llamacpp.make(path, **options))
        return made[-1]

    yield maker
    for model in made:
        await model.aclose()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """The number of tokens in each call of the library that reads tokens, and its result."""
    calls: list[tuple[int, int]] = []
    decode = llama_cpp.llama_decode

    def record(context: Any, batch: Any) -> int:
        result: int = decode(context, batch)
        calls.append((batch.n_tokens, result))
        return result

    monkeypatch.setattr(llama_cpp, 'llama_decode', record)
    return calls


def ask_after_system(text: str) -> list[ModelRequest]:
    return [ModelRequest.user_text_prompt(SYSTEM + text)]


# ---------------------------------------------------------------------- the text of the library


def generate_with_the_binding(path: Path, prompt: list[int], count: int) -> list[int]:
    """Return the tokens that the binding's own class generates, always with the likeliest token."""
    kinds = {'type_k': 0, 'type_v': 0, 'flash_attn': False}
    llama = llama_cpp.Llama(str(path), n_ctx=512, n_threads=1, verbose=False, **kinds)
    try:
        tokens: list[int] = []
        for token in llama.generate(prompt, temp=0.0, top_k=1, repeat_penalty=1.0):
            tokens.append(token)
            if len(tokens) == count or llama_cpp.llama_vocab_is_eog(llama._model.vocab, token):
                return tokens
    finally:
        llama.close()
    return tokens


async def test_the_text_is_what_the_binding_generates_alone_and_in_company(
    make: Callable[..., Any], random_file: Path
) -> None:
    model = make(max_new_tokens=24)
    loaded = await model.load()
    prompts = ['one', 'a longer question about the weather', SYSTEM, 'x y']
    texts = []
    for prompt in prompts:
        tokens = loaded.encode(loaded.tokenizer.render([{'role': 'user', 'content': prompt}], [], {}), []).tokens
        generated = generate_with_the_binding(random_file, [*tokens], 24)
        texts.append(loaded.tokenizer.decode([token for token in generated if token not in loaded.eos]))
    alone = [(await model.request(ask(prompt))).text for prompt in prompts]
    together = await asyncio.gather(*(model.request(ask(prompt)) for prompt in prompts))
    assert alone == texts
    assert [response.text for response in together] == texts


async def test_text_is_streamed_as_it_is_generated(
    make: Callable[..., Any], trained_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = llama_cpp.llama_decode

    def decode_slowly(context: Any, batch: Any) -> int:
        time.sleep(0.005)
        result: int = decode(context, batch)
        return result

    monkeypatch.setattr(llama_cpp, 'llama_decode', decode_slowly)
    async with Agent(make(llamacpp.prepare(trained_path))).run_stream('Where is Oslo?') as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    assert ''.join(pieces) == tiny.RESPONSES['Where is Oslo?']
    assert len(pieces) > 8


# ---------------------------------------------------------------------- shared memory


async def test_requests_at_once_read_their_common_beginning_once(
    make: Callable[..., Any], decoded: list[tuple[int, int]]
) -> None:
    model = make(max_new_tokens=4, prefill_tokens=64)
    length = (await model.count_tokens(ask_after_system('0'))).input_tokens or 0
    responses = await asyncio.gather(*(model.request(ask_after_system(f'{number}')) for number in range(12)))
    shared = [response.usage.cache_read_tokens for response in responses]
    assert shared[0] == 0
    assert all(length - MIN_SHARED < count < length for count in shared[1:])
    read = sum(count for count, _ in decoded)
    assert read < length + 12 * (MIN_SHARED + 4)
    alone = make(max_new_tokens=4, max_batch_size=1)
    assert [response.text for response in responses] == [
        (await alone.request(ask_after_system(f'{number}'))).text for number in range(12)
    ]


async def test_the_next_turn_reads_what_is_new_in_it(make: Callable[..., Any]) -> None:
    model = make(max_new_tokens=8)
    first = await model.request(ask_after_system('Who?'))
    history = [*ask_after_system('Who?'), ModelResponse([TextPart(first.text)]), *ask('And why?')]
    second = await model.request(history)
    before = first.usage.input_tokens
    assert before - 2 < second.usage.cache_read_tokens < before + 8
    assert second.text == (await make(max_new_tokens=8, max_batch_size=2).request(history)).text


async def test_an_equal_prompt_is_read_but_for_its_last_token(make: Callable[..., Any]) -> None:
    model = make(max_new_tokens=6)
    first, second = [await model.request(ask_after_system('Who?')) for _ in range(2)]
    assert (first.usage.cache_read_tokens, second.usage.cache_read_tokens) == (0, first.usage.input_tokens - 1)
    assert second.text == first.text


async def test_more_responses_than_fit_into_the_memory_take_turns(
    make: Callable[..., Any], decoded: list[tuple[int, int]]
) -> None:
    """A context of 256 tokens has room for one and a half of these responses."""
    prompts = [f'{number} ' * 20 for number in range(10, 16)]
    settings: Any = {'max_tokens': 120, 'logit_bias': {'2': -100}}
    roomy = make()
    expected = [(await roomy.request(ask(prompt), settings)).text for prompt in prompts]
    decoded.clear()
    model = make(n_ctx=256)
    responses = await asyncio.gather(*(model.request(ask(prompt), settings) for prompt in prompts))
    assert [response.text for response in responses] == expected
    assert {response.usage.output_tokens for response in responses} == {120}
    assert 1 in {result for _, result in decoded}
    assert model.engine.counts.active == 0


async def test_a_full_memory_forgets_ended_responses_first(
    make: Callable[..., Any], decoded: list[tuple[int, int]]
) -> None:
    model = make(n_ctx=256, max_new_tokens=4)
    for number in range(8):
        await model.request(ask(f'{number} ' * 60))
    assert {result for _, result in decoded} == {0, 1}
    again = await model.request(ask('7 ' * 60))
    assert again.usage.cache_read_tokens == again.usage.input_tokens - 1


@pytest.mark.parametrize(
    ('slots', 'piece', 'context'),
    [(1, 1, 1), (32, 1, 40), (128, 3, 300), (256, 1, 256), (3, 512, 33), (200, 512, None)],
)
async def test_any_size_of_batch_piece_and_context_gives_the_same_text(
    make: Callable[..., Any], slots: int, piece: int, context: int | None
) -> None:
    settings: Any = {'max_tokens': 6}
    model = make(max_batch_size=slots, prefill_tokens=piece, n_ctx=context)
    if context == 1:
        with pytest.raises(ContextLengthError, match='reads 1 at most'):
            await model.request(ask('x'), settings)
        return
    prompts = [f'{number}' for number in range(12)]
    roomy = make()
    responses = await asyncio.gather(*(model.request(ask(prompt), settings) for prompt in prompts))
    assert [response.text for response in responses] == [
        (await roomy.request(ask(prompt), settings)).text for prompt in prompts
    ]


async def test_ended_responses_keep_a_part_of_the_memory(make: Callable[..., Any]) -> None:
    model = make(n_ctx=1024, max_new_tokens=1)
    prompts = [f'{number} ' * 30 for number in range(5)]
    first = [await model.request(ask(prompt)) for prompt in prompts]
    again = [await model.request(ask(prompt)) for prompt in reversed(prompts)]
    assert all(
        3 * (response.usage.input_tokens or 0) < 256 < 4 * (response.usage.input_tokens or 0) for response in first
    )
    is_kept = [(response.usage.cache_read_tokens or 0) > 40 for response in again]
    assert is_kept == [True, True, True, False, False]


async def test_a_prompt_is_limited_by_the_context(make: Callable[..., Any]) -> None:
    model = make(n_ctx=256)
    assert (await model.load()).context_length == 256
    with pytest.raises(ContextLengthError, match='reads 256 at most'):
        await model.request(ask('word ' * 250))


async def test_a_model_with_a_state_shares_whole_conversations(make: Callable[..., Any], tmp_path: Path) -> None:
    folder = make_family(tmp_path, 'mamba')
    file = llamacpp.prepare(folder)
    prompts = [SYSTEM + text for text in ('Who?', 'Why?', 'When was it?')]
    expected = llamacpp.expected(folder, prompts, 8)
    model = make(file, max_new_tokens=8)
    alone = [await model.request(ask(prompt)) for prompt in prompts]
    together = await asyncio.gather(*(model.request(ask(prompt)) for prompt in prompts))
    assert [response.text for response in (*alone, *together)] == [*expected, *expected]
    assert {response.usage.cache_read_tokens for response in (*alone, *together)} == {0}
    first = await model.request(ask(prompts[0]), {'max_tokens': 1, 'constraint': Regex('a')})
    history = [*ask(prompts[0]), ModelResponse([TextPart('a')]), *ask('And then?')]
    second = await model.request(history)
    assert second.usage.cache_read_tokens == first.usage.input_tokens
    assert second.text == (await make(file, max_new_tokens=8, max_batch_size=2).request(history)).text


async def test_memories_that_are_separate_share_no_parts(make: Callable[..., Any]) -> None:
    model = make(context_kwargs={**llamacpp.options['context_kwargs'], 'kv_unified': False}, max_batch_size=2)
    settings: Any = {'max_tokens': 6}
    responses = await asyncio.gather(*(model.request(ask_after_system(name), settings) for name in 'abc'))
    roomy = make()
    assert [response.text for response in responses] == [
        (await roomy.request(ask_after_system(name), settings)).text for name in 'abc'
    ]
    assert {response.usage.cache_read_tokens for response in responses} == {0}


def test_common_tokens_are_counted_across_blocks() -> None:
    tokens = [*range(300)]
    for length in (0, 1, 63, 64, 65, 128, 299):
        other = [*tokens[:length], -1, *tokens[length + 1 :]]
        assert count_common(tokens, other) == length
    assert count_common(tokens, tokens) == count_common(tokens, [*tokens, 5]) == 300


# ---------------------------------------------------------------------- files and options


@pytest.mark.parametrize(
    ('names', 'pattern', 'expected'),
    [
        (['a.gguf', 'mmproj-a.gguf'], None, 'a.gguf'),
        (['m-Q8_0.gguf', 'm-q4_k_m.gguf', 'm-F16.gguf'], None, 'm-q4_k_m.gguf'),
        (['m-Q8_0.gguf', 'm-F16.gguf'], None, 'm-Q8_0.gguf'),
        (['m-Q8_0.gguf', 'm-F16.gguf'], '*f16*', 'm-F16.gguf'),
        (['q/m-Q8_0.gguf', 'q/m-F16.gguf'], 'm-Q8_0.gguf', 'q/m-Q8_0.gguf'),
        (['m-Q8_0-00001-of-00002.gguf', 'm-Q8_0-00002-of-00002.gguf'], None, 'm-Q8_0-00001-of-00002.gguf'),
        (['a.gguf', 'mmproj-a.gguf'], 'mmproj-a.gguf', 'mmproj-a.gguf'),
    ],
)
def test_a_file_is_picked_by_its_name(names: list[str], pattern: str | None, expected: str) -> None:
    assert pick_file(names, pattern, where='here') == expected


@pytest.mark.parametrize(
    ('names', 'pattern', 'message'),
    [
        ([], None, 'a folder with a .gguf file of a model'),
        (['mmproj.gguf'], None, 'a folder with a .gguf file of a model'),
        (['a.gguf', 'b.gguf'], None, 'it has several files: give filename= one of a.gguf, b.gguf'),
        (['a.gguf', 'b.gguf'], '*.gguf', 'it has several files: give filename= one of a.gguf, b.gguf'),
        (['a.gguf'], 'c.gguf', "it has no file 'c.gguf': give filename= one of a.gguf"),
    ],
)
def test_a_file_that_cannot_be_picked_is_a_user_error(names: list[str], pattern: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pick_file(names, pattern, where='here')


async def test_a_folder_is_a_model_by_its_file(make: Callable[..., Any], random_file: Path, tmp_path: Path) -> None:
    for name in ('m-Q8_0.gguf', 'm-F16.gguf'):
        (tmp_path / name).symlink_to(random_file)
    for model in (make(tmp_path), make(tmp_path, filename='*F16*')):
        assert (await model.request(ask(), {'max_tokens': 2})).usage.output_tokens == 2


async def test_a_file_name_for_a_file_is_a_user_error(make: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"filename is 'other\.gguf', and .* is a file: give one of them"):
        await make(filename='other.gguf').load()


async def test_a_broken_file_is_a_user_error_with_the_reason(
    make: Callable[..., Any], random_file: Path, tmp_path: Path
) -> None:
    content = await asyncio.to_thread(random_file.read_bytes)
    for name, data in {'text': b'no model at all', 'half': content[: len(content) // 2], 'empty': b''}.items():
        path = tmp_path / f'{name}.gguf'
        path.write_bytes(data)
        with pytest.raises(UserError, match=r'cannot be loaded: llama.cpp reports \w.*(magic|file|tensor)'):
            await make(path).load()
    for name in ('missing.gguf', 'no/such/thing', 'nothing'):
        with pytest.raises(UserError, match='cannot be loaded: give a name on the hub or the path of'):
            await make(tmp_path / name).load()


async def test_a_hub_that_is_away_is_a_connection_error(make: Callable[..., Any]) -> None:
    for name in ('nobody/no-such-model', 'nobody/no-such-model:Q4_K_M'):
        with pytest.raises(ModelConnectionError, match='is not on this machine, and the hub cannot be reached'):
            await make(name).load()


async def test_options_of_llama_cpp_are_passed_on_and_unknown_ones_refused(make: Callable[..., Any]) -> None:
    model = make(context_kwargs={'n_ubatch': 64}, model_kwargs={'check_tensors': True})
    assert (await model.request(ask('word ' * 90), {'max_tokens': 2})).usage.output_tokens == 2
    with pytest.raises(UserError, match="context_kwargs has the unknown key 'n_ubatches'; did you mean 'n_ubatch'"):
        await make(context_kwargs={'n_ubatches': 64}).load()
    with pytest.raises(UserError, match="model_kwargs has 'many' for 'main_gpu'"):
        await make(model_kwargs={'main_gpu': 'many'}).load()
    for where, options, message in [
        ('context_kwargs', {'n_ctx': 64}, "has 'n_ctx': give n_ctx= to the model"),
        ('context_kwargs', {'n_seq_max': 64}, "has 'n_seq_max': give max_batch_size= to the model"),
        ('context_kwargs', {'type_k': 'q9'}, "has 'q9' for 'type_k': give one of f32, f16, q4_0"),
        ('context_kwargs', {'type_v': 999}, "has 999 for 'type_v': give one of f32, f16, q4_0"),
        ('model_kwargs', {'vocab_only': True}, "has 'vocab_only', which the engine sets"),
        ('context_kwargs', {'attention_type': 1}, "has 'attention_type', which the engine sets"),
        ('context_kwargs', {'flash_attn_type': 99}, "has 99 for 'flash_attn_type': give a whole number from -1 to 1"),
        (
            'context_kwargs',
            {'n_threads_batch': 600},
            "has 600 for 'n_threads_batch': give a whole number from 1 to 512",
        ),
        ('context_kwargs', {'n_ubatch': -5}, "has -5 for 'n_ubatch', which llama.cpp does not take"),
        ('context_kwargs', {'n_ubatch': 2**40}, "has 1099511627776 for 'n_ubatch', which llama.cpp does not take"),
        ('context_kwargs', {'offload_kqv': 'no'}, "has 'no' for 'offload_kqv', which llama.cpp does not take"),
    ]:
        with pytest.raises(UserError, match=f'{where} {message}'):
            await make(**{where: options}).load()
    for name, hint in {'lora_path': 'adapter', 'n_cxt': 'n_ctx', 'n_batch': 'prefill_tokens'}.items():
        with pytest.raises(TypeError, match=f'{name}.*did you mean {hint}='):
            make(**{name: 1})
    for name, value in {'n_ctx': 0, 'n_threads': -1, 'max_batch_size': 500, 'prefill_tokens': 0}.items():
        with pytest.raises(UserError, match=f'{name} is {value}: give'):
            make(**{name: value})
    for name in ('n_ctx', 'n_threads', 'max_batch_size'):
        with pytest.raises(UserError, match=f"{name} is 'many': give a whole number"):
            make(**{name: 'many'})
    with pytest.raises(ModelAPIError, match=r'cannot make a context of \d+ tokens'):
        await make(n_ctx=2**31 - 1).load()


async def test_the_sampling_defaults_of_a_file_hold_unless_a_setting_is_given(
    make: Callable[..., Any], random_path: Path, tmp_path: Path
) -> None:
    changes = {'general.sampling.temp': 1.5, 'general.sampling.top_k': 40, 'general.sampling.penalty_repeat': 1.1}
    model = make(write_gguf(random_path, tmp_path / 'warm.gguf', changes=changes), max_new_tokens=16)
    sampling = (await model.load()).sampling
    assert (sampling.temperature, sampling.top_k) == (1.5, 40)
    assert sampling.repetition_penalty == pytest.approx(1.1)
    assert len({(await model.request(ask())).text for _ in range(4)}) > 1
    plain: Any = {'temperature': 0.0, 'llamacpp_repetition_penalty': 1.0}
    assert (await model.request(ask(), plain)).text == (await make(max_new_tokens=16).request(ask())).text


async def test_a_file_may_ask_for_a_first_token(make: Callable[..., Any], random_path: Path, tmp_path: Path) -> None:
    changes = {'tokenizer.ggml.bos_token_id': 0, 'tokenizer.ggml.add_bos_token': True}
    file = write_gguf(random_path, tmp_path / 'bos.gguf', changes=changes)
    loaded = await make(file).load()
    assert loaded.encode('hi', []).tokens[0] == 0
    assert loaded.encode('<|endoftext|>hi', []).tokens == loaded.encode('hi', []).tokens
    model = make(file, chat_template='{{ bos_token }}|{{ messages[0].content }}|{{ eos_token }}')
    await model.load()
    assert model.preview(ask('hi')).content[0] == '<|endoftext|>|hi|<|im_end|>'


async def test_templates_have_the_functions_and_tags_of_transformers(make: Callable[..., Any]) -> None:
    template = (
        '{% for message in messages %}{% if loop.index > 3 %}{% break %}{% endif %}{% generation %}'
        '{{ message.content }}'
        "{% endgeneration %}{% endfor %}{{ strftime_now('%Y')|length }}{{ {'a': '<ä>'}|tojson }}"
    )
    model = make(chat_template=template)
    await model.load()
    assert model.preview(ask('hi')).content[0] == 'hi4{"a": "<ä>"}'
    for bad in ("{{ raise_exception('no such role') }}", '{{ messages.append(1) }}', "{{ ''.__class__.__mro__ }}"):
        with pytest.raises(UserError, match='The chat template does not take this conversation'):
            await make(chat_template=bad).request(ask('hi'))


async def test_a_model_without_a_template_says_so(make: Callable[..., Any], random_path: Path, tmp_path: Path) -> None:
    file = write_gguf(random_path, tmp_path / 'bare.gguf', changes={'tokenizer.chat_template': None})
    with pytest.raises(UserError, match='has no chat template'):
        await make(file).request(ask())


async def test_a_model_that_cannot_generate_is_a_user_error(make: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match='cannot chat: it remembers no tokens, as a model for embeddings'):
        await make(write_encoder(tmp_path / 'bert.gguf')).load()


async def test_weights_that_are_broken_fail_the_request(
    make: Callable[..., Any], random_path: Path, tmp_path: Path
) -> None:
    file = write_gguf(random_path, tmp_path / 'nan.gguf', change=lambda name, data: data * np.nan)
    with pytest.raises(ModelAPIError, match='its highest logit is nan') as caught:
        await make(file).request(ask())
    assert not caught.value.retryable


# ---------------------------------------------------------------------- another kind of tokenizer


async def test_the_pieces_of_sentences_add_up_to_their_text(
    make: Callable[..., Any], random_path: Path, tmp_path: Path
) -> None:
    file = write_gguf(random_path, tmp_path / 'pieces.gguf', add_tokenizer=add_sentence_pieces)
    model = make(file, max_new_tokens=40)
    loaded = await model.load()
    tokenizer = loaded.tokenizer
    for text in ('ab no', ' ab', 'a  b', 'x你🙂', '</s>', ''):
        tokens = tokenizer.encode(text)
        detokenizer = Detokenizer(tokenizer.decode)
        pieces = [*map(detokenizer.feed, tokens), detokenizer.close()]
        assert ''.join(pieces) == tokenizer.decode(tokens) == text
    assert set(tokenizer.special_tokens.values()) == {'<unk>', '<s>', '</s>'}
    assert loaded.encode('<s>ab', []).tokens[:1] == [1]
    for pattern in ('no ab{2,3} no', '[你🙂]{3}x'):
        response = await model.request(ask('ab'), {'constraint': Regex(pattern)})
        assert re.fullmatch(pattern, response.text), response
        assert response.finish_reason == 'stop'


# ---------------------------------------------------------------------- adapters


def write_adapter(path: Path, scale: float = 8.0, *, seed: int = 3) -> Callable[[str, Any], Any]:
    """Write a random adapter (LoRA). Return the function that adds it to the weights of a file."""
    dice = np.random.default_rng(seed)
    pairs = {
        f'blk.{layer}.attn_output.weight': (
            dice.normal(size=(4, tiny.HIDDEN)).astype(np.float32),
            dice.normal(size=(tiny.HIDDEN, 4)).astype(np.float32),
        )
        for layer in range(2)
    }
    writer = gguf.GGUFWriter(path, 'qwen2')
    writer.add_type('adapter')
    writer.add_string('adapter.type', 'lora')
    writer.add_float32('adapter.lora.alpha', scale)
    for name, (down, up) in pairs.items():
        writer.add_tensor(f'{name}.lora_a', down)
        writer.add_tensor(f'{name}.lora_b', up)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    def add(name: str, data: Any) -> Any:
        return data + scale / 4 * (pairs[name][1] @ pairs[name][0]) if name in pairs else data

    return add


async def test_an_adapter_changes_the_weights(
    make: Callable[..., Any], random_path: Path, random_file: Path, tmp_path: Path
) -> None:
    add = write_adapter(tmp_path / 'lora.gguf')
    merged = make(write_gguf(random_path, tmp_path / 'merged.gguf', change=add), max_new_tokens=12)
    adapted = make(adapter=tmp_path / 'lora.gguf', max_new_tokens=12)
    plain, without = make(max_new_tokens=12), make(adapter=tmp_path / 'lora.gguf', adapter_scale=0.0, max_new_tokens=12)
    texts = [(await model.request(ask('hi'))).text for model in (merged, adapted, plain, without)]
    assert texts[0] == texts[1] != texts[2] == texts[3]
    assert len({id(model.engine) for model in (adapted, plain, without)}) == 3
    for path in (random_file, tmp_path / 'missing.gguf'):
        with pytest.raises(UserError, match=r'adapter .* cannot be loaded: llama.cpp reports \w{3}'):
            await make(adapter=path).load()


async def test_each_request_gets_the_adapter_that_it_names(
    make: Callable[..., Any], random_path: Path, tmp_path: Path
) -> None:
    """The prompts are the same, so that memory of one adapter would be shared with another if it could."""
    names = ('first', 'second')
    merged, paths = {}, {name: tmp_path / f'{name}.gguf' for name in names}
    for seed, name in enumerate(names):
        change = write_adapter(paths[name], seed=seed)
        merged[name] = make(write_gguf(random_path, tmp_path / f'{name}-merged.gguf', change=change))
    model = make(adapters=paths, adapter=paths['first'], n_ctx=8192)
    settings: Any = {'max_tokens': 10}
    expected = {name: (await merged[name].request(ask_after_system('hi'), settings)).text for name in names}
    assert len({*expected.values()}) == 2
    for _ in range(2):
        each = ['second', None, 'first', 'second', None]
        responses = await asyncio.gather(
            *(model.request(ask_after_system('hi'), {**settings, 'llamacpp_adapter': name}) for name in each)
        )
        assert [response.text for response in responses] == [expected[name or 'first'] for name in each]
    assert min(response.usage.cache_read_tokens for response in responses) > 100
    with pytest.raises(
        UserError, match=r"adapters\['lost'\] '/no/such.gguf' cannot be loaded: llama.cpp reports \w{3}"
    ):
        await make(adapters={'lost': '/no/such.gguf'}).load()
    with pytest.raises(UserError, match=r"has the adapters .*; did you mean 'second'"):
        await model.request(ask(), {'llamacpp_adapter': 'secnd'})


# ---------------------------------------------------------------------- one row


def make_row(sampling: Sampling, prompt: list[int] | None = None, written: list[int] | None = None) -> Row:
    job = Job(Prompt(prompt or [1, 2]), sampling=sampling, max_tokens=9, decoder=TokenDecoder(lambda tokens: ''))
    row = Row(job)
    for token in written or ():
        row.add_token(token)
    return row


async def test_penalties_change_the_likeliest_token() -> None:
    logits = np.array([2.0, 1.0, 0.5, 0.0, -1.0, -3.0], dtype=np.float32)
    before = logits.copy()
    assert choose(logits, make_row(Sampling())) == 0
    assert choose(logits, make_row(Sampling(presence_penalty=1.5), written=[0])) == 1
    assert choose(logits, make_row(Sampling(frequency_penalty=0.6), written=[0, 0])) == 1
    assert choose(logits, make_row(Sampling(repetition_penalty=5.0), prompt=[0, 1])) == 2
    assert choose(logits, make_row(Sampling(logit_bias={4: 9.0}))) == 4
    assert (logits == before).all()


# ---------------------------------------------------------------------- processes

FORKED = """
import os, sys
from pydantic_llm import Agent
from pydantic_llm.models.llamacpp import LlamaCppModel

agent = Agent(LlamaCppModel(sys.argv[1], n_threads=1, max_new_tokens=6))
text = agent.run_sync('Say hi.').output
child = os.fork()
if not child:
    os._exit(0 if agent.run_sync('Say hi.').output == text else 3)
assert agent.run_sync('Say hi.').output == text
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
del agent
"""


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
def test_a_forked_child_loads_the_model_again_and_nothing_is_written_to_stderr(random_file: Path) -> None:
    run = subprocess.run(
        [sys.executable, '-c', FORKED, str(random_file)],
        cwd=ROOT,
        env={**os.environ, 'HF_HUB_OFFLINE': '1'},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, '0\n', '')


def test_the_class_is_exported() -> None:
    assert LlamaCppModel('x.gguf').model_id == 'llamacpp-local:x.gguf'
