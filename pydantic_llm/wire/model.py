"""`WireModel`: `request` and `request_stream`, written once for every API.

A room provides pure functions (the path, the body, a decoder); this module moves the bytes between them and a
`Connection`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Unpack, cast

from pydantic_core import from_json, to_json
from typing_extensions import TypeVar

from .._type_checks import check_model_name
from ..exceptions import (
    LLMError,
    ModelHTTPError,
    ModelTimeoutError,
    NotFoundError,
    UnexpectedModelBehavior,
    UserError,
)
from ..json_types import Json
from ..messages import CompactionPart, FileUrl, ModelMessage, ModelResponse
from ..models import ModelRequestParameters, StreamedResponse, check_allow_model_requests
from ..models.description import RequestDescription, describe_provider, describe_reading
from ..models.options import ServerOptions, read_options
from ..observers import HeadersReceived, notify
from ..profiles import ModelProfile, ModelProfileSpec
from ..profiles.history import UNKNOWN_SERVER, HistoryRules
from ..providers import ApiKey, Provider, choose_provider
from ..retries.budget import Budget
from ..settings import ModelSettings, merge_model_settings
from ..streaming.draft import ResponseDraft
from ..streaming.parts import PartsManager
from ..transport import ByteStream, Deadlines, RawRequest, RawResponse
from ..transport.errors import error_from_event, error_from_response
from ..transport.keys import hide_keys_in_error
from ..usage import RequestUsage
from .decoder import ResponseDecoder
from .files import download_files, with_stand_ins
from .json_body import write_body
from .prepare import PreparedRequest, PreparingModel, RequestPreview
from .reader import ResponseReader
from .served_fields import add_extra_body, find_foreign_fields
from .stream import JSON_HEADERS, BodyStream, WireStream
from .token_count import TokenCountApi

if TYPE_CHECKING:
    from .batch_api import BatchApi, BatchRow

__all__ = ('CompactionApi', 'WireModel')

ProfileT = TypeVar('ProfileT', bound=ModelProfile, default=ModelProfile)


@dataclass(frozen=True)
class CompactionApi:
    """How an API is asked for a summary of a conversation."""

    encode: Callable[[Json, str | None], Json]
    """Returns the body, from that of a request for a response and the instructions for the summary."""
    path: str | None = None
    """The path of the request; `None` if it is that of other requests."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class WireModel(PreparingModel, Generic[ProfileT]):
    """A model behind an API. A room's `model.py` subclasses this, with the class of its profiles."""

    profile_type: type[ProfileT]
    """The class of the profiles that the room reads: `ProfileT`."""
    api_name: ClassVar[str]
    """The name of the API's response, for errors: 'a chat completion'."""
    history_rules: ClassVar[HistoryRules] = UNKNOWN_SERVER
    keeps_checks: ClassVar[bool] = True
    compaction_api: ClassVar[CompactionApi | None] = None
    """`None` if the API has no such request."""
    token_count_api: ClassVar[TokenCountApi | None] = None
    """`None` if the API cannot count the tokens of a request."""
    encodes_items: ClassVar[bool] = False
    """True if `encode` returns `JsonItems` when the request asks for them (`writes_items`)."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if 'encode' in vars(cls) and 'encodes_items' not in vars(cls):
            cls.encodes_items = False  # it changes a body of dicts and lists
        if 'merged_settings' in vars(cls) and 'keeps_checks' not in vars(cls):
            cls.keeps_checks = False  # it may depend on anything

    def __init__(
        self,
        model_name: str | None = None,
        *,
        provider: Provider[Any] | str,
        api_key: ApiKey | None = None,
        settings: ModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        given = read_options(
            type(self),
            options,
            model_name=model_name,
            settings=settings,
            api_key=api_key,
            own_settings=self.own_settings or (),
            provider=provider,
        )
        check_model_name(given.model_name)
        super().__init__(settings=given.settings, profile=profile)
        self._model_name = given.model_name
        self._provider = self._choose_provider(provider, given.api_key, given.base_url)
        self._message_facts = self._describe_messages(given.roles, given.flatten)

    def _choose_provider(
        self, provider: Provider[Any] | str, api_key: ApiKey | None, base_url: str | None
    ) -> Provider[Any]:
        """Return the provider, made with the key and the URL if only its name is given."""
        return choose_provider(provider, api_key, base_url)

    # what a room implements

    @abstractmethod
    def path(self, request: PreparedRequest) -> str:
        """Return the path of the request, below the provider's base URL."""

    @abstractmethod
    def encode(self, request: PreparedRequest) -> Json:
        """Encode the request's body."""

    @abstractmethod
    def new_decoder(self, draft: ResponseDraft) -> ResponseDecoder:
        """Return a decoder for one response."""

    def headers(self, request: PreparedRequest) -> dict[str, str]:
        """Return headers in addition to the client's. Overridden if the API has any."""
        return {}

    def response_in_error(self, error: ModelHTTPError) -> Json | None:
        """Return the response that an error body contains, if any. Overridden if the API has such errors."""
        return None

    def must_download(self, url: FileUrl) -> bool:
        """Return whether the file must be sent as bytes, since the API cannot fetch this URL. Overridden by rooms."""
        return False

    def get_batch_api(self) -> BatchApi | None:
        """Return how requests run in batches; `None` if they cannot. Overridden by rooms, which import it here."""
        return None

    # what follows from it

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return self._provider.name

    @property
    def base_url(self) -> str:
        return self._provider.base_url

    @property
    def provider(self) -> Provider[Any]:
        return self._provider

    @property
    def client(self) -> Any:
        return self._provider.client

    @property
    def profile(self) -> ProfileT:
        profile = super().profile
        if not isinstance(profile, self.profile_type):
            profile = self._profile = self._make_profile()
        return profile

    def _make_profile(self) -> ProfileT:
        return self.profile_type.of(super()._make_profile()).merge(self._message_facts)

    def _own_profile(self) -> ModelProfile:
        return self.profile_type.of(self._provider.model_profile(self.model_name) or super()._own_profile())

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        request, budget = await self._prepare_to_send(messages, model_settings, model_request_parameters)
        raw = await self.make_raw_request(request, budget)
        return await self._request_body(raw, budget, request.warnings, request.parameters, request.refused_stops)

    def preview(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None = None,
        parameters: ModelRequestParameters | None = None,
    ) -> RequestPreview:
        """Encode a request without sending it. Files are not downloaded: a few bytes stand for each of them."""
        raw, warnings = self._encode_unsent(messages, settings, parameters)
        return RequestPreview((raw.path, raw.body), warnings)

    def describe_request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestDescription:
        raw, warnings = self._encode_unsent(messages, model_settings, model_request_parameters)
        has_output = model_request_parameters is not None and model_request_parameters.output_object is not None
        reading = describe_reading(self.profile, has_output=has_output)
        return RequestDescription(
            model_id=self.model_id,
            base_url=self.base_url,
            path=raw.path,
            body=raw.body,
            headers=raw.headers,
            context={**describe_provider(self._provider.default_headers), **reading},
            warnings=tuple(warnings),
        )

    def _encode_unsent(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
    ) -> tuple[RawRequest, list[str]]:
        """Encode a request that is not sent, with stand-ins for files that would be downloaded."""
        request = self.prepare(messages, settings, parameters)
        request.messages = with_stand_ins(request.messages, self.must_download)
        return self._encode_request(request), request.warnings

    async def _prepare_to_send(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
        *,
        stream: bool = False,
    ) -> tuple[PreparedRequest, Budget]:
        """Return a request with its files downloaded, and its budget. The time of the budget runs from here on."""
        check_allow_model_requests()
        request = self.prepare(messages, settings, parameters, stream=stream)
        await self._provider.connection.load()
        budget = Budget.of(request.settings)
        await self._download_files(request, budget)
        return request, budget

    async def _download_files(self, request: PreparedRequest, budget: Budget) -> None:
        """Replace URLs by files that are downloaded, within the deadlines of the request."""
        known = request.get_known()
        if known is not None and not known.has_items:
            return  # tool results with files need a repair
        name, seconds = 'timeout', budget.seconds_left
        first = request.settings.get('first_token_timeout') if request.stream else None
        if first is not None and (seconds is None or first < seconds):
            name, seconds = 'first_token_timeout', first
        try:
            with budget.track_time():
                request.messages = await download_files(request.messages, self.must_download, timeout=seconds)
        except TimeoutError:
            limit = request.options.get(name)
            raise ModelTimeoutError(self.model_name, deadline=name, seconds=limit, provider_name=self.system) from None

    async def _request_body(
        self,
        raw: RawRequest,
        budget: Budget,
        warnings: Sequence[str] = (),
        parameters: ModelRequestParameters | None = None,
        stop_sequences: Sequence[str] = (),
    ) -> ModelResponse:
        """Send a request and decode the whole body, with the retries that its budget allows."""

        async def attempt() -> ModelResponse:
            response = await self._send(_with_time_left(raw, budget))
            reader = self.new_reader(
                [*warnings, *budget.warnings()],
                parameters=parameters,
                stop_sequences=stop_sequences,
                records_events=False,
            )
            try:
                reader.read_body(response.body, response.headers)
                return reader.draft.get()
            except LLMError as error:
                hide_keys_in_error(error, response.find_keys())
                failure = error
            raise failure

        return await budget.run(attempt)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        request, budget = await self._prepare_to_send(messages, model_settings, model_request_parameters, stream=True)
        raw = await self.make_raw_request(request, budget)

        async def open_bytes() -> ByteStream:
            return await self._open(_with_time_left(raw, budget))

        stream = WireStream(
            await budget.run(open_bytes),
            request.parameters,
            budget=budget,
            new_reader=lambda: self.new_reader(
                [*request.warnings, *budget.warnings()],
                parameters=request.parameters,
                stop_sequences=request.refused_stops,
            ),
            open_bytes=open_bytes,
        )
        try:
            yield stream
        finally:
            await stream.cancel()

    async def compact_messages(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
        *,
        instructions: str | None = None,
    ) -> ModelResponse:
        if (api := self.compaction_api) is None:
            return await super().compact_messages(messages, instructions=instructions)
        headers = {**api.headers, **(model_settings or {}).get('extra_headers', {})}
        settings = merge_model_settings(model_settings, {'extra_headers': headers} if headers else None)
        request, budget = await self._prepare_to_send(messages, settings, model_request_parameters)
        raw = self._encode_request(request)
        body = api.encode(from_json(raw.body), instructions)
        raw = replace(raw, path=api.path or raw.path, body=to_json(body))
        response = await self._request_body(raw, budget, request.warnings)
        if not any(isinstance(part, CompactionPart) for part in response.parts):
            raise UnexpectedModelBehavior(f'The response of {self.model_name} has no summary of the conversation')
        return response

    async def count_tokens(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> RequestUsage:
        if (api := self.token_count_api) is None:
            return await super().count_tokens(messages, model_settings, model_request_parameters)
        request, budget = await self._prepare_to_send(messages, model_settings, model_request_parameters)
        raw = self._encode_request(request)
        path, body = api.encode(raw.path, from_json(raw.body))
        counted = RequestUsage()
        for part in api.split(body):
            response = await self._send_count(replace(raw, path=path, body=to_json(part)), budget)
            counted += api.decode(response.body, self.model_name)
        return counted

    async def _send_count(self, raw: RawRequest, budget: Budget) -> RawResponse:
        async def attempt() -> RawResponse:
            return await self._provider.connection.send(_with_time_left(raw, budget))

        return await budget.run(attempt)

    async def encode_for_batch(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None = None,
        parameters: ModelRequestParameters | None = None,
        *,
        dropped_settings: Mapping[str, str] | None = None,
        was_sent: bool = False,
    ) -> tuple[RawRequest, PreparedRequest]:
        """Encode a request as `request` sends it, with its files downloaded.

        `dropped_settings` are not sent, each with a warning that has its value as the reason. If the request was sent
        before, files are not downloaded again.
        """
        if was_sent:
            request = self.prepare(messages, settings, parameters)
            request.messages = with_stand_ins(request.messages, self.must_download)
        else:
            request, _ = await self._prepare_to_send(messages, settings, parameters)
        for name, reason in (dropped_settings or {}).items():
            request.drop_setting(name, reason)
        if request.refused_stops:
            request.note('the responses of a batch are not truncated at stop sequences')
        return self._encode_request(request), request

    def decode_batch_row(
        self, row: BatchRow, warnings: Sequence[str] = (), parameters: ModelRequestParameters | None = None
    ) -> ModelResponse:
        """Decode the result of a request in a batch. Raises what `request` raises.

        Most vendors do not say in the body that it is of a batch: `processing` in the details selects its prices.
        """
        headers = {'x-request-id': row.request_id} if row.request_id else {}
        body = row.body
        if row.outcome == 'error':
            body = from_json(self._find_body_in_error_row(row, headers))
        reader = self.new_reader(warnings, parameters=parameters, records_events=False)
        reader.begin(headers)
        reader.decode(body)
        response = reader.draft.get()
        response.provider_details = {**(response.provider_details or {}), 'processing': 'batch'}
        return response

    def _find_body_in_error_row(self, row: BatchRow, headers: Mapping[str, str]) -> bytes:
        names = {'model_name': self.model_name, 'provider_name': self.system}
        if row.status is not None:
            return self._find_body_in_error(error_from_response(row.status, headers, to_json(row.body), **names))
        error = error_from_event(row.body, **names)
        if not isinstance(error, ModelHTTPError):
            raise error
        error.in_stream = False
        error.request_id = error.request_id or row.request_id
        return self._find_body_in_error(error)

    async def aclose(self) -> None:
        await self._provider.connection.aclose()

    async def _send(self, raw: RawRequest) -> RawResponse:
        try:
            response = await self._provider.connection.send(raw)
            notify(HeadersReceived(response.headers, response.find_keys))
            return response
        except ModelHTTPError as error:
            notify(HeadersReceived(error.headers))
            return RawResponse(self._find_body_in_error(error), {**error.headers, **JSON_HEADERS})

    async def _open(self, raw: RawRequest) -> ByteStream:
        try:
            stream = await self._provider.connection.open(raw)
            notify(HeadersReceived(stream.headers, stream.find_keys))
            return stream
        except ModelHTTPError as error:
            notify(HeadersReceived(error.headers))
            return BodyStream(self._find_body_in_error(error), {**error.headers, **JSON_HEADERS})

    def _find_body_in_error(self, error: ModelHTTPError) -> bytes:
        """Return the response that this error contains; raise the error if it contains none."""
        if (response := self.response_in_error(error)) is None:
            raise self._with_suggested_name(error)
        return to_json(response)

    def _with_suggested_name(self, error: ModelHTTPError) -> ModelHTTPError:
        """Add a "did you mean" to the error for an unknown model name."""
        if isinstance(error, NotFoundError):
            from ..models.names import nearest_name

            if meant := nearest_name(self.system, self.model_name):
                error.message = f'{error.message} (did you mean {meant!r}?)'
                error.args = (error.message,)
        return error

    async def make_raw_request(self, request: PreparedRequest, budget: Budget) -> RawRequest:
        """Return the request as bytes. Overridden if something must be made at the vendor first."""
        return self._encode_request(request)

    def _encode_request(self, request: PreparedRequest) -> RawRequest:
        settings = request.settings
        extra = settings.get('extra_body', {})
        request.writes_items = self.encodes_items
        if extra:
            _check_choices(extra)
            encoded = self.encode(request)
            body = add_extra_body(encoded, extra)  # raises for a served field that would replace one
            if foreign := find_foreign_fields(extra, self.settings_prefix):
                request.note(f'{", ".join(map(repr, sorted(foreign)))} was not sent: this API has no such field')
                body = add_extra_body(encoded, {name: extra[name] for name in extra.keys() - foreign})
        else:
            body = self.encode(request)
        content = write_body(body)
        headers = self.headers(request) | settings.get('extra_headers', {})
        return RawRequest(self.path(request), content, self.model_name, headers, Deadlines.from_settings(settings))

    def new_reader(
        self,
        warnings: Sequence[str] = (),
        tool_names: Collection[str] = (),
        *,
        stop_sequences: Sequence[str] = (),
        parameters: ModelRequestParameters | None = None,
        records_events: bool = True,
    ) -> ResponseReader:
        """Return a reader for one response. `warnings` and `parameters` are those of the request.

        `tool_names` are its tools, if there are no parameters. The text ends before any of the `stop_sequences`, which
        the model refuses.
        """
        parts = PartsManager(records_events=records_events)
        draft = ResponseDraft(self.model_name, self.system, self.base_url, [*warnings], parts)
        draft.tool_names = frozenset(tool_names)
        if parameters is not None:
            draft.tool_names = frozenset([tool.name for tool in parameters.tools])
            draft.expects_json = parameters.output_object is not None
            if draft.tool_names and self.profile.text_tool_calls:
                from ..streaming.text_calls.parts import find_text_calls  # few models need it

                find_text_calls(draft, parameters.tools, self.profile.text_tool_calls, records_events=records_events)
        if stop_sequences:
            from ..streaming.stopped_parts import stop_draft  # few models need it

            stop_draft(draft, stop_sequences, records_events=records_events)
        return ResponseReader(self.new_decoder(draft), api_name=self.api_name, base_url=self.base_url)


IMPERCEPTIBLE = 0.001
"""Seconds that are not subtracted from a deadline: the first attempt of a request begins after less."""

CHOICES_FIELDS = ('n', 'best_of', 'num_generations', 'candidateCount', 'candidate_count')
"""The fields by which APIs return several responses to one request: OpenAI's, Cohere's, Google's."""


def _check_choices(extra_body: Mapping[str, Any]) -> None:
    """Raise `UserError` if `extra_body` asks for several responses, of which all but one would be lost."""
    nested = extra_body.get('generationConfig')
    objects = [extra_body, cast('Mapping[str, Any]', nested)] if isinstance(nested, Mapping) else [extra_body]
    for fields in objects:
        if name := next((name for name in CHOICES_FIELDS if fields.get(name, 1) not in (None, 1)), None):
            raise UserError(
                f'extra_body has {name}={fields[name]!r}, and one request has one response: send several requests'
            )


def _with_time_left(raw: RawRequest, budget: Budget) -> RawRequest:
    """Return the request with the time that downloads and earlier attempts left of its deadlines."""
    if budget.timeout is None or (spent := budget.spent) < IMPERCEPTIBLE:
        return raw
    return replace(raw, deadlines=replace(raw.deadlines, waited=spent))
