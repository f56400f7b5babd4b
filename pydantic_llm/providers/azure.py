"""The provider of Azure OpenAI: a resource of your own, with dated versions of its API or with the v1 API.

`AzureProvider` comes first, then the choice of the endpoint and of the access to it (`_find_endpoint`), and last the
credentials: a key, a token of Entra ID, or a function that returns such tokens (`_find_credentials`).
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote_plus, urlsplit

from .._extras import import_extra
from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.compatible import azure_profile
from ..transport.called_keys import ApiKey, CalledKey, KeyHeader
from ..transport.http import Access, AccessSource, make_fixed_access
from ..transport.outgoing import merge_headers
from ..transport.sdk import SDKConnection
from .azure_connection import AzureConnection, AzureHTTPConnection
from .credentials import (
    MissingVariableError,
    check_alone,
    check_key,
    check_url,
    find_value,
    hide_password,
    make_called_key,
)
from .openai import OPENAI, OpenAIProvider
from .vendor import Vendor

if TYPE_CHECKING:
    import httpx
    import httpx2
    from openai import AsyncOpenAI

__all__ = ('AzureProvider',)

TokenProvider = Callable[[], str | Awaitable[str]]
"""A function that returns a token of Entra ID, valid for the next request."""

ENDPOINT_VARIABLE, VERSION_VARIABLE = 'AZURE_OPENAI_ENDPOINT', 'OPENAI_API_VERSION'
TOKEN_VARIABLE, KEY_VARIABLE = 'AZURE_OPENAI_AD_TOKEN', 'AZURE_OPENAI_API_KEY'

AZURE = Vendor(name='azure', base_url='', custom_headers_variable=OPENAI.custom_headers_variable)

SERVERLESS = '.models.ai.azure.com'
"""The end of the host names of serverless deployments, which speak only the v1 API."""

OPERATIONS = ('/chat/completions', '/responses')
"""The paths that end the URLs shown in the Azure portal. The models append these paths themselves."""


class AzureProvider(OpenAIProvider):
    """Azure OpenAI. The name of a model is the name of its deployment. The `openai` package is not needed.

    `azure_endpoint` is the URL of the resource. `https://me.openai.azure.com` needs an `api_version`; a URL of the v1
    API, `https://me.openai.azure.com/openai/v1/`, needs no version. Give one of `api_key`, `azure_ad_token` and
    `azure_ad_token_provider`: a function, plain or async, that is called for each request. A plain function runs in a
    thread. Exceptions of the function are raised unchanged.

    `openai_client` takes a ready client, which then sends the requests: an `AsyncAzureOpenAI` or, for the v1 API, an
    `AsyncOpenAI`; `http_client` takes an `httpx2.AsyncClient` or `httpx.AsyncClient`. Raises a `UserError` if a value
    is missing or invalid.
    """

    url_parameter = 'azure_endpoint'

    def __init__(
        self,
        *,
        azure_endpoint: str | None = None,
        api_version: str | None = None,
        api_key: ApiKey | None = None,
        azure_ad_token: str | None = None,
        azure_ad_token_provider: TokenProvider | None = None,
        openai_client: AsyncOpenAI | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        own = (azure_endpoint, api_version, api_key, azure_ad_token, azure_ad_token_provider, http_client)
        if openai_client is not None:
            check_alone('openai_client=', *own)
            super().__init__(openai_client=openai_client)
            return
        endpoint = _find_endpoint(azure_endpoint)
        credentials = _find_credentials(api_key, azure_ad_token, azure_ad_token_provider)
        version = api_version or _find_version(endpoint)
        access = _make_access(endpoint, version, credentials)

        def make_client() -> AsyncOpenAI:
            sdk = import_extra('openai', extra='openai', what='AzureProvider.client')
            headers = dict.fromkeys(OPENAI.header_variables, sdk.omit)
            options = {'http_client': http_client, 'default_headers': headers, 'max_retries': 0}
            return _make_client(sdk, endpoint, version, credentials, options)

        self._use_access(
            access,
            http_client,
            make_client,
            source=_make_source(access, credentials.get('azure_ad_token_provider')),
            connection=partial(AzureHTTPConnection, base_path=urlsplit(access.base_url).path),
        )

    def _choose_connection(self) -> type[SDKConnection]:
        return AzureConnection

    @property
    def name(self) -> str:
        return 'azure'

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return azure_profile(model_name)


# ---------------------------------------------------------------------- the endpoint and the client


def _find_endpoint(given: str | None) -> str:
    """Return the resource's URL without a slash at its end. It ends with `/v1` if it is a URL of the v1 API."""
    where, url = find_value(given or None, (ENDPOINT_VARIABLE,), parameter='azure_endpoint=')
    if not url:
        raise MissingVariableError(
            f"The address of 'azure' is not known: set the environment variable {ENDPOINT_VARIABLE}, or give "
            'azure_endpoint='
        )
    _check_not_operation(url, where)
    url = check_url(url, where=where, provider='azure').rstrip('/')
    if (urlsplit(url).hostname or '').endswith(SERVERLESS):
        return f'{url.removesuffix("/v1")}/v1'
    return url.removesuffix('/openai')


