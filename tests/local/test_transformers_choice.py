"""How Transformers' engine chooses tokens: settings of each request, seeds, and constraints that always hold."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import jsonschema
import pytest
import torch
import transformers

from pydantic_llm.constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelRequest
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.local import Job, Prompt, Sampling
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.models.transformers.choose import choose
from pydantic_llm.models.transformers.rows import Row
from pydantic_llm.tools.definition import ToolDefinition

BATCHINGS = ('padded', 'paged')


def ask(text: str) -> list[ModelRequest]:
    return [ModelRequest.user_text_prompt(text)]


def row(sampling: Sampling, prompt: Sequence[int] = (1, 2), written: Sequence[int] = ()) -> Row:
    job = Job(Prompt(prompt), sampling=sampling, max_tokens=100, decoder=TokenDecoder(lambda tokens: ''))
    made = Row(job)
    made.tokens.extend(written)
    return made


LOGITS = torch.tensor([[2.0, 1.0, 0.5, 0.0, -1.0, -3.0]])


async def drawn(sampling: Sampling, count: int = 4000) -> dict[int, float]:
    """How often each token is drawn."""
    rows = [row(sampling)] * count
    found = Counter(choose(LOGITS.repeat(count, 1), rows))
    return {token: found[token] / count for token in sorted(found)}


def of_the_library(*processors: Any) -> dict[int, float]:
    """How likely each token is by the library's own processors."""
    scores = LOGITS.clone()
    for processor in processors:
        scores = processor(torch.tensor([[1, 2]]), scores)
    return {token: p for token, p in enumerate(scores.softmax(-1)[0].tolist()) if p > 0}


@pytest.mark.parametrize(
    ('sampling', 'processors'),
    [
        ({}, []),
        ({'temperature': 0.5}, [transformers.TemperatureLogitsWarper(0.5)]),
        ({'top_k': 3}, [transformers.TopKLogitsWarper(3)]),
        ({'top_p': 0.8}, [transformers.TopPLogitsWarper(0.8)]),
        ({'min_p': 0.2}, [transformers.MinPLogitsWarper(0.2)]),
        ({'top_k': 4, 'top_p': 0.7}, [transformers.TopKLogitsWarper(4), transformers.TopPLogitsWarper(0.7)]),
    ],
)
async def test_tokens_are_drawn_as_the_library_draws_them(sampling: dict[str, Any], processors: list[Any]) -> None:
    ours = await drawn(Sampling(**{'temperature': 1.0, 'seed': 5, **sampling}))
    theirs = of_the_library(*processors)
    assert ours.keys() == {token for token, share in theirs.items() if share > 0.001 or token in ours}
    assert ours == pytest.approx({token: theirs[token] for token in ours}, abs=0.03)


async def test_penalties_change_what_is_likeliest() -> None:
    assert choose(LOGITS.clone(), [row(Sampling())]) == [0]
    assert choose(LOGITS.clone(), [row(Sampling(presence_penalty=1.5), written=[0])]) == [1]
    assert choose(LOGITS.clone(), [row(Sampling(frequency_penalty=0.6), written=[0, 0])]) == [1]
    assert choose(LOGITS.clone(), [row(Sampling(repetition_penalty=5.0), prompt=[0, 1])]) == [2]
    assert choose(LOGITS.clone(), [row(Sampling(logit_bias={4: 9.0}))]) == [4]


async def test_rows_with_different_settings_do_not_touch_each_other() -> None:
    rows = [
        row(Sampling()),
        row(Sampling(temperature=1.0, top_k=1)),
        row(Sampling(logit_bias={5: 99.0})),
        row(Sampling()),
    ]
    assert choose(LOGITS.repeat(4, 1), rows) == [0, 0, 5, 0]


@pytest.mark.parametrize('batching', BATCHINGS)
async def test_a_seed_gives_the_same_answer_whatever_else_is_written(make: Callable[..., Any], batching: str) -> None:
    model = make(batching=batching, max_new_tokens=16)
    settings = {'temperature': 1.0, 'seed': 11}
    alone = (await model.request(ask('hi'), settings)).text
    others = [model.request(ask(f'hi {n}'), {'temperature': 1.5}) for n in range(6)]
    together, *_ = await asyncio.gather(model.request(ask('hi'), settings), *others)
    assert together.text == alone
    assert (await model.request(ask('hi'), {**settings, 'seed': 12})).text != alone


@pytest.mark.parametrize('batching', BATCHINGS)
async def test_settings_at_their_limits_do_not_break_the_engine(make: Callable[..., Any], batching: str) -> None:
    model = make(batching=batching, max_new_tokens=4)
    limits: list[Any] = [
        {'temperature': 1.0, 'top_k': 10**9},
        {'temperature': 1e-9, 'seed': 1},
        {'temperature': 1e9},
        {'top_p': 1e-9},
        {'transformers_min_p': 1.0},
        {'temperature': 1.0, 'top_k': 1, 'top_p': 1.0},
        {'logit_bias': {'3': -100, '4': 100}},
        {'presence_penalty': 2.0, 'frequency_penalty': -2.0},
        {'transformers_repetition_penalty': 1.3},
    ]
    answers = await asyncio.gather(*(model.request(ask('hi'), settings) for settings in limits))
    assert all(answer.usage.output_tokens >= 1 for answer in answers)


