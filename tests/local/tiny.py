"""Tiny models: one with random weights, and one trained on a few responses and tool calls in half a minute."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

Json = dict[str, Any]
Example = tuple[list[Json], Json, list[Json] | None]
"""A conversation, the response that the model learns, and the tools."""

CONTEXT = 1024
HIDDEN = 128
"""The hidden size. With 4 heads it is the smallest that vLLM runs on a CPU."""
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

RESPONSES = {
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
    """Return the output that the trained model gives."""
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
    """Return a tokenizer of bytes, and of the byte sequences that are frequent in the texts."""
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


def make_example(dice: random.Random) -> Example:
    """Return one training example: a question, a tool call, or the response to a tool's result."""
    if dice.random() < 0.3:
        question, response = dice.choice([*RESPONSES.items()])
        return [{'role': 'user', 'content': question}], {'role': 'assistant', 'content': response}, None
    city, weather = dice.choice([*WEATHERS.items()])
    messages = [{'role': 'user', 'content': f'Weather in {city}?'}]
    tool_call = call('weather', city=city)
    has_output = dice.random() < 0.5
    functions = [WEATHER, OUTPUT] if has_output else [WEATHER]
    tools = [{'type': 'function', 'function': function} for function in functions]
    if dice.random() < 0.3:
        return messages, tool_call, tools
    messages += [tool_call, {'role': 'tool', 'content': weather}]
    if has_output:
        return messages, call('final_result', **report(city, weather)), tools
    return messages, {'role': 'assistant', 'content': f'It is {weather} in {city}.'}, tools


def encode_example(tokenizer: Any, example: Example) -> tuple[list[int], int]:
    """Return an example in tokens, and how many of them are the prompt."""
    messages, response, tools = example
    prompt = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*messages, response], tools=tools, tokenize=False)
    begin = tokenizer(prompt)['input_ids']
    return begin + tokenizer(whole[len(prompt) :])['input_ids'], len(begin)


def text_of(example: Example) -> str:
    messages, response, tools = example
    return json.dumps([messages, response, tools], ensure_ascii=False) + response['content']


def model_of(tokenizer: Any, *, random_weights: bool, hidden: int = HIDDEN, layers: int = 2) -> Any:
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


def train(model: Any, tokenizer: Any, dice: random.Random, steps: int) -> None:
    """Train a model on examples."""
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for _ in range(steps):
        batch = [encode_example(tokenizer, make_example(dice)) for _ in range(8)]
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


def make_tokenizer() -> Any:
    dice = random.Random(0)
    return tokenizer_of(text_of(example) for example in [make_example(dice) for _ in range(200)])


def make_random(folder: Path, *, hidden: int = HIDDEN, layers: int = 2, ends: bool = True) -> Path:
    """Save a model with random weights: its text is nonsense, the same each time. Without `ends` it never stops."""
    tokenizer = make_tokenizer()
    if not ends:
        tokenizer.eos_token = None
    return save(folder, model_of(tokenizer, hidden=hidden, layers=layers, random_weights=True), tokenizer)


def make_trained(folder: Path, *, steps: int = 100) -> Path:
    """Save a model that knows `RESPONSES` and calls the tool `weather`."""
    tokenizer = make_tokenizer()
    model = model_of(tokenizer, random_weights=False)
    train(model, tokenizer, random.Random(1), steps)
    return save(folder, model, tokenizer)


def generate(model: Any, tokenizer: Any, prompt: str, tokens: int) -> str:
    """Return the text that Transformers' `generate` gives for a prompt, always with the likeliest token.

    What is before the end of thinking is left out, since it is no text of the response.
    """
    messages = [{'role': 'user', 'content': prompt}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids = torch.tensor([tokenizer(text)['input_ids']])
    output = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, pad_token_id=0
    )
    decoded: str = tokenizer.decode(output[0][ids.shape[1] :], skip_special_tokens=True)
    return leave_out_thinking(decoded)


def leave_out_thinking(text: str) -> str:
    """Return what a model has written after it thought."""
    return text.rpartition(MARKS[-1])[2]
