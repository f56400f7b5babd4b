"""The provider of Hugging Face: the router of its Inference Providers, its endpoints, and your own servers (TGI, ...).

Start at `HuggingFaceProvider`. The helpers of the `huggingface_hub` package choose the URL of a request and the model's
name at that URL (`Routes`); the bytes go through an HTTP client as that package makes them (`HubConnection`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic_core import from_json, to_json

from .._extras import import_extra
from .._threads import Once
from ..exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError
from ..profiles import ModelProfile
from ..profiles.huggingface import huggingface_model_profile
from ..transport import Connection, Deadlines, RawRequest
from ..transport.called_keys import ApiKey, CalledKey, KeyHeader
from ..transport.client_errors import ErrorTranslator
from ..transport.http import Access, AccessSource, HTTPConnection
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from ..transport.spread import spread_over_pools
from .credentials import (
    MissingVariableError,
    check_client,
    check_http_client,
    hide_password,
    read_key,
    read_url,
    read_variable,
)
from .provider import SDKProvider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from huggingface_hub import AsyncInferenceClient

__all__ = ('HuggingFaceProvider',)

KEY_VARIABLES = ('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN')
URL_VARIABLES = ('HUGGINGFACE_BASE_URL', 'HUGGINGFACE_API_BASE')

ROUTER = 'https://router.huggingface.co'
"""The URL of the router, which chooses the service of a model."""

TASK = 'conversational'
"""The package's name of Chat Completions."""

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 600.0
"""Default timeouts in seconds, if no deadline is set. The package's own clients have none."""

LOOKUP_TIMEOUT = 30.0
"""The time limit, in seconds, of the Hub's response to the question which services have a model."""

MISTAKES = frozenset({'ValueError', 'HFValidationError'})
"""The exceptions of the package for an invalid name, and for a model that the service does not have."""

UNEXPECTED_SHAPE = (AttributeError, KeyError, TypeError, ValueError)
"""The exceptions of the package for a response of the Hub that has another shape."""

PROBE: dict[str, Any] = {'type': 'json_schema', 'json_schema': {'name': 'probe', 'schema': {'type': 'object'}}}
"""An output format that is given to a service's helper, to see whether the helper rewrites it."""


