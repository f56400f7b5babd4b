"""Amazon Bedrock, with AWS credentials, which `boto3` finds, refreshes and signs with, or with a Bedrock API key.

Credentials are looked for at the first request, not when the provider is made: looking may take seconds, and may ask a
metadata server.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.bedrock import bedrock_model_profile
from ..transport import Connection
from ..transport.aws import AwsConnection
from ..transport.aws_http import make_http_client
from ..transport.loops import LoopClients
from ..transport.pools import HttpClients
from .credentials import check_key, check_url, hide_password
from .provider import Provider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from botocore.client import BaseClient  # pyright: ignore[reportMissingTypeStubs] -- there are none

__all__ = ('BedrockProvider',)

SERVICE = 'bedrock-runtime'

OPERATIONS = {'converse': 'Converse', 'converse-stream': 'ConverseStream'}
"""Amazon's names of the operations, by what their paths end in."""

TOKEN_VARIABLE = 'AWS_BEARER_TOKEN_BEDROCK'
REGION_VARIABLE = 'AWS_REGION'
"""Where Amazon's other SDKs and its services look for the region; boto3 itself looks for `AWS_DEFAULT_REGION`."""

ANY_REGION = 'us-east-1'
"""What stands for the region where neither the address nor a signature needs one."""

READ_TIMEOUT, CONNECT_TIMEOUT = 600.0, 10.0
"""Seconds. boto3's own 60 s of silence are less than a model may think."""


class BedrockProvider(Provider['BaseClient']):
    """Amazon Bedrock, in one region.

    Requests are signed with AWS credentials: those that are given, or those that boto3 finds (environment, profile,
    single sign-on, role). A Bedrock API key, `api_key` or `AWS_BEARER_TOKEN_BEDROCK`, needs no credentials.
    `bedrock_client` takes a ready `boto3.client('bedrock-runtime')` with its credentials, address, configuration and
    handlers of events; requests are built and signed with it, and sent by an asynchronous client. `http_client` is that
    client: an `httpx2.AsyncClient` or an `httpx.AsyncClient`.

    Raises a `UserError` where the region is missing, and for a key, an address or a profile that cannot be used.
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
        api_key: str | None = None,
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
                    'beside it but http_client='
                )
            self._client: Any = _checked(bedrock_client)
        else:
            token = self._token(api_key, (*keys, profile_name))
            url = None if base_url is None else check_url(base_url, where='base_url=', provider=self.name)
            session = _session(profile_name)
            region = region_name or session.get_config_variable('region') or os.environ.get(REGION_VARIABLE)
            if region is None and not (token and url):
                raise UserError(
                    f'The region of {self.name!r} is missing: give region_name=, or set the environment variable '
                    'AWS_DEFAULT_REGION'
                )
            timeouts = (aws_read_timeout or READ_TIMEOUT, aws_connect_timeout or CONNECT_TIMEOUT)
            self._client = _client(session, region or ANY_REGION, url, token, keys, timeouts)
        http = _asynchronous(http_client) or make_http_client(self._client)
        clients = LoopClients[Any](http, HttpClients())
        self._connection = AwsConnection(clients, self._client, OPERATIONS, provider_name=self.name)

    def _token(self, api_key: str | None, credentials: tuple[str | None, ...]) -> str | None:
        """The API key: as given, or as in the environment where no credentials are given."""
        given = any(each is not None for each in credentials)
        if api_key is not None:
            if given:
                raise UserError('Give api_key= or AWS credentials (aws_access_key_id=, profile_name=, ...), not both')
            if not api_key:
                raise UserError(f'The key of {self.name!r} is empty: leave api_key= out to use AWS credentials')
            return check_key(api_key, where='api_key=', provider=self.name)
        found = None if given else os.environ.get(TOKEN_VARIABLE)
        return check_key(found, where=TOKEN_VARIABLE, provider=self.name) if found else None

    @property
    def name(self) -> str:
        """`'bedrock'`."""
        return 'bedrock'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return hide_password(self._client.meta.endpoint_url)

    @property
    def client(self) -> BaseClient:
        """The boto3 client. Its own methods work as well; they block."""
        return self._client

    @property
    def connection(self) -> Connection:
        """The client as a connection."""
        return self._connection

    def model_profile(self, model_name: str) -> ModelProfile | None:
        """What one of the models at Bedrock can do."""
        return bedrock_model_profile(model_name)


def _checked(client: Any) -> Any:
    """The client, if it is one of the service that answers. Amazon has several that are called like it."""
    service = getattr(getattr(getattr(client, 'meta', None), 'service_model', None), 'service_name', None)
    if service != SERVICE:
        what = f'a client for {service!r}' if service else f'an object of type {type(client).__name__!r}'
        raise UserError(f"bedrock_client= takes a boto3.client('{SERVICE}'), not {what}")
    return client


def _asynchronous(client: Any) -> Any:
    if client is not None and not hasattr(client, 'aclose'):
        kind = f'{type(client).__module__.partition(".")[0]}.{type(client).__name__}'
        raise UserError(f'http_client= takes an httpx2.AsyncClient or an httpx.AsyncClient, not an object of {kind}')
    return client


# ---------------------------------------------------------------------- a client of boto3


def _session(profile_name: str | None) -> Any:
    """A session of botocore's that looks for credentials when they are needed."""
    session = import_module('botocore.session').Session(profile=profile_name)
    try:
        session.get_scoped_config()
    except import_module('botocore.exceptions').ProfileNotFound as error:
        where = 'profile_name=' if profile_name else 'AWS_PROFILE'
        raise UserError(f'{where} names a profile that is not configured: {error}') from None
    session.register_component('credential_provider', _Later(session.get_component('credential_provider')))
    return session


def _client(
    session: Any,
    region: str,
    url: str | None,
    token: str | None,
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
    if token is not None:
        client.meta.events.register(f'before-sign.{SERVICE}', _Bearer(token))
    return client


class _Bearer:
    """Puts an API key into requests. boto3 would do so over https alone; where it goes is the user's choice here."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any, **more: Any) -> None:
        request.headers['Authorization'] = f'Bearer {self._token}'


class _Later:
    """Finds no credentials but ones that look for themselves when they are used."""

    def __init__(self, chain: Any) -> None:
        self._chain = chain

    def load_credentials(self) -> Any:
        """The credentials."""
        return _LaterCredentials(self._chain)


class _LaterCredentials:
    """Credentials of botocore's that are looked for when they are first used."""

    method = 'later'
    account_id = None

    def __init__(self, chain: Any) -> None:
        self._chain = chain
        self._found: Any = None
        self._lock = threading.Lock()

    def refresh_needed(self, refresh_in: int | None = None) -> bool:
        """Whether they have to be found or fetched first, which takes a while."""
        found = self._found
        return found is None or (hasattr(found, 'refresh_needed') and bool(found.refresh_needed(refresh_in)))

    def get_frozen_credentials(self) -> Any:
        """The credentials as they are now. Takes a while where `refresh_needed`."""
        with self._lock:
            if self._found is None:
                self._found = self._chain.load_credentials()
        if self._found is None:
            raise import_module('botocore.exceptions').NoCredentialsError
        return self._found.get_frozen_credentials()

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Reads one of the secrets later."""
        return lambda: getattr(self, name, None)

    def __getattr__(self, name: str) -> Any:
        """The secrets by their names, as some handlers of events read them."""
        if name in ('access_key', 'secret_key', 'token'):
            return getattr(self.get_frozen_credentials(), name)
        raise AttributeError(name)
