"""Sends requests that a boto3 client has built and signed through an asynchronous HTTP client: `AwsConnection`.

boto3 blocks a thread for each request that waits for a response, so boto3 only builds and signs requests here. The
client's handlers of `before-call`, `request-created`, `choose-signer`, `before-sign` and `before-send` are called as
boto3 calls them. Handlers that get boto3's own parameters or responses are not called, because neither exists here.
`aws_credentials` fetches credentials without blocking the event loop, and `aws_http` makes the HTTP client.

Much of what is read from the client is not public in botocore. `tests/transport/test_aws.py` compares the requests with
those that boto3 sends, and fails when botocore changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from ..exceptions import UserError
from . import ByteStream, Deadlines, RawRequest
from .aws_credentials import AwsCredentials
from .called_keys import CalledKey
from .client_errors import ErrorTranslator
from .eventstream import CONTENT_TYPE, FrameSplitter, encode_sse
from .loops import LoopClients
from .response import ClientConnection, client_timeout

__all__ = ('AwsConnection',)

MISTAKES: dict[str, str] = {
    'NoCredentialsError': (
        'AWS credentials were not found: set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, '
        'configure a profile, or give api_key=, aws_access_key_id= and aws_secret_access_key=, or profile_name='
    ),
    'NoAuthTokenError': (
        'The client given as bedrock_client= signs with a bearer token, but has no token: set '
        'AWS_BEARER_TOKEN_BEDROCK before you create it'
    ),
    'InvalidEndpointConfigurationError': (
        'boto3 sends a bearer token only over https, and the endpoint of bedrock_client= is not https: give api_key= '
        'and base_url= instead'
    ),
}
"""Mistakes of the caller that show only when a request is signed: botocore's exception, and our message."""

AIOHTTP_CANNOT_SIGN = (
    'http_client= goes through aiohttp, which rewrites URLs, and a signature is valid for one URL only: give a client '
    'without aiohttp, leave out http_client=, or use an API key (api_key=, AWS_BEARER_TOKEN_BEDROCK)'
)


class AwsConnection(ClientConnection):
    """Sends what a boto3 client has signed through a client of httpx2 or httpx.

    `operations` maps the last segment of a path to the API's name of the operation. `key` is an API key that a function
    returns, which authorizes requests that are not signed.
    """

    def __init__(
        self,
        clients: LoopClients[Any],
        aws: Any,
        operations: Mapping[str, str],
        *,
        provider_name: str,
        key: CalledKey | None = None,
    ) -> None:
        self._errors = import_module('botocore.exceptions')
        unreachable = (self._errors.ConnectionError, self._errors.HTTPClientError)
        super().__init__(clients, ErrorTranslator(provider_name, 'botocore', connection=unreachable))
        self._aws = aws
        self._operations = operations
        self._credentials = AwsCredentials(aws)
        self._key = key

    async def open(self, request: RawRequest) -> ByteStream:
        """Send a request and return the response as a stream. Amazon's frames become server-sent events."""
        stream = await super().open(request)
        if not stream.headers.get('content-type', '').startswith(CONTENT_TYPE):
            return stream
        return FramesAsEvents(stream, partial(self.translator.translate_in_stream, model_name=request.model_name))

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        """Return the HTTP library's response, with its body unread. A signature is for one URL: no redirects."""
        signed = self.sign(request, await self._credentials.get())
        if 'X-Amz-Date' in signed.headers and 'aiohttp' in type(client._transport).__module__:
            raise UserError(AIOHTTP_CANNOT_SIGN)
        headers = {name: _decode_header(value) for name, value in signed.headers.items()}
        own = {name.lower() for name in request.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in own} | dict(request.headers)
        if self._key is not None:
            headers['Authorization'] = f'Bearer {await self._key.get()}'
        timeout = client_timeout(type(client.timeout), client.timeout, deadlines)
        http_request = client.build_request(
            signed.method, signed.url, content=signed.body, headers=headers, timeout=timeout
        )
        return await self.check(await client.send(http_request, stream=True, follow_redirects=False), request)

    def sign(self, request: RawRequest, credentials: Any = None) -> Any:
        """Return the signed request that boto3 would send. `credentials` replace the client's own."""
        try:
            return self._build_and_sign(request, credentials)
        except self._errors.BotoCoreError as error:
            if (message := MISTAKES.get(type(error).__name__)) is None:
                raise
        raise UserError(message)

    def _build_and_sign(self, request: RawRequest, credentials: Any) -> Any:
        # the steps of botocore's `BaseClient._make_api_call` and `Endpoint._send_request`
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
        arguments = {'model': operation, 'params': fields, 'request_signer': aws._request_signer, 'context': context}
        self._call_handlers('before-call', operation.name, **arguments)
        signed = aws._endpoint.create_request(fields, operation)
        self._call_handlers('before-send', operation.name, request=signed)
        return signed

    def _call_handlers(self, event: str, operation: str, **arguments: Any) -> None:
        """Call the client's handlers of an event. Raises `UserError` if one returns a response, which boto3 allows."""
        events, service = self._aws.meta.events, self._aws.meta.service_model.service_id.hyphenize()
        handler, response = events.emit_until_response(f'{event}.{service}.{operation}', **arguments)
        if response is not None:
            name = getattr(handler, '__qualname__', repr(handler))
            raise UserError(
                f'bedrock_client= has a handler of {event!r} that returns a response itself ({name}), as stubs and '
                'mocks do: serve its responses from a server, and give the address of that server as base_url='
            )


def _decode_header(value: str | bytes) -> str:
    return value.decode('latin-1') if isinstance(value, bytes) else value


class FramesAsEvents(ByteStream):
    """A stream of Amazon's frames, read as server-sent events."""

    def __init__(self, frames: ByteStream, translate: Callable[[Exception], Exception]) -> None:
        self.headers: Mapping[str, str] = frames.headers
        self._frames = frames
        self._translate = translate
        self._splitter = FrameSplitter()

    async def read(self) -> bytes:
        while chunk := await self._frames.read():
            if events := b''.join(map(encode_sse, self._splitter.feed(chunk))):
                return events
        if self._splitter.is_inside_frame:
            raise self._translate(ConnectionAbortedError('the stream ended inside a frame'))
        return b''

    def begin(self) -> None:
        self._frames.begin()

    def progress(self) -> None:
        self._frames.progress()

    def keep_waiting(self) -> None:
        self._frames.keep_waiting()

    def find_keys(self) -> Iterable[str]:
        return self._frames.find_keys()

    async def aclose(self) -> None:
        await self._frames.aclose()

    async def finish(self) -> None:
        await self._frames.finish()
