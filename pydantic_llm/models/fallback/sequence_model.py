"""The base class of `FallbackModel` and `RouterModel`: a model that sends a request to one of its models at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..._type_checks import check_messages
from ...exceptions import UserError
from ...messages import ModelMessage, ModelResponse
from ...profiles import ModelProfile, StructuredOutputMode
from ...retries.budget import Budget
from ...settings import ModelSettings, merge_model_settings
from ...usage import RequestUsage
from .. import Model, ModelRequestParameters, StreamedResponse
from .rules import FallbackOn, FallbackRules
from .sequence import MID_STREAM, MidStream, ModelSequence, SequenceRequest
from .stream import SequenceStream

if TYPE_CHECKING:
    from ..description import RequestDescription


class SequencedRequests(Model):
    """A model that sends each of its requests, whole and streamed, through a `ModelSequence`."""

    @abstractmethod
    def new_sequence(self, request: SequenceRequest) -> ModelSequence:
        """Return the models to try for one request."""

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        request = self._new_request(messages, model_settings, model_request_parameters)
        return await request.budget.run(self.new_sequence(request).request)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        request = self._new_request(messages, model_settings, model_request_parameters)
        stream = SequenceStream(self.new_sequence(request))
        try:
            await request.budget.run(stream.open_first)
            yield stream
        finally:
            await stream.cancel()

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        """Return what the first member counts."""
        return await self.members[0].count_tokens(messages, model_settings, model_request_parameters)

    def _new_request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
    ) -> SequenceRequest:
        check_messages(messages)
        budget = Budget.of(self.merged_settings(model_settings))
        # a setting of `None` takes that of a member back too, so it is passed on
        passed: ModelSettings = merge_model_settings(self.settings, model_settings) or {}
        return SequenceRequest(messages, passed, parameters, budget)


class SequenceModel(SequencedRequests):
    """A model that tries other models in order. Subclasses define the order by `new_sequence`."""

    def __init__(
        self, fallback_on: FallbackOn | Sequence[FallbackOn], mid_stream: MidStream, settings: ModelSettings | None
    ) -> None:
        super().__init__(settings=settings)
        self.rules: FallbackRules = FallbackRules(fallback_on)
        if mid_stream not in MID_STREAM:
            raise UserError(f"mid_stream is 'raise', 'restart' or 'continue', not {mid_stream!r}")
        self.mid_stream: MidStream = mid_stream

    @property
    @abstractmethod
    def members(self) -> Sequence[Model]:
        """All models that may be tried."""

    def _own_profile(self) -> ModelProfile:
        return common_profile([model.profile for model in self.members])

    def describe_request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestDescription:
        """Return what decides about the responses of all members. Raises `UserError` if none can get the request."""
        from ..description import RequestDescription, join_descriptions

        passed: ModelSettings = merge_model_settings(self.settings, model_settings) or {}
        described: list[RequestDescription] = []
        errors: list[UserError] = []
        for member in self.members:
            try:
                described.append(member.describe_request(messages, passed, model_request_parameters))
            except UserError as error:
                errors.append(error)
        if not described:
            raise errors[0]
        warnings = dict.fromkeys(warning for each in described for warning in each.warnings)
        body = join_descriptions(described)
        return RequestDescription(model_id=self.model_id, body=body, warnings=tuple(warnings))

    async def aclose(self) -> None:
        for model in self.members:
            await model.aclose()


def common_profile(profiles: Sequence[ModelProfile]) -> ModelProfile:
    """Return what every one of several models supports. Thinking needs only one: the others ignore the setting."""
    modes: set[StructuredOutputMode] = {profile.default_structured_output_mode for profile in profiles}
    tools = all(profile.supports_tools for profile in profiles)
    otherwise: StructuredOutputMode = 'tool' if tools else 'prompted'
    return ModelProfile(
        supports_tools=tools,
        supports_json_schema_output=all(profile.supports_json_schema_output for profile in profiles),
        supports_json_object_output=all(profile.supports_json_object_output for profile in profiles),
        supports_thinking=any(profile.supports_thinking for profile in profiles),
        native_tools_refuse=frozenset[StructuredOutputMode]().union(*(each.native_tools_refuse for each in profiles)),
        default_structured_output_mode=modes.pop() if len(modes) == 1 else otherwise,
    )
