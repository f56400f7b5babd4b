"""A conversation of 2,000 turns stays within its budget of tokens, and every vendor accepts every request of it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from pydantic_llm import Agent, ModelMessagesTypeAdapter, RunContext
from pydantic_llm.history import DropOldMedia, SummarizeOldTurns
from pydantic_llm.history.budget import count_tokens
from pydantic_llm.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserContent,
    UserPromptPart,
)
from pydantic_llm.models import Model, ModelRequestParameters
from pydantic_llm.settings import ModelSettings
from pydantic_llm.usage import RequestUsage, UsageLimits
from tests.conformance.rooms import ROOMS

TURNS = 2_000
BUDGET = 6_000
IMAGE = BinaryContent(b'png', media_type='image/png', identifier='chart.png')


class Writer(Model):
    """Writes summaries. Every fourth request fails."""

    requests = 0

    @property
    def model_name(self) -> str:
        return 'writer'

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        self.requests += 1
        summary = '' if self.requests % 4 == 0 else f'Summary {self.requests}: they looked at charts.'
        return ModelResponse([TextPart(summary)], usage=RequestUsage(input_tokens=1))


class Talker(Model):
    """Calls a tool in every second turn, then responds; each request is sent to the server of another room too."""

    def __init__(self) -> None:
        super().__init__()
        self.chance = Random(0)
        self.requests = 0
        self.largest = 0

    @property
    def model_name(self) -> str:
        return 'talker'

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        room = ROOMS[self.requests % len(ROOMS)]
        self.requests += 1
        self.largest = max(self.largest, count_tokens(messages))
        model = room.build()
        prepared = room.prepare(messages, None, model_request_parameters)
        received = room.decode_request(model.encode(prepared) | {'model': 'm'})
        assert received.messages
        assert not [
            warning for warning in prepared.warnings if 'tool call' in warning or 'was sent as text:' in warning
        ]
        return self._respond(messages, model.system)

    def _respond(self, messages: Sequence[ModelMessage], vendor: str) -> ModelResponse:
        thinking = ThinkingPart('Let me see. ' * 5, signature='c2ln', provider_name=vendor)
        number = self.requests
        has_result = messages[-1].parts[0].part_kind == 'tool-return'
        if has_result or self.chance.random() < 0.5:
            parts = [thinking, TextPart(f'Answer {number}. ' * self.chance.randrange(1, 250))]
        else:
            parts = [thinking, ToolCallPart('draw', {'number': number}, f'call_{number}')]
        return ModelResponse(parts, provider_name=vendor, usage=RequestUsage(input_tokens=10, output_tokens=5))


async def test_two_thousand_turns_stay_within_the_budget_and_every_request_is_accepted() -> None:
    model, writer, chance = Talker(), Writer(), Random(1)
    asked = 1

    async def ask_next(context: RunContext, messages: list[ModelMessage]) -> list[ModelMessage]:
        nonlocal asked
        if asked < TURNS and not isinstance(messages[-1].parts[0], ToolCallPart) and _is_prompt(messages[-1]):
            asked += 1
            files: list[UserContent] = [IMAGE] if chance.random() < 0.2 else []
            context.enqueue(f'Question {asked}. ' * chance.randrange(1, 250), *files, priority='when_idle')
        return messages

    agent = Agent(
        model,
        system_prompt='Be brief.',
        history_processors=[ask_next, SummarizeOldTurns(writer, max_tokens=BUDGET), DropOldMedia(3)],
    )

    @agent.tool_plain
    async def draw(number: int) -> list[UserContent]:
        return [f'Chart {number}', IMAGE] if number % 5 == 0 else [f'No chart {number}']

    result = await agent.run('Question 1.', usage_limits=UsageLimits(request_limit=None))
    history = result.all_messages()
    prompts = [part for message in history for part in message.parts if isinstance(part, UserPromptPart)]
    assert len(prompts) == TURNS
    assert BUDGET // 2 < model.largest <= BUDGET
    assert writer.requests < TURNS // 2
    assert count_tokens(history) > 20 * BUDGET
    before = model.requests
    stored = ModelMessagesTypeAdapter.validate_json(result.all_messages_json())
    await Agent(model, history_processors=[SummarizeOldTurns(writer, max_tokens=BUDGET)]).run(
        'And?', message_history=stored
    )
    assert model.requests > before
    assert model.largest <= BUDGET


def _is_prompt(message: ModelMessage) -> bool:
    return isinstance(message, ModelRequest) and any(isinstance(part, UserPromptPart) for part in message.parts)