class HuggingFaceProvider(SDKProvider['AsyncInferenceClient']):
    """Hugging Face. The `huggingface_hub` package is needed for a named service, and to find a stored token.

    `provider_name` is the service that runs the models ('together', 'groq', 'hf-inference', ...); without it the router
    chooses. A token of Hugging Face's ('hf_...') goes to the router, any other key to the service itself. `bill_to` is
    the organization that pays. With a `base_url` (or `HUGGINGFACE_BASE_URL`), requests go to an endpoint or to your own
    server, and no key is needed. `hf_client` takes a ready `AsyncInferenceClient`, whose configuration is kept; an
    `api_key` is used if it has no token. `http_client` takes an `httpx2.AsyncClient` or, where the package
    is not needed or older than 2, an `httpx.AsyncClient`.

    Raises a `UserError` for a missing key (`HF_TOKEN`), and for a key, a URL or a service that is invalid.
    """

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        hf_client: AsyncInferenceClient | None = None,
        provider_name: str | None = None,
        bill_to: str | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        has_key = bool(api_key or read_variable(KEY_VARIABLES))
        self._key: str | CalledKey | None = None
        if has_key:
            self._key = read_key(api_key, variables=KEY_VARIABLES, provider=self.name)
        url = None if hf_client is not None else self._choose_base_url(base_url, provider_name)
        if hf_client is None and self._needs_no_package(url, provider_name):
            self._use_own_connection(url, bill_to, http_client)
            return
        if self._key is None and hf_client is None and find_spec('huggingface_hub') is None:
            read_key(api_key, variables=KEY_VARIABLES, provider=self.name)  # raises the error for a missing key
        what = 'hf_client=' if provider_name is None else f'provider_name={provider_name!r}'
        if isinstance(self._key, CalledKey):
            raise UserError(f'api_key= is a function, and the package that {what} needs takes a text')
        hub = import_extra('huggingface_hub', extra='huggingface', what=what)
        if hf_client is not None:
            if any(given is not None for given in (base_url, provider_name, bill_to)):
                raise UserError('hf_client= brings its own address and provider: give at most a key with it')
            expected = 'hf_client= takes an AsyncInferenceClient'
            self._client = check_client(hf_client, hub.AsyncInferenceClient, expected=expected)
            self._key = hf_client.token or self._key
        else:
            self._client = hub.AsyncInferenceClient(
                base_url=url, token=self._key, provider=provider_name, bill_to=bill_to
            )
        self._helper = _find_helper(self._client, '-')
        if self._key is None and self._endpoint is None:
            self._check_login(hub)
        client = self._choose_http_client(hub, http_client)
        self._connection = HubConnection(
            LoopClients[Any](client, HttpClients()),
            Routes(self._client, self._key, hub.get_token),
            ErrorTranslator(self.name, 'huggingface_hub', status=(hub.errors.HfHubHTTPError,)),
            provider_name=self.name,
        )

    def _choose_base_url(self, base_url: str | None, provider_name: str | None) -> str | None:
        """Return the URL of an endpoint: the one that was given, or the environment's if no service is named."""
        if provider_name is not None:
            if base_url is not None:
                raise UserError('base_url= and provider_name= do not go together: the server at a URL is the service')
            return None
        return read_url(base_url or None, variables=URL_VARIABLES, provider=self.name)

    def _needs_no_package(self, url: str | None, provider_name: str | None) -> bool:
        """Return whether the URL and the key of requests are known without the package.

        It knows the services and their keys, and reads the token that `hf auth login` has stored.
        """
        if provider_name not in (None, 'auto'):
            return False
        if self._key is None:
            return url is not None and find_spec('huggingface_hub') is None
        return url is not None or isinstance(self._key, CalledKey) or self._key.startswith('hf_')

    def _use_own_connection(self, url: str | None, bill_to: str | None, http_client: Any) -> None:
        headers = {'authorization': f'Bearer {self._key}'} if isinstance(self._key, str) else {}
        if bill_to is not None:
            headers['x-hf-bill-to'] = bill_to
        called = KeyHeader('authorization', 'Bearer {}', self._key) if isinstance(self._key, CalledKey) else None
        access = Access(url or ROUTER, headers, key_header=called)

        def make_client() -> AsyncInferenceClient:
            hub = import_extra('huggingface_hub', extra='huggingface', what='HuggingFaceProvider.client')
            client: AsyncInferenceClient = hub.AsyncInferenceClient(base_url=url, token=self._key, bill_to=bill_to)
            return client

        def connect(clients: LoopClients[Any], source: AccessSource, **options: Any) -> HubConnection:
            return HubConnection(clients, routes, ErrorTranslator(self.name, 'httpx2'), **options)

        routes = KnownRoutes(url, access)
        self._use_access(
            access,
            http_client,
            make_client,
            source=routes.access,
            connection=connect,
            read_timeout=READ_TIMEOUT,
            connect_timeout=CONNECT_TIMEOUT,
            follow_redirects=False,
        )

    def _check_login(self, hub: Any) -> None:
        """Raise a `UserError` if `hf auth login` left no token, unless a CI job can fetch one (`HF_OIDC_RESOURCE`)."""
        if not os.environ.get('HF_OIDC_RESOURCE') and hub.get_token() is None:
            raise MissingVariableError(
                f'The key of {self.name!r} is missing: set the environment variable {KEY_VARIABLES[0]}, give api_key=, '
                "or log in with 'hf auth login'"
            )

    def _choose_http_client(self, hub: Any, given: Any) -> Any:
        """Return the client that was given, or one of the package's with the `AsyncInferenceClient`'s timeout."""
        if given is not None:
            library: Literal['httpx', 'httpx2'] = 'httpx' if hub.__version__.startswith('1.') else 'httpx2'
            return check_http_client(given, library=library, package='huggingface_hub')
        session = hub.get_async_session()
        timeout = session.timeout.__class__
        if self._client.timeout is not None:
            session.timeout = timeout(self._client.timeout)
        elif session.timeout == timeout(None):
            session.timeout = timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
        return spread_over_pools(session)

    @property
    def _endpoint(self) -> str | None:
        """The URL of an endpoint, which serves one model; `None` if requests go to the router or to a service."""
        if self._access is not None:
            return None if self._access.base_url == ROUTER else self._access.base_url
        return self._client.model if _is_url(self._client.model) else None

    @property
    def name(self) -> str:
        return 'huggingface'

    @property
    def base_url(self) -> str:
        if self._endpoint is not None:
            return hide_password(self._endpoint)
        if self._access is not None:
            return ROUTER
        if self._helper.provider == 'auto' or not str(self._key or 'hf_').startswith('hf_'):
            return str(self._helper.base_url)
        from huggingface_hub.constants import INFERENCE_PROXY_TEMPLATE

        return INFERENCE_PROXY_TEMPLATE.format(provider=self._helper.provider)

    def connect_for(self, task: str) -> Connection:
        """Return a connection whose requests go to a task of Hugging Face's own servers, or to the endpoint itself.

        Raises a `UserError` if the provider is for another service.
        """
        service = 'auto' if self._access is not None or self._endpoint is not None else self._helper.provider
        if service not in ('auto', 'hf-inference'):
            raise UserError(f'{task} is sent to hf-inference and to endpoints, not to provider_name={service!r}')
        endpoint, connection = self._endpoint, cast('HubConnection', self._connection)

        async def access(model_name: str, *, refused: Access | None) -> Access:
            path = f'{ROUTER}/hf-inference/models/{quote(model_name)}/pipeline/{task}'
            url = model_name if _is_url(model_name) else path
            called = None if self._access is None else self._access.key_header
            return Access(endpoint or url, self._find_headers(), key_header=called)

        return connection.redirect(access)

    def _find_headers(self) -> Mapping[str, str]:
        """Return the headers that authorize a request; the stored token is read again for each one."""
        if self._access is not None:
            return self._access.headers
        key = self._key or import_extra('huggingface_hub', extra='huggingface', what='a stored token').get_token()
        return {} if key is None else {'authorization': f'Bearer {key}'}

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return huggingface_model_profile(model_name, endpoint=self._endpoint is not None or _is_url(model_name))


