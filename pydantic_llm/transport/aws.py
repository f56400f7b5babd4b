"""A boto3 client's address, credentials and hooks, over an asynchronous HTTP client.

boto3 blocks: each request that waits for an answer takes a thread. So boto3 builds and signs the request, and we send
it. The client's own handlers of `before-call`, `request-created`, `choose-signer`, `before-sign` and `before-send` are
called as boto3 calls them; those that look at parameters or at answers are not, since there are none of boto3's.
Credentials that have to be fetched are fetched in a thread (`Identity`).

Much of what is read off the client here is not public in botocore: `tests/transport/test_aws.py` compares what is sent
with what boto3 sends, and would see a change.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from importlib import import_module
from typing import Any

from ..exceptions import UserError
from . import ByteStream, Deadlines, RawRequest
from .client_errors import ErrorTranslator
from .eventstream import CONTENT_TYPE, FrameSplitter, encode_sse
from .loops import LoopClients
from .response import ClientConnection, client_timeout

__all__ = ('AwsConnection', 'Identity')

MISTAKES: dict[str, str] = {
    'NoCredentialsError': (
        'AWS credentials were not found: set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, '
        'configure a profile, or give api_key=, aws_access_key_id= and aws_secret_access_key=, or profile_name='
    ),
    'NoAuthTokenError': (
        'The client that was given as bedrock_client= signs with a bearer token, and has none: set '
        'AWS_BEARER_TOKEN_BEDROCK before it is made'
    ),
    'InvalidEndpointConfigurationError': (
        'boto3 sends a bearer token over https alone, and the address of bedrock_client= is none: give api_key= and '
        'base_url= instead'
    ),
}
"""Mistakes of the caller that show only when a request is signed: botocore's exceptions, and what to say."""


REWRITES = (
    'http_client= goes through aiohttp, which writes addresses in its own way, and a signature holds for one address: '
    'give another client, or none, or an API key (api_key=, AWS_BEARER_TOKEN_BEDROCK)'
)
"""What is said of a client that would spoil the signature."""


class AwsConnection(ClientConnection):
    """Sends what a boto3 client has signed through a client of httpx2 or httpx.

    `operations` are the API's names of operations by what their paths end in.
    """

    def __init__(
        self, clients: LoopClients[Any], aws: Any, operations: Mapping[str, str], *, provider_name: str
    ) -> None:
        self._errors = import_module('botocore.exceptions')
        unreachable = (self._errors.ConnectionError, self._errors.HTTPClientError)
        super().__init__(clients, ErrorTranslator(provider_name, 'botocore', connection=unreachable))
        self._aws = aws
        self._operations = operations
        self._identity = Identity(aws)

    async def open(self, request: RawRequest) -> ByteStream:
        """Send a request and get its answer as it comes; frames as server-sent events."""
        stream = await super().open(request)
        return Unframed(stream) if stream.headers.get('content-type', '').startswith(CONTENT_TYPE) else stream

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        """The response, open. Redirects are not followed: the signature is good for one address."""
        signed = self.sign(request, await self._identity.get())
        if 'X-Amz-Date' in signed.headers and 'aiohttp' in type(client._transport).__module__:
            raise UserError(REWRITES)
        headers = {name: _text(value) for name, value in signed.headers.items()}
        own = {name.lower() for name in request.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in own} | dict(request.headers)
        timeout = client_timeout(type(client.timeout), client.timeout, deadlines)
        http_request = client.build_request(
            signed.method, signed.url, content=signed.body, headers=headers, timeout=timeout
        )
        response = await client.send(http_request, stream=True, follow_redirects=False)
        if not response.is_success:
            await response.aread()
            raise self.translator.from_response(response, request.model_name)
        return response

    def sign(self, request: RawRequest, credentials: Any = None) -> Any:
        """The request as boto3 would send it. `credentials` stand in for the client's own, which would be fetched."""
        try:
            return self._signed(request, credentials)
        except self._errors.BotoCoreError as error:
            if (said := MISTAKES.get(type(error).__name__)) is None:
                raise
        raise UserError(said)

    def _signed(self, request: RawRequest, credentials: Any) -> Any:
        aws = self._aws
        service = aws.meta.service_model
        operation = service.operation_model(self._operations[request.path.rpartition('/')[2]])
        context: dict[str, Any] = {
            'client_region': aws.meta.region_name,
            'client_config': aws.meta.config,
            'has_streaming_input': operation.has_streaming_input,
            'auth_type': operation.resolved_auth_type,
            'unsigned_payload': operation.unsigned_payload,
            'auth_options': service.metadata.get('auth'),
        }
        if credentials is not None:
            context['signing'] = {'request_credentials': credentials}
        fields: dict[str, Any] = {
            'url_path': request.path,
            'query_string': {},
            'method': operation.http['method'],
            'headers': {'Content-Type': 'application/json', **request.headers},
            'body': request.body,
        }
        import_module('botocore.awsrequest').prepare_request_dict(
            fields, aws.meta.endpoint_url, context, aws._user_agent_creator.to_string()
        )
        more = {'model': operation, 'params': fields, 'request_signer': aws._request_signer, 'context': context}
        self._tell('before-call', operation.name, **more)
        signed = aws._endpoint.create_request(fields, operation)
        self._tell('before-send', operation.name, request=signed)
        return signed

    def _tell(self, event: str, operation: str, **more: Any) -> None:
        """Call the client's handlers of an event. None may answer the request: nobody would read what boto3 reads."""
        events, service = self._aws.meta.events, self._aws.meta.service_model.service_id.hyphenize()
        handler, answer = events.emit_until_response(f'{event}.{service}.{operation}', **more)
        if answer is not None:
            name = getattr(handler, '__qualname__', repr(handler))
            raise UserError(
                f'bedrock_client= has a handler of {event!r} that answers requests itself ({name}), as stubs and mocks '
                'do: serve what it answers on a server, and give its address as base_url='
            )


