"""`AgentModel`: an agent as a model, so that wrappers, the gateway and other agents can use it.

Each request is a run of the agent. `caller_request` makes a run of a request, `visible_parts` decides which of its
parts the caller sees, `hidden_rounds` keeps the others for the request that continues the run.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self

from typing_extensions import TypeVar

from .._type_checks import check_messages, check_type
from ..exceptions import LLMError, ModelAPIError, ModelTimeoutError, StreamInterruptedError
from ..messages import ModelMessage, ModelResponse
from ..models import BufferedStream, Model, ModelRequestParameters, StreamedResponse
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..streaming.draft import ResponseDraft
from ..tools.deferred import DeferredToolRequests
from ..transport import Deadlines
from ..transport.deadlines import DeadlineExceeded, Watchdog
from ..usage import RequestUsage, UsageLimits
from .agent import Agent
from .agent_run import execute_run
from .background_run import BackgroundRun
from .caller_request import CallerRequest, apply_request
from .event_channel import ChannelClosed
from .hidden_rounds import HiddenRounds
from .overrides import get_overrides
from .result import AgentRunResult
from .run_state import RunState
from .visible_parts import VisibleParts

if TYPE_CHECKING:
    pass

__all__ = ('AgentModel',)

DepsT = TypeVar('DepsT', default=None)

logger: logging.Logger = logging.getLogger('pydantic_llm.agent')


class AgentModel(Model, Generic[DepsT]):
    """An agent as a model. A request runs the agent on the messages; its tools are called inside.

    The response has the final text, or the JSON of a structured output, and the usage of the whole run. Tools that the
    caller offers are offered to the agent's model too: a call of one ends the run, and is in the response; the request
    with its result continues the run. An output that the caller requests replaces the agent's.

    Args:
        agent: The agent.
        deps: The dependencies of each run.
        usage_limits: The limits of each run. The default is 50 requests.
    """

    deciding_attributes: ClassVar[tuple[str, ...]] = ('agent', 'deps')
    """An agent is another one in each process: its functions cannot be described."""

    def __init__(
        self, agent: Agent[DepsT, Any], *, deps: DepsT | None = None, usage_limits: UsageLimits | None = None
    ) -> None:
        check_type(agent, Agent, parameter='agent')
        check_type(usage_limits, UsageLimits, parameter='usage_limits')
        super().__init__()
        self.agent = agent
        self.deps = deps
        self.usage_limits = usage_limits
        self._hidden_rounds = HiddenRounds()

    @property
    def model_name(self) -> str:
        """The agent's name; `'agent'` if it has none."""
        return self.agent.name or 'agent'

    @property
    def profile(self) -> ModelProfile:
        """The profile of the agent's model. Raises `UserError` if the agent has none."""
        return self.members[0].profile

    @property
    def members(self) -> Sequence[Model]:
        """The agent's model. Raises `UserError` if the agent has none."""
        model, *_ = self.agent._resolve_model(get_overrides(self.agent).get('model'))  # pyright: ignore[reportPrivateUsage] -- same package
        return (model,)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Run the agent and return its output as a response.

        Raises the errors of a run, and `ModelAPIError` if a tool, or another function of the agent, raises one of its
        own.
        """
        run, visible, watchdog = self._prepare(messages, model_settings, model_request_parameters)
        try:
            with self.translate_errors(visible.draft), watchdog:
                result = await execute_run(run)
        finally:
            watchdog.close()
        visible.skip_paused(messages[-1])
        visible.add_responses(run.conversation.messages[run.conversation.first_new :])
        self.finish_draft(run, result, visible)
        return visible.draft.get()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Run the agent and stream its text and its thinking.

        Whether a text is the final one is known when the model's response ends: if the run goes on, its part starts
        again, as thinking. Raises the errors of `request`, while iterating.
        """
        run, visible, watchdog = self._prepare(messages, model_settings, model_request_parameters)
        async with BackgroundRun(run, partial(execute_run, run)) as background:
            stream = _AgentStream(self, background, visible, watchdog, model_request_parameters)
            try:
                yield stream
            finally:
                await stream.cancel()

    def _prepare(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
    ) -> tuple[RunState, VisibleParts, Watchdog]:
        """Return a new run, and what builds the response."""
        check_messages(messages)
        check_type(parameters, ModelRequestParameters, parameter='model_request_parameters')
        self.merged_settings(settings)  # raises `UserError` for an invalid value
        request = CallerRequest.of(self._hidden_rounds.restore(messages), settings, parameters)
        run = self.agent._prepare_run(  # pyright: ignore[reportPrivateUsage] -- same package
            None,
            deps=self.deps,
            message_history=request.messages,
            model_settings=request.settings,
            usage_limits=self.usage_limits,
        )
        apply_request(run, request)
        draft = ResponseDraft(self.model_name, self.system, warnings=[*request.warnings])
        visible = VisibleParts(
            draft,
            shows_text=run.spec.output.is_text and not run.spec.output_validators,
            shows_native=bool(request.parameters.native_tools),
        )
        return run, visible, Watchdog(Deadlines((settings or {}).get('timeout')))

    def finish_draft(self, run: RunState, result: AgentRunResult[Any], visible: VisibleParts) -> None:
        """Complete the response of a run that ended: its output, usage, finish reason and warnings."""
        draft, last, output = visible.draft, result.response, result.output
        new = run.conversation.messages[run.conversation.first_new :]
        draft.finish_reason = 'stop' if last.finish_reason == 'tool_call' else last.finish_reason
        if isinstance(output, DeferredToolRequests):
            visible.add_calls(self._hidden_rounds.keep(run, output))
            draft.finish_reason = 'tool_call'
        else:
            visible.add_output(output)
        draft.parts.end()
        draft.usage = RequestUsage() + run.conversation.usage
        draft.provider_details = {**(last.provider_details or {})}
        draft.timestamp = last.timestamp
        warnings = (warning for message in new if isinstance(message, ModelResponse) for warning in message.warnings)
        draft.warnings = [*dict.fromkeys([*draft.warnings, *warnings])]
        draft.state = 'incomplete' if last.state == 'incomplete' else 'complete'

    @contextmanager
    def translate_errors(self, draft: ResponseDraft) -> Generator[None]:
        """Raise only errors of this library, as models do.

        The message of any other names its class alone, since it may be shown to a client; the error itself is logged.
        """
        try:
            yield
        except DeadlineExceeded as exceeded:
            draft.state = 'interrupted'
            raise ModelTimeoutError(
                self.model_name, deadline=exceeded.deadline, seconds=exceeded.seconds, provider_name=self.system
            ) from None
        except LLMError as error:
            draft.state = 'interrupted'
            if isinstance(error, StreamInterruptedError):
                error.response = draft.get()
            raise
        except Exception as error:
            draft.state = 'interrupted'
            logger.exception('A function of %s failed', self.model_id)
            message = f'A function of the agent {self.model_name!r} failed: {type(error).__name__}'
            raise ModelAPIError(self.model_name, message, provider_name=self.system) from error

    async def aclose(self) -> None:
        """Close the connections of the agent's model."""
        if isinstance(self.agent.model, Model):
            await self.agent.model.aclose()

    async def __aenter__(self) -> Self:
        """Open the agent's toolsets for all requests inside the block."""
        await self.agent.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.agent.__aexit__(kind, error, traceback)


