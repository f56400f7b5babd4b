"""Hugging Face: the router of its Inference Providers, its endpoints, and servers of one's own (TGI, TEI, ...).

Start at `HuggingFaceProvider`. Where a request goes, and under which name its model is known there, is said by the
helpers of the `huggingface_hub` package (`Routes`); the bytes go through an HTTP client as that package makes them.
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
from ..transport import Connection, Deadlines, RawRequest
from ..transport.client_errors import ErrorTranslator
from ..transport.http import Access, HTTPConnection
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from ..transport.spread import spread_over_pools
from .credentials import check_http_client, check_key, check_url, hide_password
from .provider import Provider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from huggingface_hub import AsyncInferenceClient

__all__ = ('HuggingFaceProvider',)

KEY_VARIABLES = ('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN')
URL_VARIABLES = ('HUGGINGFACE_BASE_URL', 'HUGGINGFACE_API_BASE')

TASK = 'conversational'
"""What the helpers call Chat Completions."""

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 600.0
"""Seconds that a connection of ours waits, where no deadline is set; the package's own would wait for ever."""

LOOKUP_TIMEOUT = 30.0
"""Seconds that the Hub may take to say where a model is served."""

MISTAKES = frozenset({'ValueError', 'HFValidationError'})
"""What the package raises for a name that is none, and for a model that the service does not have."""

BROKEN = (AttributeError, KeyError, TypeError, ValueError)
"""What it raises for an answer of the wrong shape."""

PROBE: dict[str, Any] = {'type': 'json_schema', 'json_schema': {'name': 'probe', 'schema': {'type': 'object'}}}
"""An output format, by which it shows whether a helper has another form for it."""


class HuggingFaceProvider(Provider['AsyncInferenceClient']):
    """Hugging Face, through the `huggingface_hub` package.

    `provider_name` says who serves the models ('together', 'groq', 'hf-inference', ...); without it the router chooses.
    A token of Hugging Face's ('hf_...') goes to the router, any other key to the service itself. `bill_to` is the
    organization that pays. With a `base_url` (or `HUGGINGFACE_BASE_URL`), requests go to an endpoint or a server of
    one's own, and no key is needed. `hf_client` takes a ready `AsyncInferenceClient` with everything that it is set
    to; beside it, `api_key` is for one without a token. `http_client` takes an `httpx2.AsyncClient`, or, with versions
    of the package before 2, an `httpx.AsyncClient`.

    Raises a `UserError` for a missing key (`HF_TOKEN`), and for a key, an address or a service that cannot be used.
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
        self._key = self._find_key(api_key)
        if hf_client is not None:
            if any(given is not None for given in (base_url, provider_name, bill_to)):
                raise UserError('hf_client= brings its own address and provider: give at most a key beside it')
            if not isinstance(hf_client, hub.AsyncInferenceClient):
                kind = type(hf_client).__name__
                raise UserError(f'hf_client= takes an AsyncInferenceClient, not an object of type {kind!r}')
            self._client: AsyncInferenceClient = hf_client
            self._key = hf_client.token or self._key
        else:
            address = self._address(base_url, provider_name)
            self._client = hub.AsyncInferenceClient(
                base_url=address, token=self._key, provider=provider_name, bill_to=bill_to
            )
        self._helper = _find_helper(self._client, '-')
        if self._key is None and self._endpoint is None:
            self._check_login(hub)
        self._connection = HubConnection(
            self._http_client(hub, http_client),
            Routes(self._client, self._key, hub.get_token),
            ErrorTranslator(self.name, 'huggingface_hub', status=(hub.errors.HfHubHTTPError,)),
            provider_name=self.name,
        )

    def _find_key(self, api_key: str | None) -> str | None:
        """The key that was given, or the one in the environment."""
        for where, key in (('api_key=', api_key), *((name, os.environ.get(name)) for name in KEY_VARIABLES)):
            if key:
                return check_key(key, where=where, provider=self.name)
        return None

    def _address(self, base_url: str | None, provider_name: str | None) -> str | None:
        """Where an endpoint is: as given, or, where no service is named, as in the environment."""
        if provider_name is not None:
            if base_url is not None:
                raise UserError('base_url= and provider_name= do not go together: an address is asked itself')
            return None
        for where, url in (('base_url=', base_url), *((name, os.environ.get(name)) for name in URL_VARIABLES)):
            if url:
                return check_url(url, where=where, provider=self.name)
        return None

    def _check_login(self, hub: Any) -> None:
        """Raise where nobody is logged in either. Tokens that a build machine gets for itself are fetched later."""
        if not os.environ.get('HF_OIDC_RESOURCE') and hub.get_token() is None:
            raise UserError(
                f'The key of {self.name!r} is missing: set the environment variable {KEY_VARIABLES[0]}, give api_key=, '
                "or log in with 'hf auth login'"
            )

    def _http_client(self, hub: Any, given: Any) -> Any:
        """The client that was given, or one as the package makes them, with the `AsyncInferenceClient`'s time limit."""
        if given is not None:
            library: Literal['httpx', 'httpx2'] = 'httpx' if hub.__version__.startswith('1.') else 'httpx2'
            return check_http_client(given, library=library, package='huggingface_hub')
        made = hub.get_async_session()
        timeout = made.timeout.__class__
        if self._client.timeout is not None:
            made.timeout = timeout(self._client.timeout)
        elif made.timeout == timeout(None):
            made.timeout = timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
        return spread_over_pools(made)

    @property
    def _endpoint(self) -> str | None:
        """The address of a server with one model, where requests go to one."""
        return self._client.model if _is_address(self._client.model) else None

    @property
    def name(self) -> str:
        """`'huggingface'`."""
        return 'huggingface'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        if self._endpoint is not None:
            return hide_password(self._endpoint)
        if self._helper.provider == 'auto' or not (self._key or 'hf_').startswith('hf_'):
            return str(self._helper.base_url)
        from huggingface_hub.constants import INFERENCE_PROXY_TEMPLATE

        return INFERENCE_PROXY_TEMPLATE.format(provider=self._helper.provider)

    @property
    def client(self) -> AsyncInferenceClient:
        """The package's client."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The way that bytes travel."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What a model can do."""
        return huggingface_model_profile(model_name, endpoint=self._endpoint is not None or _is_address(model_name))