def _text(value: str | bytes) -> str:
    return value.decode('latin-1') if isinstance(value, bytes) else value


class Unframed(ByteStream):
    """The frames of a stream as server-sent events."""

    def __init__(self, framed: ByteStream) -> None:
        self.headers = framed.headers
        self._framed = framed
        self._splitter = FrameSplitter()

    async def read(self) -> bytes:
        """The next events; empty at the end."""
        while chunk := await self._framed.read():
            if events := b''.join(map(encode_sse, self._splitter.feed(chunk))):
                return events
        return b''

    def progress(self) -> None:
        """An event has come."""
        self._framed.progress()

    async def aclose(self) -> None:
        """Close the connection now."""
        await self._framed.aclose()

    async def finish(self) -> None:
        """Let go of the connection, which can be used again."""
        await self._framed.finish()


# ---------------------------------------------------------------------- credentials


def _bears_a_token(aws: Any) -> bool:
    """Whether a client signs with a bearer token, which botocore decides anew for each request."""
    config, service = aws.meta.config, aws.meta.service_model
    context = {'client_config': config, 'auth_options': service.metadata.get('auth')}
    choose = import_module('botocore.handlers')._set_auth_scheme_preference_signer
    return bool((choose(context, service.signing_name) or config.signature_version) == 'bearer')


class Fetched:
    """What came of fetching credentials, for botocore to sign with: credentials, or what went wrong."""

    def __init__(self, credentials: Any = None, error: Exception | None = None) -> None:
        self._credentials = credentials
        self._error = error

    def get_frozen_credentials(self) -> Any:
        """The credentials. Raises what went wrong, in the middle of signing, as botocore would."""
        if self._error is not None:
            raise self._error
        return self._credentials


class Identity:
    """A boto3 client's credentials, fetched where they must be: from a metadata server, a single sign-on, a role.

    botocore blocks while it fetches. That happens in a thread of its own, and one fetch serves everyone who waits for
    it, in any event loop; whoever gives up waiting does not end it for the others.
    """

    def __init__(self, aws: Any) -> None:
        signer = aws._request_signer
        self._bears = _bears_a_token(aws)
        self._source: Any = signer._auth_token if self._bears else signer._credentials
        self._lock = threading.Lock()
        self._fetching: Future[Fetched] | None = None

    async def get(self) -> Fetched | None:
        """Freshly fetched credentials; `None` where the client's own can be used at once."""
        if not self._is_due():
            return None
        fetched = await asyncio.wrap_future(self._begin())
        return None if self._bears else fetched

    def _is_due(self) -> bool:
        """Whether botocore would fetch them, or try to. What kind is not known may take its time."""
        source = self._source
        if hasattr(source, 'refresh_needed'):
            return bool(source.refresh_needed())
        if hasattr(source, '_should_refresh'):
            return source._should_refresh() is not None
        known = source is None or type(source).__name__ in ('Credentials', 'ReadOnlyCredentials', 'FrozenAuthToken')
        return not known

    def _begin(self) -> Future[Fetched]:
        """The fetch that is under way, or a new one."""
        with self._lock:
            if self._fetching is None:
                self._fetching = Future()
                self._fetching.set_running_or_notify_cancel()
                threading.Thread(target=self._fetch, args=(self._fetching,), daemon=True).start()
            return self._fetching

    def _fetch(self, future: Future[Fetched]) -> None:
        try:
            source = self._source
            fetched = Fetched(source.get_frozen_token() if self._bears else source.get_frozen_credentials())
        except Exception as error:  # noqa: BLE001 -- raised where a request is signed with them
            fetched = Fetched(error=error)
        with self._lock:
            self._fetching = None
        future.set_result(fetched)