def _is_url(model: str | None) -> bool:
    return model is not None and model.startswith(('http://', 'https://'))


def _find_helper(client: AsyncInferenceClient, model_name: str) -> Any:
    """Return the package's helper for the client's service. Raises a `UserError` if the package has none."""
    from huggingface_hub.inference._providers import get_provider_helper  # as the package's own clients do

    address = client.model if _is_url(client.model) else model_name
    try:
        return get_provider_helper(client.provider, task=TASK, model=address)
    except ValueError as error:
        raise UserError(f'provider_name={client.provider!r} cannot be asked: {error}') from None


# ---------------------------------------------------------------------- routes


@dataclass(frozen=True, slots=True)
class Route:
    """The URL, headers and format of requests to one model."""

    access: Access
    """The whole URL, and the headers."""
    model_name: str
    """The service's own name of the model."""
    rewrite_format: Callable[[Any], Any] | None
    """Rewrites an output format as the service expects it; `None` if it expects OpenAI's."""


class KnownRoutes:
    """The routes to the router, or to an endpoint at `url`. They need no package and no request.

    They are those of its `AutoRouterConversationalTask` and `HFInferenceConversational` (huggingface_hub 2.4).
    """

    def __init__(self, url: str | None, access: Access) -> None:
        self._url = url
        self._access = access

    async def get(self, model_name: str) -> Route:
        is_url = _is_url(model_name)
        url = self._url or (model_name if is_url else None)
        if url is None:
            return Route(replace(self._access, base_url=f'{ROUTER}/v1/chat/completions'), model_name, None)
        name = 'dummy' if is_url else model_name
        return Route(replace(self._access, base_url=_complete_url(url)), name, _rewrite_for_endpoint)

    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        return (await self.get(model_name)).access


def _complete_url(url: str) -> str:
    """Return the URL of an endpoint with the path of Chat Completions."""
    parts = urlsplit(url)
    path = parts.path.rstrip('/')
    if not path.endswith('/chat/completions'):
        path += '/chat/completions' if path.endswith('/v1') else '/v1/chat/completions'
    return urlunsplit(parts._replace(path=path))


def _rewrite_for_endpoint(output_format: Any) -> Any:
    return {'type': 'json_object', 'value': output_format['json_schema']['schema']}


