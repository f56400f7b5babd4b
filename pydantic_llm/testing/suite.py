"""`ModelSuite`: tests of the contract of `Model` and `StreamedResponse`, for the authors of models.

```python {test="skip"}
class TestMyModel(ModelSuite):
    def model(self) -> Model:
        return MyModel()
```

Each method whose name begins with `test_` is a promise of the contract. They need no plugin of pytest, and no network
if the model needs none. `check_model` runs them without pytest. `conversations` has the requests that they send,
`expectations` what they compare.
"""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from ..agent import Agent
from ..exceptions import FallbackExceptionGroup, LLMError, ModelTimeoutError, UnknownSettingWarning, UserError
from ..messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest, ModelResponse
from ..models import Model, ModelRequestParameters
from ..settings import ModelSettings
from ..usage import RequestUsage
from .conversations import HELLO, LOOK, OUTPUT, ask, foreign_history, tool_parameters, with_results
from .expectations import check_events, check_tool_calls, expect, facts_of, read_stream

__all__ = ('ModelCheckError', 'ModelSuite', 'check_model', 'names_of_tests')

T = TypeVar('T')

PROMPT_END = 5.0
"""Seconds in which a cancelled request must end."""


@dataclass
class Place:
    """The output of the agent in the suite."""

    city: str


