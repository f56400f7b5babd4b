"""The suite for authors of models: models of this package pass it, and a broken one fails by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm import Agent
from pydantic_llm.agent import AgentModel
from pydantic_llm.messages import (
    ModelMessage,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
)
from pydantic_llm.models import Model, ModelRequestParameters, ResponseDraft, StreamedResponse
from pydantic_llm.models.concurrency import ConcurrencyLimitedModel
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.recorded import RecordingModel, ReplayModel
from pydantic_llm.models.router import RouterModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.models.wrapper import WrapperModel
from pydantic_llm.settings import ModelSettings
from pydantic_llm.testing import ModelCheckError, ModelSuite, WireSuite, check_model
from pydantic_llm.testing.room import Room
from pydantic_llm.testing.suite import names_of_tests
from pydantic_llm.usage import RequestUsage
from tests.conformance.rooms import openai_chat
from tests.models.scripted import Scripted, unreachable


def count_messages(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart(f'{len(messages)} messages')], finish_reason='stop')


async def stream_count(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
    for piece in (f'{len(messages)}', ' ', 'messages'):
        yield piece


MODELS: dict[str, tuple[Callable[[], Model], bool]] = {
    'test': (TestModel, True),
    'function': (lambda: FunctionModel(count_messages), False),
    'function and stream': (lambda: FunctionModel(count_messages, stream_function=stream_count), False),
    'wrapper': (lambda: WrapperModel(TestModel()), True),
    'limited': (lambda: ConcurrencyLimitedModel(TestModel(), limit=3), True),
    'router': (lambda: RouterModel([TestModel()]), True),
    'fallback': (lambda: FallbackModel(Scripted('broken', [unreachable()]), TestModel()), True),
    'agent': (lambda: AgentModel(Agent(TestModel(custom_output_text='Inside'), name='inner')), False),
}


@pytest.mark.parametrize('name', MODELS)
def test_a_model_of_this_package_passes(name: str) -> None:
    make, calls_tools = MODELS[name]
    check_model(make, calls_tools=calls_tools)


def test_a_model_passes_while_it_is_recorded_and_when_it_is_replayed(tmp_path: Path) -> None:
    check_model(RecordingModel(TestModel(), tmp_path / 'suite.json'), calls_tools=True)
    check_model(lambda: ReplayModel(tmp_path / 'suite.json'), calls_tools=True)


# ---------------------------------------------------------------------- a broken model


class BrokenStream(StreamedResponse):
    """A stream that has another text than the whole response, no end of its part, and that cannot be cancelled."""

    async def events(self) -> AsyncIterator[Any]:
        yield PartStartEvent(0, TextPart('Hello'))
        yield PartDeltaEvent(1, TextPartDelta(' there'))

    async def cancel(self) -> None:
        pass


class BrokenModel(Model):
    """Breaks the contract in every way that its author did not think of."""

    def __init__(self) -> None:
        super().__init__()
        self.lock: asyncio.Lock | None = None
        self.closed = False

    @property
    def model_name(self) -> str:
        return 'broken'

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        content: Any = messages[-1].parts[-1].content  # type: ignore[union-attr]
        parameters = model_request_parameters or ModelRequestParameters()
        if 'temperature' in (model_settings or {}):
            float(model_settings['temperature'])  # type: ignore[index, arg-type, typeddict-item]
        if parameters.function_tools:
            return ModelResponse([ToolCallPart('lok', '{"city": ', '')], model_name='broken')
        content.encode()
        return ModelResponse([TextPart(content)], usage=RequestUsage(), finish_reason='stop')

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        yield BrokenStream(ResponseDraft('broken'), model_request_parameters)

    async def count_tokens(self, *arguments: Any) -> RequestUsage:
        return RequestUsage()

    async def aclose(self) -> None:
        self.closed = True

    async def __aenter__(self) -> Any:
        if self.closed:
            raise RuntimeError('closed')
        return self


BROKEN = {
    'test_a_response_is_complete_and_can_be_stored': 'the response has no model_name',
    'test_a_stream_ends_with_the_response_of_a_whole_request': 'streamed: ',
    'test_the_events_of_a_stream_replay_to_its_parts': 'comes before the start of its part',
    'test_a_stream_can_be_cancelled': "the state of a cancelled stream is 'incomplete', not 'interrupted'",
    'test_a_stream_that_is_left_is_interrupted': "was left without reading it is 'incomplete'",
    'test_settings_of_none_are_as_if_they_were_not_set': 'float()',
    'test_a_setting_of_the_wrong_type_is_a_user_error_or_ignored': 'could not convert string to float',
    'test_a_tool_call_names_a_tool_of_the_request_and_has_an_object_as_its_arguments': "the tool 'lok' was called",
    'test_an_empty_history_is_a_user_error_or_has_a_response': 'list index out of range',
    'test_half_a_character_in_a_prompt_does_not_fail': 'surrogates not allowed',
    'test_tokens_are_counted_or_a_user_error_is_raised': 'count_tokens returned RequestUsage()',
}


def test_a_broken_model_fails_by_the_names_of_the_promises_that_it_breaks() -> None:
    with pytest.raises(ModelCheckError) as raised:
        check_model(BrokenModel())
    failures = raised.value.failures
    assert {name: text in str(failures.get(name)) for name, text in BROKEN.items()} == dict.fromkeys(BROKEN, True)
    assert str(raised.value).startswith(f'{len(failures)} of {len(names_of_tests(ModelSuite))} checks failed:\n- test_')


def test_a_model_that_hangs_fails_within_its_time_limit() -> None:
    class Hanging(TestModel):
        async def request(self, *arguments: Any) -> ModelResponse:
            await asyncio.Event().wait()
            raise AssertionError

    class Suite(ModelSuite):
        time_limit = 0.05

        def model(self) -> Model:
            return Hanging()

    with pytest.raises(TimeoutError):
        Suite().test_a_response_is_complete_and_can_be_stored()


def test_a_room_whose_halves_differ_fails() -> None:
    def lose_a_part(response: ModelResponse, request: Any) -> Any:
        body = openai_chat.ROOM.encode_response(response, request)
        body['choices'][0]['message']['content'] = 'always the same'
        body['choices'][0]['finish_reason'] = 'stop'
        return body

    original = openai_chat.ROOM

    class Suite(WireSuite):
        room = Room('broken', original.make, original.decode_request, lose_a_part, original.encoder, original.features)

    for name in (
        'test_a_stream_ends_with_the_response_of_a_whole_request',
        'test_every_finish_reason_is_decoded_from_bodies_and_streams',
        'test_every_character_of_a_text_is_kept',
        'test_a_response_without_parts_is_valid',
    ):
        with pytest.raises(AssertionError):
            getattr(Suite(), name)()


def test_a_project_runs_the_suite_with_three_lines(pytester: pytest.Pytester) -> None:
    pytester.makeini('[pytest]\nasyncio_default_fixture_loop_scope = function\n')
    pytester.makepyfile(
        """
        from pydantic_llm.models.test import TestModel
        from pydantic_llm.testing import ModelSuite

        class TestMyModel(ModelSuite):
            def model(self):
                return TestModel()
        """
    )
    result = pytester.runpytest_inprocess('-p', 'no:cacheprovider')
    result.assert_outcomes(passed=len(names_of_tests(ModelSuite)))