def _check_not_operation(url: str, where: str) -> None:
    """Raise a `UserError` for the URL of one operation, as the portal shows it, with the parameters that it holds."""
    address, _, query = hide_password(url).partition('?')
    resource, _, path = address.partition('/openai/')
    if not (query or path.startswith('deployments/') or address.endswith(OPERATIONS)):
        return
    resource = resource if path else '/'.join(address.split('/')[:3])
    pieces = [f'azure_endpoint={resource + ("/openai/v1/" if path.startswith("v1/") else "/")!r}']
    pieces += [f'api_version={version!r}' for version in parse_qs(query).get('api-version', ())]
    if path.startswith('deployments/'):
        pieces.append(f"the model's name {path.split('/')[1]!r}")
    parameters = ' and '.join(filter(None, (', '.join(pieces[:-1]), pieces[-1])))
    raise UserError(f"{where} of 'azure' is {address!r}, and is to be the resource's address alone: give {parameters}")


def _find_version(endpoint: str) -> str | None:
    """Return the version in the environment, which the URL of a resource needs; `None` for the v1 API."""
    if endpoint.endswith('/v1'):
        return None
    if version := os.environ.get(VERSION_VARIABLE):
        return version
    raise MissingVariableError(
        f"The version of the API of 'azure' is missing: set the environment variable {VERSION_VARIABLE}, give "
        f"api_version=, or give the address of the v1 API, azure_endpoint='{hide_password(endpoint)}/openai/v1/'"
    )


def _make_access(endpoint: str, version: str | None, credentials: dict[str, Any]) -> Access:
    """Return the access with a key or a token, which the headers of `OPENAI_CUSTOM_HEADERS` do not override.

    The v1 API gets a key like a token, as `AsyncOpenAI` sends it: `AsyncAzureOpenAI` is for dated versions only.
    https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    """
    query = f'?api-version={quote_plus(version)}' if version else ''
    [(name, credential)] = credentials.items()
    if endpoint.endswith('/v1'):
        key = credential if isinstance(credential, (str, CalledKey)) else None
        return AZURE.make_access(endpoint, key, query=query)
    fixed: dict[str, str] = {}
    if isinstance(credential, CalledKey):
        access = AZURE.make_access(f'{endpoint}/openai', query=query)
        return replace(access, key_header=KeyHeader('api-key', '{}', credential))
    if name == 'api_key':
        fixed['api-key'] = credential
    elif name == 'azure_ad_token':
        fixed['Authorization'] = f'Bearer {credential}'
    return AZURE.make_access(f'{endpoint}/openai', fixed=fixed, query=query)


def _make_source(access: Access, get_token: Callable[[], Awaitable[str]] | None) -> AccessSource:
    """Return the source of the access. With a token provider, each request gets a token of its own."""
    if get_token is None:
        return make_fixed_access(access)

    async def get_access(model_name: str, *, refused: Access | None) -> Access:
        headers = {'Authorization': f'Bearer {await get_token()}'}
        return replace(access, headers=merge_headers(access.headers, headers))

    return get_access


def _make_client(
    sdk: Any, endpoint: str, version: str | None, credentials: dict[str, Any], options: dict[str, Any]
) -> AsyncOpenAI:
    """Make the SDK's client: an `AsyncOpenAI` for the v1 API. A token provider is passed to it as `api_key`."""
    client: AsyncOpenAI
    if endpoint.endswith('/v1'):
        [key] = credentials.values()
        query = {'api-version': version} if version else None
        client = sdk.AsyncOpenAI(base_url=endpoint, api_key=key, default_query=query, **options)
    else:
        client = sdk.AsyncAzureOpenAI(azure_endpoint=endpoint, api_version=version, **credentials, **options)
    return client


# ---------------------------------------------------------------------- credentials


def _find_credentials(key: ApiKey | None, token: str | None, provider: TokenProvider | None) -> dict[str, Any]:
    """Return the only credential under the SDK's name for it. In the environment, a token wins over a key."""
    named = {'api_key': key, 'azure_ad_token': token, 'azure_ad_token_provider': provider}
    given: dict[str, Any] = {name: value for name, value in named.items() if value}
    if len(given) > 1:
        raise UserError(f'Give one of {" and ".join(f"{name}=" for name in given)}, not several')
    if provider is not None:
        return {'azure_ad_token_provider': _check_tokens(provider)}
    for name, value in given.items():
        if callable(value):
            return {name: make_called_key(value, provider='azure')}
        return {name: check_key(value, where=f'{name}=', provider='azure')}
    for name, variable in {'azure_ad_token': TOKEN_VARIABLE, 'api_key': KEY_VARIABLE}.items():
        if value := os.environ.get(variable):
            return {name: check_key(value, where=variable, provider='azure')}
    raise MissingVariableError(
        f"The key of 'azure' is {'empty' if key == '' else 'missing'}: set the environment variable {KEY_VARIABLE} or "
        f'{TOKEN_VARIABLE}, or give api_key=, azure_ad_token= or azure_ad_token_provider='
    )


def _check_tokens(provider: TokenProvider) -> Callable[[], Awaitable[str]]:
    """Return the token provider as an async function that raises a `UserError` for an invalid token."""
    parameter = 'azure_ad_token_provider='
    check = partial(check_key, where=parameter, provider='azure')
    return CalledKey(provider, check, parameter, noun='token').get
