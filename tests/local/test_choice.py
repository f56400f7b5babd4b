"""How the engines choose tokens: settings of each request, seeds, and constraints that always hold."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import jsonschema
import pytest
import torch
import transformers

from pydantic_llm.constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from pydantic_llm.exceptions import UserError
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.local import Job, Prompt, Sampling
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.tools.definition import ToolDefinition
from tests.local.engines import Engine, ask, on

LOGITS = [2.0, 1.0, 0.5, 0.0, -1.0, -3.0]
DRAWS = 4000


def draw(engine: Engine, sampling: Sampling) -> list[int]:
    """Draw many tokens from the same logits."""
    if engine.system == 'mlx':
        import mlx.core as mx

        from pydantic_llm.models.mlx.choose import draw as draw_with_mlx

        tokens: list[int] = draw_with_mlx(sampling, Random(5), mx.repeat(mx.array([LOGITS]), DRAWS, axis=0)).tolist()
        return tokens
    if engine.system == 'llamacpp-local':
        import numpy as np

        from pydantic_llm.models.llamacpp.choose import draw as draw_with_numpy

        numbers, logits = Random(5), np.array(LOGITS, dtype=np.float32)
        return [draw_with_numpy(logits, sampling, numbers.random()) for _ in range(DRAWS)]
    from pydantic_llm.models.transformers.choose import choose
    from pydantic_llm.models.transformers.rows import Row

    job = Job(Prompt([1, 2]), sampling=sampling, max_tokens=100, decoder=TokenDecoder(lambda tokens: ''))
    return choose(torch.tensor([LOGITS]).repeat(DRAWS, 1), [Row(job)] * DRAWS)


def probabilities(*processors: Any) -> dict[int, float]:
    """Return the probability of each token after Transformers' own processors."""
    scores = torch.tensor([LOGITS])
    for processor in processors:
        scores = processor(torch.tensor([[1, 2]]), scores)
    return {token: p for token, p in enumerate(scores.softmax(-1)[0].tolist()) if p > 0}


@on('transformers', 'mlx', 'llamacpp')
@pytest.mark.parametrize(
    ('sampling', 'processors'),
    [
        ({}, []),
        ({'temperature': 0.5}, [transformers.TemperatureLogitsWarper(0.5)]),
        ({'top_k': 3}, [transformers.TopKLogitsWarper(3)]),
        ({'top_p': 0.8}, [transformers.TopPLogitsWarper(0.8)]),
        ({'min_p': 0.2}, [transformers.MinPLogitsWarper(0.2)]),
        ({'top_k': 4, 'top_p': 0.7}, [transformers.TopKLogitsWarper(4), transformers.TopPLogitsWarper(0.7)]),
        ({'top_k': 4, 'min_p': 0.3}, [transformers.TopKLogitsWarper(4), transformers.MinPLogitsWarper(0.3)]),
        ({'top_p': 0.9, 'min_p': 0.3}, [transformers.TopPLogitsWarper(0.9), transformers.MinPLogitsWarper(0.3)]),
    ],
)
async def test_tokens_are_drawn_as_transformers_draws_them(
    engine: Engine, sampling: dict[str, Any], processors: list[Any]
) -> None:
    counts = Counter(draw(engine, Sampling(**{'temperature': 1.0, 'seed': 5, **sampling})))
    ours = {token: counts[token] / DRAWS for token in sorted(counts)}
    theirs = probabilities(*processors)
    assert ours.keys() == {token for token, share in theirs.items() if share > 0.001 or token in ours}
    assert ours == pytest.approx({token: theirs[token] for token in ours}, abs=0.03)


@on('padded', 'paged', 'mlx', 'llamacpp', 'vllm')
async def test_a_seed_gives_the_same_response_in_any_batch(make: Callable[..., Any], engine: Engine) -> None:
    model = make(max_new_tokens=24)
    filters = {f'{engine.prefix}min_p': 0.01, 'top_k': 50}
    settings = {'temperature': 1.0, 'seed': 7}
    for own, of_others in ((filters, {}), ({}, filters)):
        alone = (await model.request(ask('Choose.'), {**settings, **own})).text
        others = [model.request(ask(f'hi {number}'), {'temperature': 1.5, **of_others}) for number in range(7)]
        together, *_ = await asyncio.gather(model.request(ask('Choose.'), {**settings, **own}), *others)
        assert together.text == alone
    assert (await model.request(ask('Choose.'), {**settings, 'seed': 8})).text != alone


