"""Tiny models, made here: one that is random, and one that was taught a few answers and tool calls in half a minute."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

Json = dict[str, Any]
Lesson = tuple[list[Json], Json, list[Json] | None]
"""A conversation, what the model shall say to it, and the tools."""

CONTEXT = 1024
SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
MARKS = ['<tool_call>', '</tool_call>', '<think>', '</think>']

TEMPLATE = """\
{%- if tools %}<|im_start|>system
{% for tool in tools %}{{ tool.function | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}{% for call in message.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

ANSWERS = {
    'Say hi.': 'Hello! How can I help you?',
    'Where is Oslo?': 'Oslo is the capital of Norway, at the end of a long fjord.',
    'Say it in Chinese.': '你好,世界 🙂',
}

WEATHER = {
    'name': 'weather',
    'description': 'Tell the weather in a city.',
    'parameters': {
        'additionalProperties': False,
        'properties': {'city': {'type': 'string'}},
        'required': ['city'],
        'type': 'object',
    },
}
WEATHERS = {'Oslo': 'rainy'}


def report(city: str, weather: str) -> Json:
    """What the taught model gives as its output."""
    return {'city': city, 'weather': weather}


OUTPUT = {
    'name': 'final_result',
    'description': 'Give the final answer. The conversation ends with it.',
    'parameters': {
        'properties': {'city': {'type': 'string'}, 'weather': {'type': 'string'}},
        'required': ['city', 'weather'],
        'type': 'object',
    },
}


def tokenizer_of(texts: Iterator[str], *, size: int = 600) -> Any:
    """A tokenizer of bytes and of what is frequent in the texts."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False),
    )
    bpe.add_tokens(MARKS)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token='<|im_end|>', pad_token='<|endoftext|>', model_max_length=CONTEXT
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def call(name: str, **arguments: Any) -> Json:
    function = {'name': name, 'arguments': arguments}
    return {'role': 'assistant', 'content': '', 'tool_calls': [{'type': 'function', 'function': function}]}


def lesson(dice: random.Random) -> Lesson:
    """One of the things that the model is taught."""
    if dice.random() < 0.3:
        question, answer = dice.choice([*ANSWERS.items()])
        return [{'role': 'user', 'content': question}], {'role': 'assistant', 'content': answer}, None
    city, weather = dice.choice([*WEATHERS.items()])
    messages = [{'role': 'user', 'content': f'Weather in {city}?'}]
    asked = call('weather', city=city)
    structured = dice.random() < 0.5
    functions = [WEATHER, OUTPUT] if structured else [WEATHER]
    tools = [{'type': 'function', 'function': function} for function in functions]
    if dice.random() < 0.3:
        return messages, asked, tools
    messages += [asked, {'role': 'tool', 'content': weather}]
    if structured:
        return messages, call('final_result', **report(city, weather)), tools
    return messages, {'role': 'assistant', 'content': f'It is {weather} in {city}.'}, tools


def tokens_of(tokenizer: Any, taught: Lesson) -> tuple[list[int], int]:
    """A lesson in tokens, and how many of them are the prompt."""
    messages, answer, tools = taught
    prompt = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*messages, answer], tools=tools, tokenize=False)
    begin = tokenizer(prompt)['input_ids']
    return begin + tokenizer(whole[len(prompt) :])['input_ids'], len(begin)


def text_of(taught: Lesson) -> str:
    messages, answer, tools = taught
    return json.dumps([messages, answer, tools], ensure_ascii=False) + answer['content']


def model_of(tokenizer: Any, *, hidden: int, layers: int, random_weights: bool) -> Any:
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
        initializer_range=0.3 if random_weights else 0.02,
    )
    model = transformers.Qwen2ForCausalLM(config)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model.eval()


def teach(model: Any, tokenizer: Any, dice: random.Random, steps: int) -> None:
    """Train a model on lessons."""
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for _ in range(steps):
        batch = [tokens_of(tokenizer, lesson(dice)) for _ in range(8)]
        width = max(len(tokens) for tokens, _ in batch)
        ids = torch.tensor([tokens + [0] * (width - len(tokens)) for tokens, _ in batch])
        labels = torch.tensor(
            [[-100] * begin + tokens[begin:] + [-100] * (width - len(tokens)) for tokens, begin in batch]
        )
        mask = torch.tensor([[1] * len(tokens) + [0] * (width - len(tokens)) for tokens, _ in batch])
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()


def save(folder: Path, *parts: Any) -> Path:
    for part in parts:
        part.save_pretrained(folder)
    return folder


def lessons(dice: random.Random, count: int) -> Sequence[Lesson]:
    return [lesson(dice) for _ in range(count)]


def make_tokenizer() -> Any:
    return tokenizer_of(text_of(taught) for taught in lessons(random.Random(0), 200))


def make_random(folder: Path, *, hidden: int = 32, layers: int = 2, ends: bool = True) -> Path:
    """A folder with a random model. It writes nonsense, the same each time; without `ends` it never stops."""
    tokenizer = make_tokenizer()
    if not ends:
        tokenizer.eos_token = None
    return save(folder, model_of(tokenizer, hidden=hidden, layers=layers, random_weights=True), tokenizer)


def make_taught(folder: Path, *, steps: int = 100) -> Path:
    """A folder with a model that knows `ANSWERS` and asks the tool `weather`."""
    dice = random.Random(1)
    tokenizer = make_tokenizer()
    model = model_of(tokenizer, hidden=96, layers=2, random_weights=False)
    teach(model, tokenizer, dice, steps)
    return save(folder, model, tokenizer)