class Routes:
    """The routes of a client's models. Each is found once, in a thread, since it may take a request to the Hub."""

    def __init__(self, client: AsyncInferenceClient, key: str | None, find_key: Callable[[], str | None]) -> None:
        self._client = client
        self._key = key
        self._find_key = find_key
        self._routes: dict[str, Once[Route]] = {}

    async def get(self, model_name: str) -> Route:
        """Return the route to a model. Raises the exceptions of the package."""
        route = self._routes.setdefault(model_name, Once(partial(self._find_route, model_name)))
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            return await route.get()

    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        """Return the access to a model. After a refusal the stored token is read again, unless one was given."""
        if refused is not None and self._key is None:
            self._routes.pop(model_name, None)
        return (await self.get(model_name)).access

    def _find_route(self, model_name: str) -> Route:
        helper = _find_helper(self._client, model_name)
        address = self._client.model if _is_url(self._client.model) else model_name
        prepare = partial(
            helper.prepare_request,
            inputs=[],
            headers=self._client.headers,
            model=address,
            api_key=self._key or self._find_key(),
        )

        def rewrite_format(response_format: Any) -> Any:
            return prepare(parameters={'model': model_name, 'response_format': response_format}).json['response_format']

        prepared = prepare(parameters={'model': model_name})
        headers = {name: value for name, value in prepared.headers.items() if name != 'content-type'}
        if self._client.cookies:
            headers['cookie'] = '; '.join(f'{name}={value}' for name, value in self._client.cookies.items())
        rewrites = rewrite_format(PROBE) != PROBE
        return Route(Access(prepared.url, headers), prepared.json['model'], rewrite_format if rewrites else None)


class HubConnection(HTTPConnection):
    """Sends each request to the URL of its model's route, with the name and the output format of that service."""

    def __init__(
        self,
        clients: LoopClients[Any],
        routes: Routes | KnownRoutes,
        translator: ErrorTranslator,
        *,
        provider_name: str,
        **options: Any,
    ) -> None:
        super().__init__(clients, routes.access, provider_name=provider_name, can_renew=True, **options)
        self.translator = translator
        self._routes = routes

    def redirect(self, access: AccessSource) -> HTTPConnection:
        """Return a connection through the same clients to other URLs."""
        return HTTPConnection(
            self._clients,
            access,
            provider_name=self.translator.provider_name,
            timeout=self._timeout,
            default_timeout=self._default_timeout,
        )

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        if request.path.startswith('//'):  # for the host, and no model
            return await super().post(client, request, deadlines)
        try:
            route = await self._routes.get(request.model_name)
            body = _adapt_body(request.body, request.model_name, route)
        except Exception as error:  # noqa: BLE001 -- raised below, where the token that it may hold is no longer its context
            failure = self._translate_missing_route(error, request.model_name)
        else:
            # in lower case, like those of the package
            headers = {name.lower(): value for name, value in request.headers.items()}
            return await super().post(client, replace(request, path='', body=body, headers=headers), deadlines)
        raise failure

    def _translate_missing_route(self, error: Exception, model_name: str) -> Exception:
        """Return the error for a route that was not found: the Hub's response, or the package's exception."""
        translated = self.translator.translate(error, model_name)
        if isinstance(translated, ModelHTTPError):
            translated.message = f'The Hub does not say where {model_name!r} is served: {translated.message}'
            translated.args = (translated.message,)
        elif type(error).__name__ in MISTAKES:
            return UserError(f'{model_name!r} cannot be asked: {error}')
        elif translated is error and isinstance(error, UNEXPECTED_SHAPE):
            what = f'{type(error).__name__}: {error}'
            return UnexpectedModelBehavior(f'What the Hub says of {model_name!r} cannot be read ({what})')
        return translated


def _adapt_body(body: bytes, model_name: str, route: Route) -> bytes:
    """Return the body with the service's name of the model, and with the output format as the service expects it."""
    if route.rewrite_format is not None and b'"response_format"' in body:
        match from_json(body):
            case {'response_format': {'type': 'json_schema', 'json_schema': {'schema': _}} as output_format, **fields}:
                body = to_json({**fields, 'response_format': route.rewrite_format(output_format)})
            case _:
                pass
    before, after = (b'{"model":' + to_json(name) for name in (model_name, route.model_name))
    return after + body[len(before) :] if body.startswith(before) else body