def _is_address(model: str | None) -> bool:
    return model is not None and model.startswith(('http://', 'https://'))


def _find_helper(client: AsyncInferenceClient, model_name: str) -> Any:
    """What the package knows of the service that is to be asked. Raises a `UserError` where it knows none."""
    from huggingface_hub.inference._providers import get_provider_helper  # as the package's own clients do

    address = client.model if _is_address(client.model) else model_name
    try:
        return get_provider_helper(client.provider, task=TASK, model=address)
    except ValueError as error:
        raise UserError(f'provider_name={client.provider!r} cannot be asked: {error}') from None


# ---------------------------------------------------------------------- where a model is


@dataclass(frozen=True, slots=True)
class Route:
    """Where a model is asked, and how."""

    access: Access
    """The whole address, and the headers."""
    model_name: str
    """What the model is called there."""
    format: Callable[[Any], Any] | None
    """From an output format to the form that the service has for it; `None` where that is OpenAI's."""


class Routes:
    """The routes of a client's models. Each is found once; where the Hub must be asked for it, in a thread."""

    def __init__(self, client: AsyncInferenceClient, key: str | None, find_key: Callable[[], str | None]) -> None:
        self._client = client
        self._key = key
        self._find_key = find_key
        self._found: dict[str, Once[Route]] = {}

    async def get(self, model_name: str) -> Route:
        """The route to a model. Raises whatever the package does."""
        found = self._found.setdefault(model_name, Once(partial(self._find, model_name)))
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            return await found.get()

    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        """Where to send. After a refusal, with the token that is there now, unless one was given."""
        if refused is not None and self._key is None:
            self._found.pop(model_name, None)
        return (await self.get(model_name)).access

    def _find(self, model_name: str) -> Route:
        helper = _find_helper(self._client, model_name)
        address = self._client.model if _is_address(self._client.model) else model_name
        prepare = partial(
            helper.prepare_request,
            inputs=[],
            headers=self._client.headers,
            model=address,
            api_key=self._key or self._find_key(),
        )

        def format(wanted: Any) -> Any:
            return prepare(parameters={'model': model_name, 'response_format': wanted}).json['response_format']

        prepared = prepare(parameters={'model': model_name})
        headers = {name: value for name, value in prepared.headers.items() if name != 'content-type'}
        if self._client.cookies:
            headers['cookie'] = '; '.join(f'{name}={value}' for name, value in self._client.cookies.items())
        other = None if format(PROBE) == PROBE else format
        return Route(Access(prepared.url, headers), prepared.json['model'], other)


class HubConnection(HTTPConnection):
    """Sends each request where its model is served, under the name and in the form that it has there."""

    def __init__(self, http_client: Any, routes: Routes, translator: ErrorTranslator, *, provider_name: str) -> None:
        clients = LoopClients[Any](http_client, HttpClients())
        super().__init__(clients, routes.access, provider_name=provider_name, can_renew=True)
        self.translator = translator
        self._routes = routes

    async def post(self, client: Any, request: RawRequest, deadlines: Deadlines) -> Any:
        """The response, open."""
        try:
            route = await self._routes.get(request.model_name)
            body = _fit(request.body, request.model_name, route)
        except Exception as error:  # noqa: BLE001 -- raised below, where the token that it may hold is no longer its context
            failure = self._not_found(error, request.model_name)
        else:
            headers = {name.lower(): value for name, value in request.headers.items()}  # as the package writes its own
            return await super().post(client, replace(request, path='', body=body, headers=headers), deadlines)
        raise failure

    def _not_found(self, error: Exception, model_name: str) -> Exception:
        """Why there is no route: the Hub's answer, or what the package says of the model and the service."""
        explained = self.translator.translate(error, model_name)
        if isinstance(explained, ModelHTTPError):
            explained.message = f'The Hub does not say where {model_name!r} is served: {explained.message}'
            explained.args = (explained.message,)
        elif type(error).__name__ in MISTAKES:
            return UserError(f'{model_name!r} cannot be asked: {error}')
        elif explained is error and isinstance(error, BROKEN):
            what = f'{type(error).__name__}: {error}'
            return UnexpectedModelBehavior(f'What the Hub says of {model_name!r} cannot be read ({what})')
        return explained


def _fit(body: bytes, model_name: str, route: Route) -> bytes:
    """The body with the model's name, and the output's format, as the service has them."""
    if route.format is not None and b'"response_format"' in body:
        match from_json(body):
            case {'response_format': {'type': 'json_schema', 'json_schema': {'schema': _}} as wanted, **fields}:
                body = to_json({**fields, 'response_format': route.format(wanted)})
            case _:
                pass
    ours, theirs = (b'{"model":' + to_json(name) for name in (model_name, route.model_name))
    return theirs + body[len(ours) :] if body.startswith(ours) else body
