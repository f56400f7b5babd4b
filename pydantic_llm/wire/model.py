"""`request` and `request_stream`, written once for every remote room.

A room gives four pure functions (what to send, where to, how to read a body, how to read an event); this module moves
the bytes between them and a `Connection`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from pydantic_core import PydanticSerializationError, from_json, to_json

from ..exceptions import (
    LLMError,
    ModelHTTPError,
    NotFoundError,
    UnexpectedModelBehavior,
    UserError,
)
from ..json_types import Json
from ..messages import FileUrl, ModelMessage, ModelResponse
from ..models import Model, ModelRequestParameters, StreamedResponse, check_allow_model_requests
from ..profiles import ModelProfile, ModelProfileSpec
from ..providers import Provider
from ..retries.budget import Budget
from ..settings import ModelSettings
from ..streaming.draft import ResponseDraft
from ..transport import ByteStream, Connection, Deadlines, RawRequest, RawResponse
from ..transport.errors import error_from_invalid_json
from .files import download_files
from .header_listeners import tell_headers
from .prepare import PreparedRequest, prepare
from .stream import JSON_HEADERS, HeldAnswer, WireStream, with_what_is_left

BROKEN = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading an answer of the wrong shape raises."""


class WireModel(Model):
    """A model behind an API. A room's `model.py` subclasses this."""

    supported_settings: ClassVar[frozenset[str]]
    """The shared settings that the API has."""
    settings_prefix: ClassVar[str]
    """What the names of the room's own settings begin with."""
    own_settings: ClassVar[Collection[str] | None] = None
    """The names of the room's own settings; `None` takes whatever begins with the prefix."""
    profile_type: ClassVar[type[ModelProfile]] = ModelProfile
    """The class of the profiles that the room reads."""
    api_name: ClassVar[str]
    """The API's name, for messages."""

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any],
        settings: ModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        super().__init__(settings=settings, profile=profile)
        if not model_name:
            raise UserError('model_name is empty')
        self._model_name = model_name
        self._provider = provider

    # what a room says

    @abstractmethod
    def path(self, request: PreparedRequest) -> str:
        """Where the request goes, below the provider's base URL."""

    @abstractmethod
    def encode(self, request: PreparedRequest) -> Json:
        """The request's body."""

    @abstractmethod
    def decode(self, body: Json, draft: ResponseDraft) -> None:
        """Read a whole answer into the draft."""

    @abstractmethod
    def decode_event(self, event: Json, draft: ResponseDraft) -> None:
        """Read one event of a streamed answer into the draft. The last one sets the draft's state."""

    def decode_headers(self, headers: Mapping[str, str], draft: ResponseDraft) -> None:
        """Read what the answer's headers say. Overridden by rooms whose bodies do not say all."""

    def decode_end(self, draft: ResponseDraft) -> None:
        """The stream is over. Overridden by rooms that hold something back."""

    def headers(self, request: PreparedRequest) -> dict[str, str]:
        """Headers beside the client's own. Overridden by rooms whose API has any."""
        return {}

    def answer_in(self, error: ModelHTTPError) -> Json | None:
        """The answer that an error holds, where an API refuses what a model wrote and sends it along. Overridden."""
        return None

    def must_download(self, url: FileUrl) -> bool:
        """Whether the API cannot read this address by itself. Overridden by rooms."""
        return False

    # what follows from it

    @property
    def model_name(self) -> str:
        """The name of the model, as its vendor knows it."""
        return self._model_name

    @property
    def system(self) -> str:
        """The provider's name."""
        return self._provider.name

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return self._provider.base_url

    @property
    def provider(self) -> Provider[Any]:
        """Who is asked, and where."""
        return self._provider

    @property
    def client(self) -> Any:
        """The vendor's own client, as the provider made or got it."""
        return self._provider.client

    def _own_profile(self) -> ModelProfile:
        return self.profile_type.of(self._provider.model_profile(self.model_name) or super()._own_profile())

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Send a conversation, get the next turn."""
        check_allow_model_requests()
        request = await self._with_files(self.prepare(messages, model_settings, model_request_parameters))
        return await self._ask(self._call(request), request.settings, request.warnings)

    async def _ask(self, call: RawRequest, settings: ModelSettings, warnings: Sequence[str] = ()) -> ModelResponse:
        """Send a call whose answer is whole, as often as its budget allows."""
        budget = Budget.of(settings)

        async def attempt() -> ModelResponse:
            reply = await self._send(with_what_is_left(call, budget))
            draft = ResponseDraft(self.model_name, self.system, self.base_url, [*warnings])
            self.read_whole(reply.body, reply.headers, draft)
            return draft.get()

        return await budget.run(attempt)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a conversation, get the next turn as it is written."""
        check_allow_model_requests()
        request = await self._with_files(self.prepare(messages, model_settings, model_request_parameters, stream=True))
        call, budget = self._call(request), Budget.of(request.settings)

        async def attempt() -> ByteStream:
            return await self._open(with_what_is_left(call, budget))

        stream = WireStream(self, request, await budget.run(attempt), budget, attempt)
        try:
            yield stream
        finally:
            await stream.cancel()

    async def aclose(self) -> None:
        """Close the connections that this model's provider opened in the running event loop."""
        await self._connection().aclose()

    async def _send(self, call: RawRequest) -> RawResponse:
        try:
            reply = await self._connection().send(call)
            tell_headers(reply.headers)
            return reply
        except ModelHTTPError as error:
            tell_headers(error.headers)
            return RawResponse(self._held(error), JSON_HEADERS)

    async def _open(self, call: RawRequest) -> ByteStream:
        try:
            stream = await self._connection().open(call)
            tell_headers(stream.headers)
            return stream
        except ModelHTTPError as error:
            tell_headers(error.headers)
            return HeldAnswer(self._held(error))

    def _held(self, error: ModelHTTPError) -> bytes:
        """The answer that an error holds, as bytes. Raises the error where it holds none."""
        if (held := self.answer_in(error)) is None:
            raise self._with_what_was_meant(error)
        return to_json(held)

    def _with_what_was_meant(self, error: ModelHTTPError) -> ModelHTTPError:
        """The error, with the name that was meant by one that the vendor does not know."""
        if isinstance(error, NotFoundError):
            from ..models.names import nearest_name

            if meant := nearest_name(self.system, self.model_name):
                error.message = f'{error.message} (did you mean {meant!r}?)'
                error.args = (error.message,)
        return error

    def _connection(self) -> Connection:
        return self._provider.connection

    def prepare(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None = None,
        parameters: ModelRequestParameters | None = None,
        *,
        stream: bool = False,
    ) -> PreparedRequest:
        """The request as it shall be sent: what `encode` reads. Raises `UserError` for what cannot be sent."""
        return prepare(
            messages,
            self.merged_settings(settings),
            parameters,
            model_name=self.model_name,
            system=self.system,
            profile=self.profile,
            supported=self.supported_settings,
            prefix=self.settings_prefix,
            own=self.own_settings,
            stream=stream,
        )

    async def _with_files(self, request: PreparedRequest) -> PreparedRequest:
        request.messages = await download_files(request.messages, self.must_download)
        return request

    def _call(self, request: PreparedRequest) -> RawRequest:
        settings = request.settings
        body = self.encode(request) | settings.get('extra_body', {})
        try:
            content = to_json(body)
        except PydanticSerializationError as error:
            raise UserError(f'The request cannot be written as JSON: {error}') from error
        headers = self.headers(request) | settings.get('extra_headers', {})
        return RawRequest(self.path(request), content, self.model_name, headers, Deadlines.from_settings(settings))

    def new_draft(self, request: PreparedRequest) -> ResponseDraft:
        """The answer to a request, of which nothing is known yet."""
        return ResponseDraft(self.model_name, self.system, self.base_url, request.warnings)

    def read_whole(self, body: bytes, headers: Mapping[str, str], draft: ResponseDraft) -> None:
        """Read a whole answer, or say in our own words that it is none."""
        self.decode_headers(headers, draft)
        try:
            parsed = from_json(body)
        except ValueError:
            raise self._not_json(body, headers.get('content-type', '')) from None
        self.read(self.decode, parsed, draft)

    def not_a_stream(self, headers: Mapping[str, str]) -> LLMError:
        """The error for a stream that holds no event: a web page, nothing at all."""
        said = headers.get('content-type', '') or 'an untyped body'
        return UnexpectedModelBehavior(f'{self.base_url} answered with a stream that holds no event, but {said}')

    def _not_json(self, body: bytes, content_type: str) -> LLMError:
        """A body that says it is JSON was cut on the way; any other is not the API's."""
        if 'json' in content_type:
            return error_from_invalid_json(body, model_name=self.model_name, provider_name=self.system)
        return UnexpectedModelBehavior(
            f'{self.base_url} did not answer with {self.api_name} but with {content_type or "an untyped body"}',
            body[:2000].decode('utf-8', 'replace'),
        )

    def read(self, decode: Callable[[Json, ResponseDraft], None], data: Any, draft: ResponseDraft) -> None:
        """Read what came, or say in our own words that it is of the wrong shape."""
        try:
            decode(data, draft)
            draft.check()
        except BROKEN as error:
            text = to_json(data, serialize_unknown=True)[:2000].decode('utf-8', 'replace')
            what = f'{type(error).__name__}: {error}'
            raise UnexpectedModelBehavior(
                f'{self.base_url} did not answer with {self.api_name} ({what})', text
            ) from error