async def test_settings_of_a_request_win_over_those_of_the_model(make: Callable[..., Any]) -> None:
    model = make(settings={'max_tokens': 3, 'temperature': 0.0})
    assert (await model.request(ask('hi'))).usage.output_tokens == 3
    assert (await model.request(ask('hi'), {'max_tokens': 5})).usage.output_tokens == 5


# ---------------------------------------------------------------------- constraints

PERSON: dict[str, Any] = {
    'type': 'object',
    'properties': {
        'name': {'type': 'string', 'maxLength': 12},
        'age': {'type': 'integer', 'minimum': 0, 'maximum': 120},
        'tags': {'type': 'array', 'items': {'enum': ['a', 'b']}, 'maxItems': 3},
        'home': {'$ref': '#/$defs/Home'},
    },
    'required': ['name', 'age', 'tags', 'home'],
    'additionalProperties': False,
    '$defs': {
        'Home': {
            'type': 'object',
            'properties': {'floor': {'type': 'integer', 'minimum': -2, 'maximum': 9}},
            'required': ['floor'],
            'additionalProperties': False,
        }
    },
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
}


@pytest.mark.parametrize('batching', BATCHINGS)
async def test_a_random_model_writes_what_its_constraint_allows(make: Callable[..., Any], batching: str) -> None:
    model = make(batching=batching, max_new_tokens=200)

    async def one(name: str, number: int) -> bool:
        constraint, holds = CONSTRAINTS[name]
        settings = {'constraint': constraint, 'temperature': 1.0 if number % 2 else 0.0, 'seed': number}
        response = await model.request(ask(f'write {number}'), settings)
        assert response.finish_reason == 'stop', response
        assert holds(response.text), response.text
        return True

    free = model.request(ask('anything'), {'max_tokens': 30})
    held = [one(name, number) for name in CONSTRAINTS for number in range(4)]
    assert all(await asyncio.gather(free, *held))


async def test_a_constraint_is_compiled_once(make: Callable[..., Any]) -> None:
    model = make()
    loaded = await model.load()
    for _ in range(3):
        await model.request(ask('hi'), {'constraint': Choice(('a', 'b'))})
    assert loaded.grammars.compilations == 1


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
async def test_a_constraint_that_cannot_be_held_is_a_user_error(make: Callable[..., Any], constraint: Any) -> None:
    with pytest.raises(UserError):
        await make().request(ask('hi'), {'constraint': constraint})


async def test_native_output_is_valid_whoever_writes_it(make: Callable[..., Any]) -> None:
    parameters = ModelRequestParameters(output_mode='native', output_object=OutputObjectDefinition(PERSON))
    response = await make(max_new_tokens=200).request(ask('hi'), {'temperature': 1.0, 'seed': 3}, parameters)
    jsonschema.validate(json.loads(response.text), PERSON)


async def test_a_call_that_must_be_made_has_valid_arguments_whoever_makes_it(make: Callable[..., Any]) -> None:
    tools = [ToolDefinition('person', PERSON), ToolDefinition('home', PERSON['$defs']['Home'])]
    parameters = ModelRequestParameters(tools)
    model = make(max_new_tokens=200)
    settings = {'temperature': 1.0, 'tool_choice': 'required'}
    answers = await asyncio.gather(*(model.request(ask('hi'), {**settings, 'seed': n}, parameters) for n in range(8)))
    for answer in answers:
        [call] = answer.tool_calls
        schema = next(tool.parameters_json_schema for tool in tools if tool.name == call.tool_name)
        jsonschema.validate(call.args_as_dict(), schema)
        assert answer.finish_reason == 'tool_call'
    [named] = (await model.request(ask('hi'), {'tool_choice': ['home']}, parameters)).tool_calls
    assert named.tool_name == 'home'


async def test_native_output_with_tools_is_a_call_or_valid(make: Callable[..., Any]) -> None:
    home = PERSON['$defs']['Home']
    parameters = ModelRequestParameters(
        [ToolDefinition('home', home)], output_mode='native', output_object=OutputObjectDefinition(PERSON)
    )
    model = make(max_new_tokens=250)
    answers = await asyncio.gather(
        *(model.request(ask('hi'), {'temperature': 1.0, 'seed': n}, parameters) for n in range(8))
    )
    for answer in answers:
        if answer.tool_calls:
            jsonschema.validate(answer.tool_calls[0].args_as_dict(), home)
        else:
            jsonschema.validate(json.loads(answer.text), PERSON)
