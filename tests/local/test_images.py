"""Models that take images, in Transformers and vLLM: their text is that of Transformers' `generate`."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import BinaryContent, ModelRequest, UserPromptPart
from pydantic_llm.models.local import Job, Prompt, Sampling
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.models.transformers.batch import BatchRunner
from pydantic_llm.models.transformers.forward import Forward
from pydantic_llm.models.transformers.prompts import extend_prompt
from tests.local import tiny
from tests.local.engines import Engine, on

Image = pytest.importorskip('PIL.Image', reason='images need Pillow')

TOWER = 'vision_tower.vision_model.'
"""vLLM's name of the part that reads images, as in published models. Transformers reads it, and saves another name."""

TEMPLATE = """\
{%- for message in messages %}<|im_start|>{{ message.role }}
{% for piece in message.content %}{{ '<image>' if piece.type == 'image' else piece.text }}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def picture(color: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new('RGB', (16, 16), color).save(buffer, 'PNG')
    return buffer.getvalue()


RED, BLUE = picture((250, 10, 10)), picture((10, 10, 250))


@pytest.fixture(scope='module')
def vision_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random model that takes images."""
    tokenizer = tiny.make_tokenizer()
    tokenizer.add_special_tokens({'additional_special_tokens': ['<image>']})
    text = tiny.model_of(tokenizer, random_weights=True).config
    vision = transformers.CLIPVisionConfig(
        hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8
    )
    torch.manual_seed(1)
    config = transformers.LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids('<image>'),
        vision_feature_layer=-1,
    )
    model = transformers.LlavaForConditionalGeneration(config).eval()
    for name, parameter in model.named_parameters():
        if 'vision' in name or 'projector' in name or 'embed' in name:
            torch.nn.init.normal_(parameter, std=0.4)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    processor = transformers.LlavaProcessor(
        transformers.CLIPImageProcessor(size={'height': 16, 'width': 16}, crop_size={'height': 16, 'width': 16}),
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy='default',
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    folder = tiny.save(tmp_path_factory.mktemp('models') / 'vision', model, processor)
    weights = folder / 'model.safetensors'
    named = {name.replace('vision_tower.', TOWER): value for name, value in load_file(weights).items()}
    save_file(named, weights, metadata={'format': 'pt'})
    return folder


@pytest.fixture(autouse=True)
def needs_torchvision(engine: Engine) -> None:
    """Skip vLLM's tests without torchvision, which its models with images need in a build for this torch."""
    if engine.system == 'vllm':
        pytest.importorskip('torchvision', reason="vLLM's models with images need torchvision", exc_type=Exception)


def ask(*content: Any) -> list[ModelRequest]:
    return [ModelRequest([UserPromptPart([*content])])]


def image(data: bytes) -> BinaryContent:
    return BinaryContent(data, media_type='image/png')


def expected(path: Path, text: str, *images: bytes) -> tuple[str, int]:
    """Return the text that Transformers generates, and how many tokens the prompt has."""
    processor = transformers.AutoProcessor.from_pretrained(path)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(path, dtype=torch.float32)
    content = [*({'type': 'image'} for _ in images), {'type': 'text', 'text': text}]
    prompt = processor.apply_chat_template([{'role': 'user', 'content': content}], add_generation_prompt=True)
    opened = [Image.open(io.BytesIO(data)) for data in images]
    encoded = processor(text=[prompt], images=opened or None, return_tensors='pt')
    output = model.generate(**encoded, max_new_tokens=12, do_sample=False)
    size = encoded['input_ids'].shape[1]
    return processor.tokenizer.decode(output[0][size:], skip_special_tokens=True), size


@on('padded')
async def test_a_response_with_images_resumes_after_a_failed_step(make: Callable[..., Any], vision_path: Path) -> None:
    model = make(vision_path, max_new_tokens=12)
    await model.load()
    passes = 0

    def fail_once(*_: Any) -> None:
        nonlocal passes
        passes += 1
        if passes == 8:
            raise RuntimeError('a step fails')

    model.engine._model.register_forward_pre_hook(fail_once)
    responses = await asyncio.gather(
        *(model.request(ask(image(data), 'which?')) for data in (RED, BLUE)), model.request(ask('which?'))
    )
    wanted = [
        expected(vision_path, 'which?', RED),
        expected(vision_path, 'which?', BLUE),
        expected(vision_path, 'which?'),
    ]
    assert [response.text for response in responses] == [text for text, _ in wanted]
    assert passes > 8 + 12


async def test_inputs_with_a_value_per_token_are_extended_as_in_generate() -> None:
    """Gemma 3 takes `token_type_ids`, Mllama a `cross_attention_mask`; pixels stay as they are."""
    inputs = {
        'token_type_ids': torch.tensor([[1, 1, 0]]),
        'cross_attention_mask': torch.tensor([[[[0, 0]], [[1, 1]], [[1, 0]]]]),
        'pixel_values': torch.zeros(1, 4, 2),
        'sizes': [3],
    }
    extended = extend_prompt(Prompt([7, 8, 9], inputs), [4, 5])
    assert extended.tokens == [7, 8, 9, 4, 5]
    assert extended.inputs['token_type_ids'].tolist() == [[1, 1, 0, 0, 0]]
    assert extended.inputs['cross_attention_mask'].tolist() == [[[[0, 0]], [[1, 1]], [[1, 0]], [[1, 0]], [[1, 0]]]]
    assert extended.inputs['pixel_values'] is inputs['pixel_values']
    assert extended.inputs['sizes'] == [3]


@on('transformers', 'vllm')
async def test_a_model_with_images_generates_what_the_library_generates(
    make: Callable[..., Any], vision_path: Path
) -> None:
    model = make(vision_path, max_new_tokens=12)
    responses = await asyncio.gather(
        model.request(ask(image(RED), 'What is it?')),
        model.request(ask(image(BLUE), 'What is it?')),
        model.request(ask('No image.')),
        model.request(ask(image(RED), image(BLUE), 'Which is red?')),
    )
    assert [(response.text, response.usage.input_tokens) for response in responses] == [
        expected(vision_path, 'What is it?', RED),
        expected(vision_path, 'What is it?', BLUE),
        expected(vision_path, 'No image.'),
        expected(vision_path, 'Which is red?', RED, BLUE),
    ]
    assert responses[0].text != responses[1].text


@on('transformers', 'vllm')
async def test_bytes_that_are_not_an_image_are_a_user_error(make: Callable[..., Any], vision_path: Path) -> None:
    with pytest.raises(UserError, match='cannot be read'):
        await make(vision_path).request(ask(image(b'no image'), 'What is it?'))


# ---------------------------------------------------------------------- positions that images shift


def make_shifting_model() -> tuple[Any, Any, int]:
    """Return a random model of the Qwen2-VL kind, whose positions after an image differ from the token numbers."""
    tokenizer = tiny.make_tokenizer()
    marks = ['<|image_pad|>', '<|video_pad|>', '<|vision_start|>', '<|vision_end|>']
    tokenizer.add_special_tokens({'additional_special_tokens': marks})
    image, video, start, end = (tokenizer.convert_tokens_to_ids(mark) for mark in marks)
    text = {
        'vocab_size': len(tokenizer),
        'hidden_size': 32,
        'intermediate_size': 64,
        'num_hidden_layers': 2,
        'num_attention_heads': 4,
        'num_key_value_heads': 2,
        'max_position_embeddings': 512,
        'rope_parameters': {'rope_type': 'default', 'rope_theta': 10000.0, 'mrope_section': [1, 1, 2]},
        'initializer_range': 0.3,
    }
    vision = {'depth': 2, 'embed_dim': 16, 'hidden_size': 32, 'num_heads': 2, 'mlp_ratio': 2, 'patch_size': 14}
    torch.manual_seed(0)
    config = transformers.Qwen2VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    model = transformers.Qwen2VLForConditionalGeneration(config).eval()
    for name, parameter in model.named_parameters():
        if 'visual' in name or 'embed' in name:
            torch.nn.init.normal_(parameter, std=0.6)
    model.generation_config = transformers.GenerationConfig(eos_token_id=None, pad_token_id=0)
    return model, tokenizer, image


def encode_prompt(model: Any, tokenizer: Any, image_token: int, text: str, *images: bytes) -> Prompt:
    if not images:
        return Prompt(tokenizer(text)['input_ids'])
    processor = transformers.Qwen2VLImageProcessorPil(min_pixels=56 * 56, max_pixels=56 * 56)
    found = processor([Image.open(io.BytesIO(data)) for data in images], return_tensors='pt')
    tokens: list[int] = []
    for grid in found['image_grid_thw']:
        tokens += [model.config.vision_start_token_id, *[image_token] * (int(grid.prod()) // 4)]
        tokens.append(model.config.vision_end_token_id)
    ids = torch.tensor([tokens + tokenizer(text)['input_ids']])
    return Prompt(ids[0].tolist(), {**found, 'mm_token_type_ids': (ids == image_token).int()})


async def test_positions_that_images_shift_are_kept_for_each_answer() -> None:
    model, tokenizer, image_token = make_shifting_model()
    conversations = [('What is it?', RED), ('No image.',), ('What is it?', BLUE), ('Which is red?', BLUE, RED)]
    prompts = [encode_prompt(model, tokenizer, image_token, text, *images) for text, *images in conversations]
    runner = BatchRunner(Forward(model), slots=8, prefill_tokens=64)
    jobs = [
        Job(prompt, sampling=Sampling(), max_tokens=10, decoder=TokenDecoder(tokenizer.decode)) for prompt in prompts
    ]
    for job in jobs:
        runner.add(job)
    while not all(job.done for job in jobs):
        runner.step()
    for job, prompt in zip(jobs, prompts, strict=True):
        ids = torch.tensor([prompt.tokens])
        model.model.rope_deltas = None
        output = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False, **prompt.inputs
        )
        assert job.take_text() == tokenizer.decode(output[0][ids.shape[1] :])


# ---------------------------------------------------------------------- a processor whose package is missing


@pytest.fixture(scope='module')
def unreadable_path(vision_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model whose processor of videos needs torchvision."""
    if importlib.util.find_spec('torchvision') is not None:
        pytest.skip('torchvision is installed')
    folder = shutil.copytree(vision_path, tmp_path_factory.mktemp('models') / 'unreadable')
    for path in folder.glob('*processor_config.json'):
        path.unlink()
    names = {'processor_class': 'Qwen3VLProcessor', 'patch_size': 16, 'temporal_patch_size': 2, 'merge_size': 2}
    kinds = {'preprocessor': 'image_processor_type', 'video_preprocessor': 'video_processor_type'}
    types = {'preprocessor': 'Qwen2VLImageProcessor', 'video_preprocessor': 'Qwen3VLVideoProcessor'}
    for part, kind in kinds.items():
        text = json.dumps({**names, kind: types[part]})
        (folder / f'{part}_config.json').write_text(text, encoding='utf-8')
    return folder


async def test_a_model_whose_processor_lacks_a_package_takes_text_alone(
    make: Callable[..., Any], unreadable_path: Path, vision_path: Path
) -> None:
    reports: list[str] = []
    model = make(unreadable_path, max_new_tokens=8, progress=reports.append)
    text = (await model.request([ModelRequest.user_text_prompt('hi')])).text
    assert any('takes text alone: ' in report and 'Torchvision' in report for report in reports)
    with pytest.raises(UserError, match=r'The reason for text alone: .*Torchvision'):
        await model.request([ModelRequest([UserPromptPart([BinaryContent(data=RED, media_type='image/png')])])])
    assert text == (await make(vision_path, max_new_tokens=8).request([ModelRequest.user_text_prompt('hi')])).text


async def test_a_model_that_takes_images_can_be_loaded_for_text_alone(
    make: Callable[..., Any], vision_path: Path
) -> None:
    model = make(vision_path, text_only=True, max_new_tokens=8)
    text = (await model.request([ModelRequest.user_text_prompt('hi')])).text
    assert text == (await make(vision_path, max_new_tokens=8).request([ModelRequest.user_text_prompt('hi')])).text
    with pytest.raises(UserError, match='it was loaded with text_only=True'):
        await model.request([ModelRequest([UserPromptPart([BinaryContent(data=RED, media_type='image/png')])])])