@on('transformers', 'mlx', 'llamacpp')
async def test_responses_without_a_seed_differ(make: Callable[..., Any]) -> None:
    model = make(max_new_tokens=16)
    responses = await asyncio.gather(*(model.request(ask(), {'temperature': 1.0}) for _ in range(6)))
    assert len({response.text for response in responses}) == 6


@on('padded', 'paged', 'mlx', 'llamacpp')
async def test_settings_at_their_limits_do_not_break_the_engine(make: Callable[..., Any], engine: Engine) -> None:
    model = make(max_new_tokens=4)
    min_p, repetition_penalty = f'{engine.prefix}min_p', f'{engine.prefix}repetition_penalty'
    likeliest: list[Any] = [
        {'temperature': 1e-9, 'seed': 1},
        {'temperature': 1e-300},
        {'top_p': 1e-9},
        {min_p: 1.0},
        {min_p: 1.0, 'top_p': 0.5},
        {'temperature': 1.0, 'top_k': 1, 'top_p': 1.0},
    ]
    others: list[Any] = [
        {'temperature': 1.0, 'top_k': 10**9},
        {'temperature': 1e9},
        {'temperature': 1.0, 'seed': -5},
        {'temperature': 1.0, 'seed': 2**70},
        {'logit_bias': {'3': -100, '4': 100}},
        {'presence_penalty': 2.0, 'frequency_penalty': -2.0},
        {repetition_penalty: 1.3},
    ]
    responses = await asyncio.gather(*(model.request(ask(), settings) for settings in [*likeliest, *others]))
    assert all(response.usage.output_tokens >= 1 for response in responses)
    plain = (await model.request(ask())).text
    assert [response.text for response in responses[: len(likeliest)]] == [plain] * len(likeliest)


@on('transformers', 'mlx', 'llamacpp')
async def test_settings_of_a_request_win_over_those_of_the_model(make: Callable[..., Any]) -> None:
    model = make(settings={'max_tokens': 3, 'temperature': 0.0})
    assert (await model.request(ask())).usage.output_tokens == 3
    assert (await model.request(ask(), {'max_tokens': 5})).usage.output_tokens == 5


# ---------------------------------------------------------------------- constraints

HOME: dict[str, Any] = {
    'type': 'object',
    'properties': {'floor': {'type': 'integer', 'minimum': -2, 'maximum': 9}},
    'required': ['floor'],
    'additionalProperties': False,
}
PERSON: dict[str, Any] = {
    'type': 'object',
    'properties': {
        'name': {'type': 'string', 'maxLength': 8},
        'age': {'type': 'integer', 'minimum': 0, 'maximum': 120},
        'tags': {'type': 'array', 'items': {'enum': ['a', 'b']}, 'maxItems': 3},
        'home': {'$ref': '#/$defs/Home'},
    },
    'required': ['name', 'age', 'tags', 'home'],
    'additionalProperties': False,
    '$defs': {'Home': HOME},
}

CONSTRAINTS: dict[str, tuple[Constraint, Callable[[str], bool]]] = {
    'schema': (JsonSchema(PERSON), lambda text: not jsonschema.validate(json.loads(text), PERSON)),
    'regex': (Regex('[a-z]{3}-[0-9]{2}'), lambda text: re.fullmatch('[a-z]{3}-[0-9]{2}', text) is not None),
    'choice': (Choice(('yes', 'no', 'perhaps "not"')), lambda text: text in ('yes', 'no', 'perhaps "not"')),
    'lark': (
        Grammar('start: "<" NUMBER ">"\nNUMBER: /[0-9]{1,4}/'),
        lambda text: re.fullmatch('<[0-9]{1,4}>', text) is not None,
    ),
    'gbnf': (Grammar('root ::= "a" [bc] "d"', 'gbnf'), lambda text: text in ('abd', 'acd')),
    'gbnf of words': (Grammar('root ::= "foo" | "bar"', syntax='gbnf'), lambda text: text in ('foo', 'bar')),
}


