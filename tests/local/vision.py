"""Families of models that take images, each as a tiny random model, in each way to generate text with images.

`python -m tests.local.vision` prints the table, and `--write` puts it into the documentation. The images are made as
the processors of the library encode them, since some of those need more packages.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import transformers as library

from pydantic_llm.models.local import Job, Prompt, Sampling
from pydantic_llm.models.local.isolation import IsolatingRunner
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.models.transformers import TransformersModel
from pydantic_llm.models.transformers.engine import TransformersEngine
from tests.local import tiny, tiny_configs
from tests.local.families import build_model, make_tokenizer
from tests.local.matrix import PAGE, RIGHT, Bench, _find_mode, run_jobs

__all__ = ('COLUMNS', 'VISION', 'make_row', 'run_vision')

COLUMNS = ('alone', 'batch', 'joining', 'pieces', 'prefix cache')

TOKENS = 10
SIZE = len(make_tokenizer())
IMAGE, VIDEO, START, END = range(SIZE - 4, SIZE)
"""The tokens of images, which no text has."""

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Vision:
    """A family of models that take images."""

    model_type: str
    models: str
    count: Callable[[Any, int], int]
    """(the configuration, an image) -> the number of its tokens."""
    encode: Callable[[Any, Sequence[int], Sequence[int]], Inputs]
    """(the configuration, the tokens of a prompt, its images) -> the inputs of the model."""
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """Values of its configurations, by their type."""


def draw(image: int, *shape: int) -> Any:
    """Return the pixels of an image: noise whose seed is its number."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(image)) * 3


def draw_squares(images: Sequence[int], size: int) -> Any:
    return torch.stack([draw(image, 3, size, size) for image in images])


def mark_images(tokens: Sequence[int]) -> Any:
    return (torch.tensor([tokens]) == IMAGE).int()


def encode_grids(config: Any, tokens: Sequence[int], images: Sequence[int]) -> Inputs:
    """Encode images as the Qwen-VL kind takes them: patches, and a grid of patches for each image."""
    vision = config.vision_config
    merge, patch = vision.spatial_merge_size, vision.patch_size
    grids = [(1, 2 * merge, (2 + image % 2) * merge) for image in images]
    size = 3 * vision.temporal_patch_size * patch * patch
    pixels = torch.cat(
        [draw(image, height * width, size) for image, (_, height, width) in zip(images, grids, strict=True)]
    )
    return {
        'pixel_values': pixels,
        'image_grid_thw': torch.tensor(grids),
        'mm_token_type_ids': mark_images(tokens),
    }


def encode_tiles(config: Any, tokens: Sequence[int], images: Sequence[int]) -> Inputs:
    """Encode images as Mllama takes them: up to two tiles each, and a mask of the tiles that a token can look at."""
    tiles = [1 + image % 2 for image in images]
    mask = torch.zeros(1, len(tokens), len(images), 2, dtype=torch.long)
    places = [place for place, token in enumerate(tokens) if token == IMAGE]
    for number, (place, count) in enumerate(zip(places, tiles, strict=True)):
        mask[0, place:, number, :count] = 1
    return {
        'pixel_values': torch.stack([draw(image, 2, 3, 16, 16) for image in images]).unsqueeze(0),
        'aspect_ratio_ids': torch.tensor([tiles]),
        'aspect_ratio_mask': torch.tensor([[[1, count - 1] for count in tiles]]),
        'cross_attention_mask': mask,
    }


def encode_masked(config: Any, tokens: Sequence[int], images: Sequence[int]) -> Inputs:
    mask = torch.ones(1, len(images), 192, 192, dtype=torch.bool)
    return {'pixel_values': draw_squares(images, 192).unsqueeze(0), 'pixel_attention_mask': mask}


def encode_shapes(config: Any, tokens: Sequence[int], images: Sequence[int]) -> Inputs:
    return {
        'pixel_values': torch.stack([draw(image, 16, 3 * 16 * 16) for image in images]),
        'spatial_shapes': torch.tensor([[4, 4] for _ in images]),
        'pixel_attention_mask': torch.ones(len(images), 16, dtype=torch.long),
    }


def encode_positions(config: Any, tokens: Sequence[int], images: Sequence[int]) -> Inputs:
    positions = torch.tensor([[[column, row] for row in range(6) for column in range(6)] for _ in images])
    return {
        'pixel_values': torch.stack([draw(image, 36, 3 * 16 * 16).sigmoid() for image in images]),
        'image_position_ids': positions,
        'mm_token_type_ids': mark_images(tokens),
    }


def count_merged(config: Any, image: int) -> int:
    return 2 * (2 + image % 2)


