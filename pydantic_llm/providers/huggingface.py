"""The provider of Hugging Face: the router of its Inference Providers, its endpoints, and your own servers (TGI, ...).

Start at `HuggingFaceProvider`. The helpers of the `huggingface_hub` package choose the URL of a request and the model's
name at that URL (`Routes`); the bytes go through an HTTP client as that package makes them (`HubConnection`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import from_json, to_json

from .._extras import import_extra
from .._threads import Once
from ..exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError
from ..profiles import ModelProfile
from ..profiles.huggingface import huggingface_model_profile
from ..transport import Deadlines, RawRequest
from ..transport.client_errors import ErrorTranslator
from ..transport.http import Access, HTTPConnection
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from ..transport.spread import spread_over_pools
from .credentials import check_client, check_http_client, hide_password, read_key, read_url, read_variable
from .provider import ClientProvider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from huggingface_hub import AsyncInferenceClient

__all__ = ('HuggingFaceProvider',)

KEY_VARIABLES = ('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN')
URL_VARIABLES = ('HUGGINGFACE_BASE_URL', 'HUGGINGFACE_API_BASE')

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


class HuggingFaceProvider(ClientProvider['AsyncInferenceClient']):
    """Hugging Face, through the `huggingface_hub` package.

    `provider_name` is the service that runs the models ('together', 'groq', 'hf-inference', ...); without it the router
    chooses. A token of Hugging Face's ('hf_...') goes to the router, any other key to the service itself. `bill_to` is
    the organization that pays. With a `base_url` (or `HUGGINGFACE_BASE_URL`), requests go to an endpoint or to your own
    server, and no key is needed. `hf_client` takes a ready `AsyncInferenceClient`, whose configuration is kept; an
    `api_key` is used if it has no token. `http_client` takes an `httpx2.AsyncClient`, or, with versions of the package
    before 2, an `httpx.AsyncClient`.

    Raises a `UserError` for a missing key (`HF_TOKEN`), and for a key, a URL or a service that is invalid.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        hf_client: AsyncInferenceClient | None = None,
        provider_name: str | None = None,
        bill_to: str | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        hub = import_extra('huggingface_hub', extra='huggingface', what=type(self).__name__)
        has_key = bool(api_key or read_variable(KEY_VARIABLES))
        self._key = read_key(api_key, variables=KEY_VARIABLES, provider=self.name) if has_key else None
        if hf_client is not None:
            if any(given is not None for given in (base_url, provider_name, bill_to)):
                raise UserError('hf_client= brings its own address and provider: give at most a key with it')
            expected = 'hf_client= takes an AsyncInferenceClient'
            self._client = check_client(hf_client, hub.AsyncInferenceClient, expected=expected)
            self._key = hf_client.token or self._key
        else:
            url = self._choose_base_url(base_url, provider_name)
            self._client = hub.AsyncInferenceClient(
                base_url=url, token=self._key, provider=provider_name, bill_to=bill_to
            )
        self._helper = _find_helper(self._client, '-')
        if self._key is None and self._endpoint is None:
            self._check_login(hub)
        self._connection = HubConnection(
            self._choose_http_client(hub, http_client),
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

    def _check_login(self, hub: Any) -> None:
        """Raise a `UserError` if `hf auth login` left no token, unless a CI job can fetch one (`HF_OIDC_RESOURCE`)."""
        if not os.environ.get('HF_OIDC_RESOURCE') and hub.get_token() is None:
            raise UserError(
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
        return self._client.model if _is_url(self._client.model) else None

    @property
    def name(self) -> str:
        return 'huggingface'

    @property
    def base_url(self) -> str:
        if self._endpoint is not None:
            return hide_password(self._endpoint)
        if self._helper.provider == 'auto' or not (self._key or 'hf_').startswith('hf_'):
            return str(self._helper.base_url)
        from huggingface_hub.constants import INFERENCE_PROXY_TEMPLATE

        return INFERENCE_PROXY_TEMPLATE.format(provider=self._helper.provider)

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

    def __init__(self, http_client: Any, routes: Routes, translator: ErrorTranslator, *, provider_name: str) -> None:
        clients = LoopClients[Any](http_client, HttpClients())
        super().__init__(clients, routes.access, provider_name=provider_name, can_renew=True)
        self.translator = translator
        self._routes = routes

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
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
