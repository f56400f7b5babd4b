"""Azure OpenAI: a resource of your own, by dated versions of its API or by the v1 API, with a key or with Entra ID.

`AzureProvider` comes first, then the connection, then where requests go, and last who makes them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from .._extras import import_extra
from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.compatible import azure_profile
from ..transport.sdk import SDKConnection
from ..transport.spread import spread_over_pools
from .azure_connection import AzureConnection, TokenFailure
from .credentials import check_key, check_url, hide_password
from .openai import OPENAI_HEADERS, OpenAIProvider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('AzureProvider',)

TokenProvider = Callable[[], str | Awaitable[str]]
"""Gives a token of Entra ID that is good for the next request."""

ENDPOINT_VARIABLE, VERSION_VARIABLE = 'AZURE_OPENAI_ENDPOINT', 'OPENAI_API_VERSION'
TOKEN_VARIABLE, KEY_VARIABLE = 'AZURE_OPENAI_AD_TOKEN', 'AZURE_OPENAI_API_KEY'

SERVERLESS = '.models.ai.azure.com'
"""What the hosts of serverless deployments end with. They speak the v1 API alone."""

OPERATIONS = ('/chat/completions', '/responses')
"""What stands at the end of the addresses that the portal shows, and is added here."""


class AzureProvider(OpenAIProvider):
    """Azure OpenAI, through the `openai` package's own client. The name of a model is the name of its deployment.

    `azure_endpoint` is the resource's address. `https://me.openai.azure.com` needs an `api_version`; an address of the
    v1 API, `https://me.openai.azure.com/openai/v1/`, needs none. Give one of `api_key`, `azure_ad_token` and
    `azure_ad_token_provider`: a function, plain or async, that is called for each request. A plain one runs in a
    thread, and what it raises is raised as it is.

    `openai_client` takes a ready client with everything that it is set to: an `AsyncAzureOpenAI` or, for the v1 API,
    an `AsyncOpenAI`; `http_client` an `httpx2.AsyncClient` or `httpx.AsyncClient`. Raises a `UserError` for what is
    missing or cannot be used.
    """

    def __init__(
        self,
        *,
        azure_endpoint: str | None = None,
        api_version: str | None = None,
        api_key: str | None = None,
        azure_ad_token: str | None = None,
        azure_ad_token_provider: TokenProvider | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        own = (azure_endpoint, api_version, api_key, azure_ad_token, azure_ad_token_provider, http_client)
        if openai_client is None:
            sdk = import_extra('openai', extra='openai', what=type(self).__name__)
            endpoint = _endpoint(azure_endpoint)
            make = _client_of_v1 if endpoint.endswith('/v1') else _client_of_a_version
            credentials = _credentials(api_key, azure_ad_token, azure_ad_token_provider)
            headers = dict.fromkeys(OPENAI_HEADERS, sdk.omit)
            options = {'http_client': http_client, 'default_headers': headers, 'max_retries': 0}
            openai_client = make(sdk, endpoint, api_version, credentials, options)
            if http_client is None:
                spread_over_pools(openai_client)
        elif any(given is not None for given in own):
            raise UserError('openai_client= brings its own key, URL and connection: give nothing else beside it')
        super().__init__(openai_client=openai_client)

    def _connection_kind(self) -> type[SDKConnection]:
        return AzureConnection

    @property
    def name(self) -> str:
        """`'azure'`."""
        return 'azure'

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What a deployment can do, if its name says of which model it is. Where it does not, give a `profile=`."""
        return azure_profile(model_name)


# ---------------------------------------------------------------------- where


def _endpoint(given: str | None) -> str:
    """The resource's address, without a slash at its end. One of the v1 API ends with `/v1`."""
    where = 'azure_endpoint=' if given else ENDPOINT_VARIABLE
    url = given or os.environ.get(ENDPOINT_VARIABLE)
    if not url:
        raise UserError(
            f"The address of 'azure' is not known: set the environment variable {ENDPOINT_VARIABLE}, or give "
            'azure_endpoint='
        )
    _refuse_an_operation(url, where)
    url = check_url(url, where=where, provider='azure').rstrip('/')
    if (urlsplit(url).hostname or '').endswith(SERVERLESS):
        return f'{url.removesuffix("/v1")}/v1'
    return url.removesuffix('/openai')