class ModelSuite(ABC):
    """Tests of a model. Subclass it in a test module, as a class whose name begins with `Test`."""

    deterministic = True
    """False if equal requests can have different responses: whole and streamed ones are then not compared."""
    calls_tools = False
    """True if the model calls the tools and the output tools that a request requires."""
    time_limit: float = 60.0
    """Seconds that one test may take."""

    @abstractmethod
    def model(self) -> Model:
        """Return the model under test. It is called for each test."""

    def run(self, check: Callable[[Model], Awaitable[T]]) -> T:
        """Run a check in an event loop of its own, and close the model after it."""

        async def run_and_close() -> T:
            model = self.model()
            try:
                async with asyncio.timeout(self.time_limit):
                    return await check(model)
            finally:
                await model.aclose()

        return asyncio.run(run_and_close())

    # ---------------------------------------------------------------------- responses

    def test_it_has_a_name_and_a_vendor(self) -> None:
        model = self.model()
        for name in ('model_name', 'system', 'model_id'):
            value: object = getattr(model, name)
            expect(isinstance(value, str) and bool(value), f'{name} is {value!r}: return a text')
        expect(bool(repr(model)), 'repr() is empty')

    def test_a_response_is_complete_and_can_be_stored(self) -> None:
        async def check(model: Model) -> None:
            response: Any = await model.request(HELLO)
            expect(isinstance(response, ModelResponse), f'request returned {response!r}, not a ModelResponse')
            expect(response.state == 'complete', f'the state of the response is {response.state!r}')
            expect(bool(response.model_name), 'the response has no model_name')
            stored = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([response]))
            expect(stored == [response], f'as JSON and back, the response is {stored[0]!r}, not {response!r}')
            expect(deepcopy(response) == response, 'a copy of the response is another one')
            response.usage.check()

        self.run(check)

    def test_a_stream_ends_with_the_response_of_a_whole_request(self) -> None:
        async def check(model: Model) -> None:
            for messages, parameters in ((HELLO, None), (ask('Bye'), tool_parameters())):
                whole = await model.request(messages, None, parameters)
                streamed, _ = await read_stream(model, messages, None, parameters)
                if self.deterministic:
                    expect(facts_of(streamed) == facts_of(whole), f'streamed: {streamed!r}\nwhole: {whole!r}')
                expect(streamed.state == 'complete', f'at its end, the state of a stream is {streamed.state!r}')

        self.run(check)

    def test_the_events_of_a_stream_replay_to_its_parts(self) -> None:
        async def check(model: Model) -> None:
            for parameters in (None, tool_parameters(), tool_parameters(output=True)):
                response, events = await read_stream(model, HELLO, None, parameters)
                check_events(events, response.parts, parameters or ModelRequestParameters())

        self.run(check)

    def test_a_stream_grows_until_its_end(self) -> None:
        async def check(model: Model) -> None:
            async with model.request_stream(HELLO) as stream:
                expect(stream.get().state != 'complete', 'a stream is complete before its first event')
                lengths = [len(stream.get().text or '') async for _ in stream]
                whole = stream.get()
                expect(stream.usage() == whole.usage, f'usage() is {stream.usage()!r}, get().usage is {whole.usage!r}')
            expect(lengths == sorted(lengths), f'the text of get() had these lengths: {lengths}')
            expect(stream.get() == whole, 'the response changed when the block was left')

        self.run(check)

    def test_the_arguments_of_a_request_are_not_changed(self) -> None:
        async def check(model: Model) -> None:
            arguments = foreign_history(), ModelSettings(temperature=0.5), tool_parameters()
            before = deepcopy(arguments)
            await model.request(*arguments)
            await read_stream(model, *arguments)
            expect(arguments == before, 'the messages, the settings or the parameters were changed')

        self.run(check)

    # ---------------------------------------------------------------------- leaving

    def test_a_stream_can_be_cancelled(self) -> None:
        async def check(model: Model) -> None:
            async with model.request_stream(HELLO) as stream:
                await anext(stream, None)
                begun = time.monotonic()
                await stream.cancel()
                await stream.cancel()
                rest = [event async for event in stream]
            took = time.monotonic() - begun
            expect(took < PROMPT_END, f'a cancelled stream ended after {took:.1f} s, and {len(rest)} events')
            state = stream.get().state
            expect(state != 'incomplete', "the state of a cancelled stream is 'incomplete', not 'interrupted'")
            expect(
                stream.cancelled == (state == 'interrupted'), f'cancelled is {stream.cancelled}, the state {state!r}'
            )

        self.run(check)

    def test_a_stream_that_is_left_is_interrupted(self) -> None:
        async def check(model: Model) -> None:
            async with model.request_stream(HELLO) as stream:
                pass
            state = stream.get().state
            expect(state == 'interrupted', f'the state of a stream that was left without reading it is {state!r}')

        self.run(check)

    def test_a_request_can_be_cancelled(self) -> None:
        async def check(model: Model) -> None:
            for request in (model.request(HELLO), read_stream(model, HELLO)):
                task = asyncio.ensure_future(cast('Awaitable[object]', request))
                await asyncio.sleep(0)
                task.cancel()
                done, _ = await asyncio.wait({task}, timeout=PROMPT_END)
                expect(bool(done), f'a cancelled request still runs after {PROMPT_END} s')
                error = None if task.cancelled() else task.exception()
                expect(error is None, f'a cancelled request raised {error!r}, not CancelledError')

        self.run(check)

    def test_a_short_timeout_ends_in_a_response_or_a_timeout_error(self) -> None:
        async def check(model: Model) -> None:
            settings, late = ModelSettings(timeout=1e-6, retries=0), (ModelTimeoutError, FallbackExceptionGroup)
            await _respond_or_raise(model.request(HELLO, settings), *late)
            await _respond_or_raise(read_stream(model, HELLO, settings), *late)

        self.run(check)

    # ---------------------------------------------------------------------- settings and parameters

    def test_settings_of_none_are_as_if_they_were_not_set(self) -> None:
        async def check(model: Model) -> None:
            none = cast('ModelSettings', {'temperature': None, 'max_tokens': None, 'timeout': None})
            facts = [facts_of(await model.request(HELLO, settings)) for settings in (None, ModelSettings(), none)]
            expect(not self.deterministic or facts[0] == facts[1] == facts[2], f'the responses differ: {facts}')

        self.run(check)

    def test_a_setting_of_another_model_is_ignored(self) -> None:
        async def check(model: Model) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', UnknownSettingWarning)
                await model.request(HELLO, cast('ModelSettings', {'no_such_vendor_setting': 1}))

        self.run(check)

    def test_a_setting_of_the_wrong_type_is_a_user_error_or_ignored(self) -> None:
        async def check(model: Model) -> None:
            for settings in ({'temperature': 'hot'}, {'max_tokens': -1}, {'stop_sequences': 'END'}, {'tool_choice': 5}):
                await _respond_or_raise(model.request(HELLO, cast('ModelSettings', settings)), UserError)

        self.run(check)

    def test_a_tool_call_names_a_tool_of_the_request_and_has_an_object_as_its_arguments(self) -> None:
        async def check(model: Model) -> None:
            for output in (False, True):
                parameters = tool_parameters(output=output)
                settings = ModelSettings(tool_choice='required') if self.calls_tools else None
                response = await model.request(HELLO, settings, parameters)
                check_tool_calls(response, {tool.name for tool in parameters.tools})
                expect(bool(response.tool_calls) or not self.calls_tools, f'no tool was called: {response!r}')

        self.run(check)

    def test_an_agent_gets_its_tool_called_and_its_output(self) -> None:
        if not self.calls_tools:
            return
        called: list[str] = []

        async def check(model: Model) -> None:
            def look(city: str) -> str:
                called.append(city)
                return f'It is cold in {city}.'

            agent = Agent(model, tools=[look], output_type=Place)
            whole = await agent.run('Where is it cold?')
            async with agent.run_stream('Where is it cold?') as streamed:
                outputs: list[object] = [whole.output, await streamed.get_output()]
            expect(all(isinstance(output, Place) for output in outputs), f'the outputs are {outputs!r}')
            expect(len(called) >= 2, f'the tool was called {len(called)} times in two runs')

        self.run(check)

    # ---------------------------------------------------------------------- histories

    def test_its_own_response_can_be_sent_back(self) -> None:
        async def check(model: Model) -> None:
            for parameters in (None, tool_parameters()):
                history: list[ModelMessage] = [*HELLO]
                for _ in range(2):
                    history += with_results(await model.request(history, None, parameters))
                await read_stream(model, history, None, parameters)

        self.run(check)

    def test_a_history_of_another_model_is_accepted(self) -> None:
        async def check(model: Model) -> None:
            await model.request(foreign_history(), None, tool_parameters())
            await read_stream(model, foreign_history())

        self.run(check)

    def test_half_a_character_in_a_prompt_does_not_fail(self) -> None:
        self.run(lambda model: model.request(ask('Half of a pair: \ud83d')))

    def test_an_empty_history_is_a_user_error_or_has_a_response(self) -> None:
        async def check(model: Model) -> None:
            for messages in ([], [ModelRequest([])]):
                await _respond_or_raise(model.request(cast('list[ModelMessage]', messages)), UserError)

        self.run(check)

    # ---------------------------------------------------------------------- the model as an object

    def test_requests_at_the_same_time_do_not_mix(self) -> None:
        async def check(model: Model) -> None:
            prompts = [ask(f'Prompt {number}') for number in range(8)]
            alone = [facts_of(await model.request(prompt)) for prompt in prompts]
            whole = await asyncio.gather(*(model.request(prompt) for prompt in prompts))
            streamed = await asyncio.gather(*(read_stream(model, prompt) for prompt in prompts))
            together = [*map(facts_of, whole)], [facts_of(response) for response, _ in streamed]
            expect(not self.deterministic or together == (alone, alone), f'alone: {alone}\ntogether: {together}')

        self.run(check)

    def test_it_works_in_several_event_loops_and_threads(self) -> None:
        model, failures = self.model(), list[BaseException]()

        async def use() -> None:
            await model.request(HELLO)
            await read_stream(model, HELLO)
            await model.aclose()

        def use_in_thread() -> None:
            try:
                asyncio.run(use())
            except BaseException as error:  # noqa: BLE001 -- raised in the thread of the test
                failures.append(error)

        asyncio.run(use())
        threads = [threading.Thread(target=use_in_thread) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.time_limit)
        expect(not failures, f'in a thread: {failures!r}')

    def test_it_can_be_closed_twice(self) -> None:
        async def check(model: Model) -> None:
            async with model:
                await model.request(HELLO)
            await model.aclose()

        self.run(check)

    def test_equal_requests_have_equal_descriptions(self) -> None:
        model = self.model()
        parameters = ModelRequestParameters([LOOK], output_tools=[OUTPUT])
        first, second = (model.describe_request(ask('Hello'), None, parameters).fingerprint for _ in range(2))
        other = model.describe_request(ask('Bye'), None, parameters).fingerprint
        expect(first == second, 'describe_request returns another fingerprint for an equal request')
        expect(first != other, 'describe_request returns the same fingerprint for another prompt')

    def test_tokens_are_counted_or_a_user_error_is_raised(self) -> None:
        async def check(model: Model) -> None:
            try:
                counted: Any = await model.count_tokens(HELLO)
            except UserError:
                return
            is_count = isinstance(counted, RequestUsage) and counted.input_tokens > 0
            expect(is_count, f'count_tokens returned {counted!r}, not a RequestUsage with input_tokens')

        self.run(check)


