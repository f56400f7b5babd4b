"""A model that sees, in vLLM: its answers to images are those of Transformers' `generate`."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import BinaryContent, ModelRequest, UserPromptPart
from pydantic_llm.models.vllm import VLLMModel
from tests.local.vllm_library import HEADS, KWARGS, tiny

pytest.importorskip(
    'torchvision',
    reason="vLLM's models that see need torchvision, in a build for the torch that is here",
    exc_type=Exception,
)

# vLLM and what it imports warn of one another.
pytestmark = pytest.mark.filterwarnings('ignore')

TOWER = 'vision_tower.vision_model.'
"""What vLLM calls the part that sees, as published models do. Transformers reads that too, and writes another name."""

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
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random model that sees."""
    tokenizer = tiny.make_tokenizer()
    tokenizer.add_special_tokens({'additional_special_tokens': ['<image>']})
    text = tiny.model_of(tokenizer, hidden=HEADS, layers=2, random_weights=True).config
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
    folder = tiny.save(tmp_path_factory.mktemp('models') / 'seeing', model, processor)
    weights = folder / 'model.safetensors'
    named = {name.replace('vision_tower.', TOWER): value for name, value in load_file(weights).items()}
    save_file(named, weights, metadata={'format': 'pt'})
    return folder


@pytest.fixture(scope='module')
def model(seeing: Path) -> Iterator[VLLMModel]:
    model = VLLMModel(seeing, model_kwargs=KWARGS, max_new_tokens=12)
    yield model
    model.cleanup()


def ask(*content: Any) -> list[ModelRequest]:
    return [ModelRequest([UserPromptPart([*content])])]


def image(data: bytes) -> BinaryContent:
    return BinaryContent(data, media_type='image/png')


def bare(path: Path, text: str, *images: bytes) -> tuple[str, int]:
    """What Transformers writes, and how many tokens it read."""
    processor = transformers.AutoProcessor.from_pretrained(path)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(path, dtype=torch.float32)
    content = [*({'type': 'image'} for _ in images), {'type': 'text', 'text': text}]
    prompt = processor.apply_chat_template([{'role': 'user', 'content': content}], add_generation_prompt=True)
    pictures = [Image.open(io.BytesIO(data)) for data in images]
    found = processor(text=[prompt], images=pictures or None, return_tensors='pt')
    output = model.generate(**found, max_new_tokens=12, do_sample=False)
    size = found['input_ids'].shape[1]
    return processor.tokenizer.decode(output[0][size:], skip_special_tokens=True), size


async def test_a_model_that_sees_answers_as_generate_does(model: VLLMModel, seeing: Path) -> None:
    answers = await asyncio.gather(
        model.request(ask(image(RED), 'What is it?')),
        model.request(ask(image(BLUE), 'What is it?')),
        model.request(ask('No picture.')),
        model.request(ask(image(RED), image(BLUE), 'Which is red?')),
    )
    assert [(answer.text, answer.usage.input_tokens) for answer in answers] == [
        bare(seeing, 'What is it?', RED),
        bare(seeing, 'What is it?', BLUE),
        bare(seeing, 'No picture.'),
        bare(seeing, 'Which is red?', RED, BLUE),
    ]
    assert answers[0].text != answers[1].text


async def test_what_is_no_picture_is_a_user_error(model: VLLMModel) -> None:
    with pytest.raises(UserError, match='cannot be read'):
        await model.request(ask(image(b'no picture'), 'What is it?'))