@on('padded', 'paged', 'mlx', 'llamacpp', 'vllm')
async def test_a_random_model_generates_what_its_constraint_allows(make: Callable[..., Any]) -> None:
    model = make(max_new_tokens=200)

    async def one(name: str, number: int) -> str:
        constraint, is_valid = CONSTRAINTS[name]
        settings = {'constraint': constraint, 'temperature': 1.0 if number % 2 else 0.0, 'seed': number}
        response = await model.request(ask(f'write {number}'), settings)
        assert response.finish_reason == 'stop', response
        assert is_valid(response.text), response.text
        return f'{response.text}'

    free = model.request(ask('anything'), {'max_tokens': 30})
    objects = [one('schema', number) for number in range(8)]
    others = [one(name, number) for name in CONSTRAINTS if name != 'schema' for number in range(4)]
    _, *texts = await asyncio.gather(free, *objects, *others)
    assert len({*texts[:8]}) > 1


@on('transformers', 'mlx', 'llamacpp')
async def test_a_constraint_is_compiled_once(make: Callable[..., Any]) -> None:
    model = make()
    loaded = await model.load()
    for _ in range(3):
        await model.request(ask(), {'constraint': Choice(('a', 'b'))})
    assert loaded.grammars.compilations == 1


@on('transformers', 'mlx', 'llamacpp')
@pytest.mark.parametrize(
    'constraint',
    [
        Regex('a(b'),
        Choice(()),
        Grammar('start: ['),
        JsonSchema({'type': 'string', 'pattern': '(?=a)'}),
        JsonSchema({'not': {}}),
    ],
    ids=lambda constraint: constraint.kind,
)
async def test_a_constraint_that_cannot_be_compiled_is_a_user_error(make: Callable[..., Any], constraint: Any) -> None:
    with pytest.raises(UserError):
        await make().request(ask(), {'constraint': constraint})


@on('transformers', 'mlx', 'llamacpp')
async def test_native_output_of_a_random_model_is_valid(make: Callable[..., Any]) -> None:
    parameters = ModelRequestParameters(output_mode='native', output_object=OutputObjectDefinition(PERSON))
    response = await make(max_new_tokens=200).request(ask(), {'temperature': 1.0, 'seed': 3}, parameters)
    jsonschema.validate(json.loads(response.text), PERSON)


@on('transformers', 'mlx', 'llamacpp')
async def test_a_required_tool_call_of_a_random_model_has_valid_arguments(make: Callable[..., Any]) -> None:
    tools = [ToolDefinition('person', PERSON), ToolDefinition('home', HOME)]
    parameters = ModelRequestParameters(tools)
    model = make(max_new_tokens=200)
    settings = {'temperature': 1.0, 'tool_choice': 'required'}
    responses = await asyncio.gather(*(model.request(ask(), {**settings, 'seed': n}, parameters) for n in range(8)))
    for response in responses:
        [call] = response.tool_calls
        schema = next(tool.parameters_json_schema for tool in tools if tool.name == call.tool_name)
        jsonschema.validate(call.args_as_dict(), schema)
        assert response.finish_reason == 'tool_call'
    [named] = (await model.request(ask(), {'tool_choice': ['home']}, parameters)).tool_calls
    assert named.tool_name == 'home'


@on('transformers', 'mlx', 'llamacpp', 'vllm')
async def test_native_output_with_tools_is_one_valid_call_or_output(make: Callable[..., Any]) -> None:
    parameters = ModelRequestParameters(
        [ToolDefinition('home', HOME)], output_mode='native', output_object=OutputObjectDefinition(PERSON)
    )
    model = make(max_new_tokens=250)
    responses = await asyncio.gather(
        *(model.request(ask('Which?'), {'temperature': 1.0, 'seed': seed}, parameters) for seed in range(12))
    )
    for response in responses:
        assert len(response.parts) == 1
        if response.tool_calls:
            jsonschema.validate(response.tool_calls[0].args_as_dict(), HOME)
        else:
            jsonschema.validate(json.loads(response.text), PERSON)
