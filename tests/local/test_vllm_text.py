"""vLLM for real, on a CPU and with tiny models: its text, its batch, its streams, its constraints, its end."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm import Agent
from pydantic_llm.agent import NativeOutput
from pydantic_llm.constraints import Choice, Constraint, Grammar, JsonSchema, Regex
from pydantic_llm.exceptions import ContextLengthError, UserError
from pydantic_llm.messages import ModelResponse, PartDeltaEvent, PartStartEvent, ToolCallPart
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.vllm import VLLMModel
from pydantic_llm.tools.definition import ToolDefinition
from tests.local.vllm_library import KWARGS, ask, bare, make_random, make_taught, tiny, until
from tests.replay import replay

# vLLM and what it imports warn of one another.
pytestmark = pytest.mark.filterwarnings('ignore')

PROMPTS = [f'Say {"something " * (number % 7)}about the number {number}.' for number in range(16)]


@pytest.fixture(scope='module')
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_taught(tmp_path_factory.mktemp('models') / 'taught')


@pytest.fixture(scope='module')
def nonsense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_random(tmp_path_factory.mktemp('models') / 'random')


@pytest.fixture(scope='module')
def model(nonsense: Path) -> Iterator[VLLMModel]:
    """One engine for all tests of this module, each of which has an event loop of its own."""
    model = VLLMModel(nonsense, model_kwargs=KWARGS, max_new_tokens=24)
    yield model
    model.cleanup()


@pytest.fixture(scope='module')
def taught_model(taught: Path) -> Iterator[VLLMModel]:
    model = VLLMModel(taught, model_kwargs=KWARGS)
    yield model
    model.cleanup()


async def test_a_lone_answer_is_what_generate_writes(model: VLLMModel, nonsense: Path) -> None:
    texts = [(await model.request(ask(prompt))).text for prompt in PROMPTS[:4]]
    assert texts == bare(nonsense, PROMPTS[:4], 24)


async def test_sixteen_answers_at_once_are_what_generate_writes(model: VLLMModel, nonsense: Path) -> None:
    answers = await asyncio.gather(*(model.request(ask(prompt)) for prompt in PROMPTS))
    assert [answer.text for answer in answers] == bare(nonsense, PROMPTS, 24)


async def test_streams_that_begin_one_after_the_other_are_written_together(model: VLLMModel, nonsense: Path) -> None:
    dice = random.Random(2)
    most = 0

    async def one(prompt: str) -> str:
        nonlocal most
        await asyncio.sleep(dice.random() * 0.1)
        async with model.request_stream(ask(prompt)) as stream:
            events = []
            async for event in stream:
                events.append(event)
                most = max(most, model.engine.counts.active)
            kept = [event for event in events if isinstance(event, PartStartEvent | PartDeltaEvent)]
            assert len(kept) > 3
            assert replay(event for event in events if hasattr(event, 'index')) == stream.get().parts
            return stream.get().text or ''

    assert await asyncio.gather(*map(one, PROMPTS)) == bare(nonsense, PROMPTS, 24)
    assert most > 1


async def test_an_answer_tells_why_it_is_over_and_what_it_took(taught_model: VLLMModel) -> None:
    whole = await taught_model.request(ask('Say hi.'))
    assert (whole.text, whole.finish_reason) == (tiny.ANSWERS['Say hi.'], 'stop')
    assert whole.provider_details == {'finish_reason': 'eos'}
    cut = await taught_model.request(ask('Say hi.'), {'max_tokens': 3})
    assert (cut.finish_reason, cut.usage.output_tokens) == ('length', 3)
    stopped = await taught_model.request(ask('Say hi.'), {'stop_sequences': ['help']})
    assert (stopped.text, stopped.finish_reason) == ('Hello! How can I ', 'stop')
    assert stopped.provider_details == {'finish_reason': 'stop_sequence', 'stop_sequence': 'help'}


async def test_a_stop_token_ends_the_answer_and_is_not_shown(taught_model: VLLMModel) -> None:
    tokenizer = (await taught_model.load()).tokenizer
    answer = tokenizer.encode(tiny.ANSWERS['Say hi.'])
    stopped = await taught_model.request(ask('Say hi.'), {'vllm_stop_token_ids': [answer[2]]})  # type: ignore[typeddict-unknown-key]
    assert stopped.text == tokenizer.decode(answer[:2])
    assert (stopped.finish_reason, stopped.usage.output_tokens) == ('stop', 3)
    assert stopped.provider_details == {'finish_reason': 'stop_sequence', 'stop_token_id': answer[2]}


async def test_a_prompt_that_was_read_before_is_counted_as_cached(model: VLLMModel) -> None:
    prompt = 'a prompt that is read twice ' * 20
    first = await model.request(ask(prompt), {'max_tokens': 2})
    again = await model.request(ask(prompt), {'max_tokens': 2})
    assert (first.usage.input_tokens, first.usage.cache_read_tokens) == (again.usage.input_tokens, 0)
    assert 0.8 * again.usage.input_tokens < again.usage.cache_read_tokens < again.usage.input_tokens


async def test_a_seed_gives_the_same_answer_in_any_company(model: VLLMModel) -> None:
    settings: Any = {'temperature': 1.0, 'seed': 7, 'vllm_min_p': 0.01, 'top_k': 50}
    alone = await model.request(ask('Choose.'), settings)
    company = [model.request(ask(prompt), {'temperature': 1.5}) for prompt in PROMPTS[:7]]
    among = await asyncio.gather(model.request(ask('Choose.'), settings), *company)
    assert alone.text == among[0].text
    other = await model.request(ask('Choose.'), {**settings, 'seed': 8})
    assert other.text != alone.text


async def test_log_probabilities_are_told_as_openai_tells_them(taught_model: VLLMModel) -> None:
    answer = await taught_model.request(ask('Say hi.'), {'logprobs': True, 'top_logprobs': 2})
    told = (answer.provider_details or {})['logprobs']
    assert ''.join(token['token'] for token in told) == answer.text
    assert all(len(token['top_logprobs']) == 2 for token in told)
    assert all(token['top_logprobs'][0]['token'] == token['token'] for token in told)
    assert all(-1 < token['logprob'] <= 0 and bytes(token['bytes']).decode() == token['token'] for token in told)


SCHEMA = {
    'type': 'object',
    'properties': {
        'name': {'type': 'string', 'maxLength': 8},
        'age': {'type': 'integer', 'minimum': 0, 'maximum': 120},
        'tags': {'type': 'array', 'items': {'enum': ['a', 'b']}, 'maxItems': 2},
    },
    'required': ['name', 'age', 'tags'],
    'additionalProperties': False,
}


async def test_a_random_model_is_held_to_constraints(model: VLLMModel) -> None:
    async def held(constraint: Constraint, seed: int) -> str:
        settings: Any = {'constraint': constraint, 'temperature': 1.0, 'seed': seed, 'max_tokens': 200}
        answer = await model.request(ask('Go on.'), settings)
        assert answer.finish_reason == 'stop'
        return answer.text or ''

    many = [held(JsonSchema(SCHEMA), seed) for seed in range(8)]
    others: list[Constraint] = [
        Regex(r'[a-c]{3}-[0-9]{2}'),
        Choice(('yes', 'no "really"')),
        Grammar('start: "(" start ")" | "x"'),
        Grammar('root ::= "foo" | "bar"', syntax='gbnf'),
    ]
    *objects, code, chosen, nested, word = await asyncio.gather(*many, *(held(one, 1) for one in others))
    for text in objects:
        found = json.loads(text)
        assert found.keys() == {'name', 'age', 'tags'}
        assert len(found['name']) <= 8
        assert 0 <= found['age'] <= 120
        assert {*found['tags']} <= {'a', 'b'}
    assert len({*objects}) > 1
    assert code[3] == '-'
    assert {*code[:3]} <= {*'abc'}
    assert code[4:].isdigit()
    assert chosen in ('yes', 'no "really"')
    assert nested.count('(') == nested.count(')')
    assert word in ('foo', 'bar')


@pytest.mark.parametrize(
    'settings',
    [
        {'constraint': Regex('a(b')},
        {'constraint': Grammar('start: nowhere')},
        {'constraint': JsonSchema({'type': 'object', 'minProperties': 'two'})},
        {'temperature': 7.0},
        {'presence_penalty': 5.0},
        {'vllm_sampling_params': {'no_such_field': 1}},
        {'vllm_allowed_token_ids': [10**6]},
    ],
    ids=str,
)
async def test_what_vllm_cannot_do_is_a_user_error(model: VLLMModel, settings: Any) -> None:
    with pytest.raises(UserError, match='vLLM cannot do this request'):
        await model.request(ask(), settings)
    assert model.engine.counts.active == 0


async def test_a_conversation_that_is_too_long_is_told(model: VLLMModel) -> None:
    with pytest.raises(ContextLengthError, match='reads 1024 at most'):
        await model.request(ask('word ' * 2000))


def unfinished(model: VLLMModel) -> int:
    """How many requests vLLM itself still has."""
    return model.engine._core.llm.output_processor.get_num_unfinished_requests()  # type: ignore[attr-defined, no-any-return]


LONG: Any = {'max_tokens': 900, 'vllm_min_tokens': 900}
"""Settings of an answer that takes longer than anybody waits here."""


async def test_whoever_leaves_frees_the_request(model: VLLMModel) -> None:
    async with model.request_stream(ask(), LONG) as stream:
        async for _ in stream:
            break
        assert unfinished(model) == 1
    await until(lambda: not unfinished(model), 1)
    waiting = asyncio.create_task(model.request(ask(), LONG))
    await until(lambda: unfinished(model) == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: not unfinished(model) and not model.engine.counts.active, 1)


async def test_many_that_come_and_go_leave_nothing_behind(model: VLLMModel) -> None:
    dice = random.Random(5)

    async def one(number: int) -> str:
        settings: Any = {'max_tokens': dice.randint(1, 40), 'temperature': 1.0, 'seed': number}
        if number % 5 == 0:
            settings['constraint'] = Choice(('yes', 'no'))
        request = asyncio.create_task(model.request(ask(f'Number {number}.'), settings))
        if number % 3 == 0:
            await asyncio.sleep(dice.random() * 0.5)
            request.cancel()
        try:
            return (await request).finish_reason or ''
        except asyncio.CancelledError:
            return 'cancelled'

    reasons = await asyncio.wait_for(asyncio.gather(*map(one, range(64))), 60)
    assert {*reasons} <= {'stop', 'length', 'cancelled'}
    assert len([reason for reason in reasons if reason != 'cancelled']) >= 42
    await until(lambda: not unfinished(model) and not model.engine.counts.active, 1)


async def test_the_event_loop_is_not_held_up(model: VLLMModel) -> None:
    await model.load()
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(model.request(ask(prompt), {'temperature': 1.0}) for prompt in PROMPTS * 2))
    watching.cancel()
    assert longest < 0.25


def test_one_engine_serves_all_loops_and_threads(model: VLLMModel, nonsense: Path) -> None:
    expected = bare(nonsense, PROMPTS[:1], 24)[0]
    texts = [asyncio.run(model.request(ask(PROMPTS[0]))).text for _ in range(2)]
    found: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(asyncio.run(model.request(ask(PROMPTS[0]))).text))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [*texts, *found] == [expected] * 6
    same = VLLMModel(nonsense, model_kwargs=KWARGS, settings={'temperature': 1.0})
    assert same.engine is model.engine
    same.cleanup()
    assert asyncio.run(model.request(ask(PROMPTS[0]))).text == expected


# ---------------------------------------------------------------------- agents


class Report(BaseModel):
    city: str
    weather: str


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return tiny.WEATHERS[city]


async def test_an_agent_calls_its_tool_and_answers(taught_model: VLLMModel) -> None:
    result = await Agent(taught_model, tools=[weather]).run('Weather in Oslo?')
    assert result.output == 'It is rainy in Oslo.'
    reasons = [message.finish_reason for message in result.all_messages() if isinstance(message, ModelResponse)]
    assert reasons == ['tool_call', 'stop']


async def test_an_agent_gives_a_structured_output(taught_model: VLLMModel) -> None:
    result = await Agent(taught_model, tools=[weather], output_type=Report).run('Weather in Oslo?')
    assert result.output == Report(city='Oslo', weather='rainy')


async def test_a_random_model_gives_valid_outputs_and_calls(model: VLLMModel) -> None:
    class Chosen(BaseModel):
        number: int
        near: bool

    settings: Any = {'temperature': 1.0, 'seed': 2, 'max_tokens': 200}
    native = await Agent(model, output_type=NativeOutput(Chosen)).run('Which?', model_settings=settings)
    assert isinstance(native.output, Chosen)
    by_tool = await Agent(model, output_type=Chosen).run('Which?', model_settings=settings)
    assert isinstance(by_tool.output, Chosen)


async def test_a_random_model_with_tools_and_a_native_output_calls_or_answers(model: VLLMModel) -> None:
    class Chosen(BaseModel):
        near: bool

    cities = {'type': 'object', 'properties': {'city': {'enum': ['Oslo', 'Rome']}}, 'required': ['city']}
    output = OutputObjectDefinition(Chosen.model_json_schema())
    parameters = ModelRequestParameters([ToolDefinition('weather', cities)], output_mode='native', output_object=output)
    settings: Any = [{'temperature': 1.0, 'seed': seed, 'max_tokens': 100} for seed in range(12)]
    answers = await asyncio.gather(*(model.request(ask('Which?'), one, parameters) for one in settings))
    for answer in answers:
        [part] = answer.parts
        if isinstance(part, ToolCallPart):
            assert part.args_as_dict()['city'] in ('Oslo', 'Rome')
        else:
            assert Chosen.model_validate_json(answer.text or '')


async def test_an_agent_streams(taught_model: VLLMModel) -> None:
    async with Agent(taught_model).run_stream('Say it in Chinese.') as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert ''.join(texts) == tiny.ANSWERS['Say it in Chinese.']
    assert len(texts) > 1