GRIDS: Mapping[str, Any] = {
    'image_token_id': IMAGE,
    'video_token_id': VIDEO,
    'vision_start_token_id': START,
    'vision_end_token_id': END,
}
DEEPSTACK = {'out_hidden_size': 32, 'num_position_embeddings': 64, 'deepstack_visual_indexes': [0, 1]}
TILES = {
    'image_size': 16,
    'patch_size': 8,
    'max_num_tiles': 2,
    'num_global_layers': 1,
    'intermediate_layers_indices': [0, 1],
    'supported_aspect_ratios': [[1, 1], [1, 2], [2, 1]],
    'vision_output_dim': 96,
    'attention_heads': 4,
}
IMAGE_INDEX = {'image_token_index': IMAGE, 'image_token_id': IMAGE, 'vision_feature_layer': -1}

VISION: dict[str, Vision] = {
    'Mllama': Vision(
        'mllama',
        'Llama 3.2 Vision',
        lambda config, image: 1,
        encode_tiles,
        {'mllama': {'image_token_index': IMAGE}, 'mllama_vision_model': TILES},
    ),
    'Qwen2-VL': Vision(
        'qwen2_vl',
        'Qwen 2 VL',
        count_merged,
        encode_grids,
        {'qwen2_vl': GRIDS, 'qwen2_vl_vision': {'hidden_size': 32, 'embed_dim': 32, 'depth': 2}},
    ),
    'Qwen2.5-VL': Vision(
        'qwen2_5_vl',
        'Qwen 2.5 VL',
        count_merged,
        encode_grids,
        {
            'qwen2_5_vl': GRIDS,
            'qwen2_5_vl_vision': {'out_hidden_size': 32, 'fullatt_block_indexes': [1], 'window_size': 56},
        },
    ),
    'Qwen3-VL': Vision(
        'qwen3_vl', 'Qwen 3 VL', count_merged, encode_grids, {'qwen3_vl': GRIDS, 'qwen3_vl_vision': DEEPSTACK}
    ),
    'Qwen3.5': Vision(
        'qwen3_5', 'Qwen 3.5 and 3.6', count_merged, encode_grids, {'qwen3_5': GRIDS, 'qwen3_5_vision': DEEPSTACK}
    ),
    'Gemma 4': Vision(
        'gemma4',
        'Gemma 4',
        lambda config, image: 4,
        encode_positions,
        {'gemma4': {'image_token_id': IMAGE, 'video_token_id': VIDEO, 'audio_token_id': 0}},
    ),
    'Llava': Vision(
        'llava',
        'Llava 1.5',
        lambda config, image: (224 // 32) ** 2,
        lambda config, tokens, images: {'pixel_values': draw_squares(images, 224)},
        {'llava': IMAGE_INDEX},
    ),
    'Mistral 3': Vision(
        'mistral3',
        'Mistral Small 3.1 (Pixtral)',
        lambda config, image: 4,
        lambda config, tokens, images: {
            'pixel_values': draw_squares(images, 64),
            'image_sizes': torch.tensor([[64, 64] for _ in images]),
        },
        {'mistral3': {**IMAGE_INDEX, 'spatial_merge_size': 2}},
    ),
    'Idefics 3': Vision(
        'idefics3',
        'Idefics 3',
        lambda config, image: 9,
        encode_masked,
        {'idefics3': {'image_token_id': IMAGE, 'scale_factor': 2}},
    ),
    'SmolVLM': Vision(
        'smolvlm',
        'SmolVLM 1 and 2',
        lambda config, image: 9,
        encode_masked,
        {'smolvlm': {'image_token_id': IMAGE, 'scale_factor': 2}},
    ),
    'InternVL': Vision(
        'internvl',
        'InternVL 3',
        lambda config, image: (448 // 14 // 2) ** 2,
        lambda config, tokens, images: {'pixel_values': draw_squares(images, 448)},
        {'internvl': {'image_token_id': IMAGE, 'vision_feature_layer': -1, 'downsample_ratio': 0.5}},
    ),
    'LFM2-VL': Vision(
        'lfm2_vl', 'LFM2-VL', lambda config, image: 4, encode_shapes, {'lfm2_vl': {'image_token_id': IMAGE}}
    ),
}
"""The families by their usual name."""


def build(vision: Vision) -> Any:
    """Return a tiny model whose text depends on the images."""
    with mock.patch.dict(tiny_configs.OVERRIDES, {**tiny_configs.OVERRIDES, **vision.values}):
        model = build_model(vision.model_type, SIZE)
    model.generation_config = library.GenerationConfig(eos_token_id=None, pad_token_id=0)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if 'gate' in key and weight.dim() < 2:
                weight.fill_(2.0)  # those of Mllama are closed at first
            if any(part in key for part in ('projector', 'projection', 'connector')) and weight.dim() >= 2:
                weight.mul_(5)
    return model


async def load(model: Any, folder: Path) -> Bench:
    """Return a model that an engine runs, with its limits."""
    tiny.save(folder, model, make_tokenizer())
    local = TransformersModel(folder, torch_dtype='float32', batching='padded', text_only=True)
    await local.load()
    engine = local.engine
    assert isinstance(engine, TransformersEngine)
    assert engine.loaded is not None
    # Without a processor, some of these are loaded as another class, for text alone.
    engine._model, engine._limits, engine._tested_prefixes = model, None, False
    engine.make_runner(engine.loaded)
    bench = Bench(local, engine)
    bench.size = IMAGE
    return bench


@dataclass
class Questions:
    """Prompts with and without images, and the tokens of bare `generate`."""

    vision: Vision
    bench: Bench

    def __post_init__(self) -> None:
        self.prompts = [
            self._make_prompt(9, 1),
            self._make_prompt(5),
            self._make_prompt(9, 2),  # the same text with another image
            self._make_prompt(40, 2, 3),
            self._make_prompt(40, 3, 2),  # the same text with the images in another order
            self._make_prompt(14),
        ]
        self.expected = [self._generate(prompt) for prompt in self.prompts]

    def _make_prompt(self, length: int, *images: int) -> Prompt:
        config, text = self.bench.engine._model.config, self.bench.make_tokens(length)
        if not images:
            return Prompt(text)
        # The images follow more than a block of text, which other prompts have too.
        tokens = text[: length - 3]
        for image in images:
            tokens = [*tokens, START, *[IMAGE] * self.vision.count(config, image), END]
        tokens += text[length - 3 :]
        return Prompt(tokens, self.vision.encode(config, tokens, images))

    def _generate(self, prompt: Prompt) -> list[int]:
        model, ids = self.bench.engine._model, torch.tensor([prompt.tokens])
        for part in (model, model.model):
            if hasattr(part, 'rope_deltas'):
                part.rope_deltas = None
        options: Any = {'max_new_tokens': TOKENS, 'do_sample': False, 'eos_token_id': None, 'pad_token_id': 0}
        output = model.generate(ids, attention_mask=torch.ones_like(ids), **options, **prompt.inputs)
        found: list[int] = output[0][len(prompt.tokens) :].tolist()
        return found

    def run(self, runner: IsolatingRunner, *numbers: int, steps_between: int = 0) -> str:
        """Run these prompts, all if there are none. Return `RIGHT`, or what is wrong."""
        chosen = numbers or range(len(self.prompts))
        jobs = [
            Job(self.prompts[number], sampling=Sampling(), max_tokens=TOKENS, decoder=TokenDecoder(lambda tokens: ''))
            for number in chosen
        ]
        run_jobs(runner, jobs, steps_between=steps_between)
        for number, job in zip(chosen, jobs, strict=True):
            if job.error is not None:
                return f'{job.error}'
            if job.tokens != self.expected[number]:
                return f'prompt {number}: {job.tokens}, not {self.expected[number]}'
        return RIGHT


def run_vision(name: str, folder: Path) -> tuple[str, dict[str, str]]:
    """Return how responses of a family are run, and what is found in each column."""
    vision = VISION[name]
    bench = asyncio.run(load(build(vision), folder))
    questions = Questions(vision, bench)
    forward = bench.engine._make_forward()
    with forward.without_gradients():
        one, other = (forward.read_whole(questions.prompts[number]) for number in (0, 2))
    assert (one - other).abs().max() > 0.01, 'the logits do not depend on the image'
    runner = bench.make_runner()
    cells = {
        'alone': questions.run(runner, 2),
        'batch': questions.run(bench.make_runner()),
        'joining': questions.run(bench.make_runner(), steps_between=2),
        'pieces': questions.run(bench.make_runner(prefill_tokens=6), steps_between=1),
        'prefix cache': next((cell for number in (3, 4, 5) if (cell := questions.run(runner, number)) != RIGHT), RIGHT),
    }
    return _find_mode(bench.engine), cells


def make_row(name: str, mode: str, cells: Mapping[str, str]) -> str:
    return f'| {name} | {VISION[name].models} | {mode} | {" | ".join(cells[column] for column in COLUMNS)} |'


HEAD = f'| family with images | models | responses run | {" | ".join(COLUMNS)} |'


def write_page(rows: Sequence[str]) -> None:
    """Put the table into the page, in place of the one that is there."""
    page = PAGE.read_text(encoding='utf-8')
    before, _, rest = page.partition(f'\n{HEAD}')
    _, _, after = rest.partition('\n\n')
    line = f'| --- | --- | --- | {" | ".join("---" for _ in COLUMNS)} |'
    PAGE.write_text('\n'.join([before, HEAD, line, *rows, '', after]), encoding='utf-8')


if __name__ == '__main__':
    found: list[str] = []
    for each in VISION:
        with tempfile.TemporaryDirectory() as temporary:
            found.append(make_row(each, *run_vision(each, Path(temporary))))
        print(found[-1], flush=True)  # noqa: T201 -- a program
    if '--write' in sys.argv:
        write_page(found)