async def _respond_or_raise(response: Awaitable[object], *expected: type[LLMError]) -> None:
    """Wait for a response, or for an expected error. Any other error fails the test."""
    with suppress(*expected):
        await response


class _CheckedModel(ModelSuite):
    def __init__(self, model: Model | Callable[[], Model]) -> None:
        self._model = model

    def model(self) -> Model:
        return self._model if isinstance(self._model, Model) else self._model()


class ModelCheckError(AssertionError):
    """Raised by `check_model` if a model breaks promises of its contract."""

    failures: dict[str, Exception]
    """The error of each test that failed, by its name."""

    def __init__(self, failures: dict[str, Exception], total: int) -> None:
        self.failures = failures
        lines = [f'- {name}: {type(error).__name__}: {error}' for name, error in failures.items()]
        super().__init__('\n'.join([f'{len(failures)} of {total} checks failed:', *lines]))


def names_of_tests(suite: type[Any]) -> list[str]:
    """Return the names of the tests of a suite, in their order."""
    found = dict.fromkeys(name for kind in reversed(suite.__mro__) for name in vars(kind) if name.startswith('test_'))
    return [*found]


def check_model(
    model: Model | Callable[[], Model],
    *,
    deterministic: bool = True,
    calls_tools: bool = False,
    time_limit: float = 60.0,
) -> None:
    """Run the tests of `ModelSuite` on a model, or on what a function returns for each test.

    The options are those of `ModelSuite`. Raises `ModelCheckError` with all that failed.
    """
    suite = _CheckedModel(model)
    suite.deterministic, suite.calls_tools, suite.time_limit = deterministic, calls_tools, time_limit
    failures: dict[str, Exception] = {}
    names = names_of_tests(ModelSuite)
    for name in names:
        try:
            getattr(suite, name)()
        except Exception as error:  # noqa: BLE001 -- reported with the others
            failures[name] = error
    if failures:
        raise ModelCheckError(failures, len(names))
