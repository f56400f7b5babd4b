"""The provider of Amazon Bedrock, with AWS credentials, which `boto3` finds and signs with, or with an API key.

Credentials are searched at the first request, not when the provider is made: the search may take seconds, and may send
requests to a metadata server.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.bedrock import bedrock_model_profile
from ..transport.aws import AwsConnection
from ..transport.aws_http import make_http_client
from ..transport.called_keys import ApiKey, CalledKey
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from .credentials import (
    MissingVariableError,
    check_any_http_client,
    check_key,
    check_url,
    hide_password,
    make_called_key,
)
from .provider import Provider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from botocore.client import BaseClient  # pyright: ignore[reportMissingTypeStubs] -- there are none

__all__ = ('BedrockProvider',)

SERVICE = 'bedrock-runtime'

OPERATIONS = {
    'converse': 'Converse',
    'converse-stream': 'ConverseStream',
    'count-tokens': 'CountTokens',
    'invoke': 'InvokeModel',
}
"""Amazon's names of the operations, by the ends of their paths."""

TOKEN_VARIABLE = 'AWS_BEARER_TOKEN_BEDROCK'
REGION_VARIABLE = 'AWS_REGION'
"""The variable that Amazon's other SDKs and its services read; boto3 itself reads only `AWS_DEFAULT_REGION`."""

ANY_REGION = 'us-east-1'
"""The region given to boto3, which requires one, if neither the URL nor a signature depends on it."""

READ_TIMEOUT, CONNECT_TIMEOUT = 600.0, 10.0
"""Timeouts in seconds. A model may think for longer than boto3's default read timeout of 60 s."""