class _AgentStream(BufferedStream):
    """The response of a run, as a stream of events."""

    def __init__(
        self,
        model: AgentModel[Any],
        background: BackgroundRun[AgentRunResult[Any]],
        visible: VisibleParts,
        watchdog: Watchdog,
        parameters: ModelRequestParameters | None,
    ) -> None:
        super().__init__(visible.draft, parameters)
        self._model = model
        self._background = background
        self._visible = visible
        self._watchdog = watchdog

    async def _read_more(self) -> None:
        if self._ended:
            raise StopAsyncIteration
        while not (self._visible.has_events or self._ended):
            await self._read_event()
        self._ready.extend(self._visible.take_events())
        if not self._ready:
            raise StopAsyncIteration

    async def _read_event(self) -> None:
        background = self._background
        with self._model.translate_errors(self.draft), self._watchdog:
            try:
                event = await background.receive()
            except ChannelClosed:
                event, self._ended = None, True
        if event is not None:
            self._visible.add(event)
        elif self._ended and background.result is not None and not self._cancelled:
            self._model.finish_draft(background.run, background.result, self._visible)

    def get(self) -> ModelResponse:
        self.usage()
        return super().get()

    def usage(self) -> RequestUsage:
        run = self._background.run
        self.draft.usage = RequestUsage() + run.conversation.usage
        if run.stream is not None:
            self.draft.usage += run.stream.usage()
        return self.draft.usage

    async def close(self) -> None:
        self._watchdog.close()
        await self._background.cancel()