def _refuse_an_operation(url: str, where: str) -> None:
    """Raise for the address of one operation, which the portal shows, and say what is to be made of its pieces."""
    address, _, query = hide_password(url).partition('?')
    resource, _, path = address.partition('/openai/')
    if not (query or path.startswith('deployments/') or address.endswith(OPERATIONS)):
        return
    resource = resource if path else '/'.join(address.split('/')[:3])
    pieces = [f'azure_endpoint={resource + ("/openai/v1/" if path.startswith("v1/") else "/")!r}']
    pieces += [f'api_version={version!r}' for version in parse_qs(query).get('api-version', ())]
    if path.startswith('deployments/'):
        pieces.append(f"the model's name {path.split('/')[1]!r}")
    said = ' and '.join(filter(None, (', '.join(pieces[:-1]), pieces[-1])))
    raise UserError(f"{where} of 'azure' is {address!r}, and is to be the resource's address alone: give {said}")


def _client_of_a_version(
    sdk: Any, endpoint: str, version: str | None, credentials: dict[str, Any], options: dict[str, Any]
) -> Any:
    version = version or os.environ.get(VERSION_VARIABLE)
    if not version:
        raise UserError(
            f"The version of the API of 'azure' is missing: set the environment variable {VERSION_VARIABLE}, give "
            f"api_version=, or give the address of the v1 API, azure_endpoint='{hide_password(endpoint)}/openai/v1/'"
        )
    return sdk.AsyncAzureOpenAI(azure_endpoint=endpoint, api_version=version, **credentials, **options)


def _client_of_v1(
    sdk: Any, endpoint: str, version: str | None, credentials: dict[str, Any], options: dict[str, Any]
) -> Any:
    """The plain client, as Azure's own is for dated versions; a token provider is a key that changes to it.

    https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    """
    [key] = credentials.values()
    query = {'api-version': version} if version else None
    return sdk.AsyncOpenAI(base_url=endpoint, api_key=key, default_query=query, **options)


# ---------------------------------------------------------------------- who


def _credentials(key: str | None, token: str | None, provider: TokenProvider | None) -> dict[str, Any]:
    """The one credential, under the SDK's name for it. A token in the environment wins over a key there."""
    named = {'api_key': key, 'azure_ad_token': token, 'azure_ad_token_provider': provider}
    given: dict[str, Any] = {name: value for name, value in named.items() if value}
    if len(given) > 1:
        raise UserError(f'Give one of {" and ".join(f"{name}=" for name in given)}, not several')
    if provider is not None:
        return {'azure_ad_token_provider': _checked(provider)}
    for name, value in given.items():
        return {name: check_key(value, where=f'{name}=', provider='azure')}
    for name, variable in {'azure_ad_token': TOKEN_VARIABLE, 'api_key': KEY_VARIABLE}.items():
        if value := os.environ.get(variable):
            return {name: check_key(value, where=variable, provider='azure')}
    raise UserError(
        f"The key of 'azure' is {'empty' if key == '' else 'missing'}: set the environment variable {KEY_VARIABLE} or "
        f'{TOKEN_VARIABLE}, or give api_key=, azure_ad_token= or azure_ad_token_provider='
    )


@contextmanager
def _carried() -> Generator[None]:
    try:
        yield
    except TokenFailure:
        raise
    except Exception as error:  # noqa: BLE001 -- raised as it is by `AzureConnection`
        raise TokenFailure(error) from None


def _checked(provider: TokenProvider) -> Callable[[], Awaitable[str]]:
    """The token provider as the SDK's client calls it. What it gives is a token that a header can carry."""

    async def token() -> str:
        with _carried():
            found = await _call(provider)
        if not isinstance(found, str) or not found:
            said = 'an empty string' if found == '' else f'an object of type {type(found).__name__!r}'
            raise UserError(f'azure_ad_token_provider= gave {said}, and must give a token')
        return check_key(found, where='azure_ad_token_provider=', provider='azure')

    return token


async def _call(provider: TokenProvider) -> object:
    """What the function gives. One that does not say that it is async may wait for a network: it gets a thread."""
    says_so = iscoroutinefunction(provider) or iscoroutinefunction(getattr(provider, '__call__', None))  # noqa: B004 -- the method is what is asked about
    found: Any = provider() if says_so else await asyncio.to_thread(_call_here, provider)
    return await found if isawaitable(found) else found


def _call_here(provider: TokenProvider) -> object:
    with _carried():  # a thread hands a `TimeoutError` over as another one
        return provider()