class BedrockProvider(Provider['BaseClient']):
    """Amazon Bedrock, in one region.

    Requests are signed with AWS credentials: those that are given, or those that boto3 finds (environment, profile,
    single sign-on, role). A Bedrock API key, `api_key` or `AWS_BEARER_TOKEN_BEDROCK`, needs no credentials.
    `bedrock_client` takes a ready `boto3.client('bedrock-runtime')`, whose credentials, URL, configuration and event
    handlers are kept: it builds and signs the requests, and an asynchronous client sends them. `http_client` is that
    client: an `httpx2.AsyncClient` or an `httpx.AsyncClient`.

    Raises a `UserError` if the region is missing, and for a key, a URL or a profile that is invalid.
    """

    def __init__(
        self,
        *,
        bedrock_client: BaseClient | None = None,
        region_name: str | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        profile_name: str | None = None,
        api_key: ApiKey | None = None,
        base_url: str | None = None,
        aws_read_timeout: float | None = None,
        aws_connect_timeout: float | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        import_extra('boto3', extra='bedrock', what=type(self).__name__)
        keys = (aws_access_key_id, aws_secret_access_key, aws_session_token)
        options = (region_name, *keys, profile_name, api_key, base_url, aws_read_timeout, aws_connect_timeout)
        if bedrock_client is not None:
            if any(given is not None for given in options):
                raise UserError(
                    'bedrock_client= brings its own region, credentials, address and timeouts: give nothing else '
                    'with it but http_client='
                )
            self._client: Any = _check_bedrock_client(bedrock_client)
            token = None
        else:
            token = self._find_token(api_key, (*keys, profile_name))
            url = None if base_url is None else check_url(base_url, where='base_url=', provider=self.name)
            session = _make_session(profile_name)
            region = region_name or session.get_config_variable('region') or os.environ.get(REGION_VARIABLE)
            if region is None and not (token and url):
                raise MissingVariableError(
                    f'The region of {self.name!r} is missing: give region_name=, or set the environment variable '
                    'AWS_DEFAULT_REGION'
                )
            timeouts = (aws_read_timeout or READ_TIMEOUT, aws_connect_timeout or CONNECT_TIMEOUT)
            self._client = _make_client(session, region or ANY_REGION, url, token, keys, timeouts)
        http = check_any_http_client(http_client) or make_http_client(self._client)
        clients = LoopClients[Any](http, HttpClients())
        called = token if isinstance(token, CalledKey) else None
        self._connection = AwsConnection(clients, self._client, OPERATIONS, provider_name=self.name, key=called)

    def _find_token(self, api_key: ApiKey | None, credentials: tuple[str | None, ...]) -> str | CalledKey | None:
        """Return the API key that was given, or the environment's if no credentials were given."""
        given = any(each is not None for each in credentials)
        if api_key is not None:
            if given:
                raise UserError('Give api_key= or AWS credentials (aws_access_key_id=, profile_name=, ...), not both')
            if not api_key:
                raise UserError(f'The key of {self.name!r} is empty: leave api_key= out to use AWS credentials')
            if callable(api_key):
                return make_called_key(api_key, provider=self.name)
            return check_key(api_key, where='api_key=', provider=self.name)
        token = None if given else os.environ.get(TOKEN_VARIABLE)
        return check_key(token, where=TOKEN_VARIABLE, provider=self.name) if token else None

    @property
    def name(self) -> str:
        return 'bedrock'

    @property
    def base_url(self) -> str:
        return hide_password(self._client.meta.endpoint_url)

    @property
    def client(self) -> BaseClient:
        """The client of boto3. Its own methods can be called as well, and block."""
        return self._client

    def model_profile(self, model_name: str) -> ModelProfile | None:
        return bedrock_model_profile(model_name)


def _check_bedrock_client(client: Any) -> Any:
    """Return the client if it is one of `bedrock-runtime`. Amazon has other services whose names begin with bedrock."""
    service = getattr(getattr(getattr(client, 'meta', None), 'service_model', None), 'service_name', None)
    if service != SERVICE:
        kind = f'a client for {service!r}' if service else f'an object of type {type(client).__name__!r}'
        raise UserError(f"bedrock_client= takes a boto3.client('{SERVICE}'), not {kind}")
    return client


# ---------------------------------------------------------------------- the client of boto3


def _make_session(profile_name: str | None) -> Any:
    """Make a session of botocore that searches credentials when they are first used."""
    session = import_module('botocore.session').Session(profile=profile_name)
    try:
        session.get_scoped_config()
    except import_module('botocore.exceptions').ProfileNotFound as error:
        where = 'profile_name=' if profile_name else 'AWS_PROFILE'
        raise UserError(f'{where} names a profile that is not configured: {error}') from None
    session.register_component('credential_provider', _DeferredProvider(session.get_component('credential_provider')))
    return session


def _make_client(
    session: Any,
    region: str,
    url: str | None,
    token: str | CalledKey | None,
    keys: tuple[str | None, ...],
    timeouts: tuple[float, float],
) -> Any:
    version = import_module('botocore').UNSIGNED if token else 'v4'
    config = import_module('botocore.config').Config(
        signature_version=version, read_timeout=timeouts[0], connect_timeout=timeouts[1]
    )
    names = ('aws_access_key_id', 'aws_secret_access_key', 'aws_session_token')
    given = {name: key for name, key in zip(names, keys, strict=True) if key is not None}
    try:
        client: Any = (
            import_module('boto3')
            .Session(botocore_session=session)
            .client(SERVICE, region_name=region, endpoint_url=url, config=config, **given)
        )
    except (import_module('botocore.exceptions').BotoCoreError, ValueError) as error:
        raise UserError(f'boto3 cannot make a client for {SERVICE!r}: {error}') from error
    if isinstance(token, str):
        client.meta.events.register(f'before-sign.{SERVICE}', partial(_add_token, token))
    return client


def _add_token(token: str, /, request: Any, **more: Any) -> None:
    """Add the API key to a request, as an event handler: boto3 adds it only over https, not for a local proxy."""
    request.headers['Authorization'] = f'Bearer {token}'


class _DeferredProvider:
    """A provider of credentials, as botocore defines one, that returns credentials at once and searches them later."""

    def __init__(self, chain: Any) -> None:
        self._chain = chain

    def load_credentials(self) -> Any:
        return _DeferredCredentials(self._chain)


class _DeferredCredentials:
    """Credentials, as botocore defines them, that are searched when they are first used."""

    method = 'later'
    account_id = None

    def __init__(self, chain: Any) -> None:
        self._chain = chain
        self._found: Any = None
        self._lock = threading.Lock()

    def refresh_needed(self, refresh_in: int | None = None) -> bool:
        """Return whether `get_frozen_credentials` has to search or fetch them, and blocks."""
        inner = self._found
        return inner is None or (hasattr(inner, 'refresh_needed') and bool(inner.refresh_needed(refresh_in)))

    def get_frozen_credentials(self) -> Any:
        """Return the secrets as they are now. Raises botocore's `NoCredentialsError` if no source has any."""
        with self._lock:
            if self._found is None:
                self._found = self._chain.load_credentials()
        if self._found is None:
            raise import_module('botocore.exceptions').NoCredentialsError
        return self._found.get_frozen_credentials()

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Return a function that reads one of the secrets."""
        return lambda: getattr(self, name, None)

    def __getattr__(self, name: str) -> Any:
        """Return a secret by its name, as some event handlers read it."""
        if name in ('access_key', 'secret_key', 'token'):
            return getattr(self.get_frozen_credentials(), name)
        raise AttributeError(name)
