"""The provider of Vertex AI, with Google Cloud's credentials, which `google-auth` finds and refreshes, or with a key.

Application default credentials are searched at the first request, not when the provider is made: the search may take
seconds, and may send requests to a metadata server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._extras import import_extra
from ..exceptions import UserError
from ..transport.called_keys import ApiKey, CalledKey
from ..transport.http import Access
from .credentials import check_key, make_called_key, read_variable
from .google_base import BaseGoogleProvider, find_base_url, with_google_key
from .google_tokens import Tokens

if TYPE_CHECKING:
    import httpx
    import httpx2
    from google.auth.credentials import Credentials

__all__ = ('GoogleVertexProvider',)

SCOPES: Sequence[str] = ('https://www.googleapis.com/auth/cloud-platform',)
"""The OAuth scopes of the tokens."""

GLOBAL_REGION = 'global'
"""The pseudo-region in which Google chooses the region. New models appear there first, and some only there."""

MULTI_REGIONS = frozenset({'us', 'eu'})
"""The regions whose host names have a form of their own: `aiplatform.eu.rep.googleapis.com`."""

PROJECT_VARIABLES = ('GOOGLE_CLOUD_PROJECT', 'GCLOUD_PROJECT')
REGION_VARIABLES = ('GOOGLE_CLOUD_LOCATION', 'GOOGLE_CLOUD_REGION')
URL_VARIABLE = 'GOOGLE_VERTEX_BASE_URL'

GOOGLE_DOMAIN = 'googleapis.com'
"""The domain of Google's own servers."""


class GoogleVertexProvider(BaseGoogleProvider):
    """Google's Vertex AI.

    Give one of `service_account_file`, `service_account_info`, `credentials` and `api_key` (of express mode); without
    one of them, application default credentials are used. `project_id` defaults to the project of the credentials,
    and must not differ from it. `region` defaults to the environment's, and then to `'global'`.

    A `base_url` of a server that is not Google's (or `GOOGLE_VERTEX_BASE_URL`) gets credentials only if you give them,
    or a `project_id`. Raises a `UserError` if credentials cannot be read, or if the project is unknown.
    """

    def __init__(
        self,
        *,
        service_account_file: Path | str | None = None,
        service_account_info: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        api_key: ApiKey | None = None,
        project_id: str | None = None,
        region: str | None = None,
        base_url: str | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        given = (service_account_file, service_account_info, credentials, api_key)
        if sum(each is not None for each in given) > 1:
            raise UserError(
                'Give one of service_account_file=, service_account_info=, credentials= and api_key=, not several'
            )
        other_url = find_base_url(base_url, variable=URL_VARIABLE, version='v1beta1', provider=self.name)
        self._region = region or read_variable(REGION_VARIABLES) or GLOBAL_REGION
        self._given_project = self._project = project_id
        self._key: str | CalledKey | None = None
        self._tokens: Tokens | None = None
        if api_key is not None:
            self._key = _check_api_key(api_key, self.name)
        elif any(given) or project_id or other_url is None or _is_google(other_url):
            self._tokens = self._make_tokens(service_account_file, service_account_info, credentials)
        super().__init__(other_url or f'https://{_choose_host(self._region)}/v1beta1', http_client, can_renew=True)

    def _make_tokens(
        self, file: Path | str | None, info: Mapping[str, str] | None, credentials: Credentials | None
    ) -> Tokens:
        import_extra('google.auth', extra='google', what=type(self).__name__)
        if file is not None:
            resolved: Any = _read_service_account(
                'service_account_file=', lambda kind: kind.from_service_account_file(str(file))
            )
        elif info is not None:
            resolved = _read_service_account('service_account_info=', lambda kind: kind.from_service_account_info(info))
        else:
            resolved = _check_credentials(credentials)
        if resolved is not None:
            resolved = import_module('google.auth.credentials').with_scopes_if_required(resolved, SCOPES)
            own = getattr(resolved, 'project_id', None)
            self._project = self._resolve_project(own, own or read_variable(PROJECT_VARIABLES))
        return Tokens(resolved, find=self._find_credentials, provider_name=self.name)

    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        """Return the URL of the project's models, with the key or with a token that is valid for this request."""
        headers: dict[str, str] = {}
        if self._tokens is not None:
            token = refused.headers.get('authorization', '').removeprefix('Bearer ') if refused else None
            (await self._tokens.get(model_name, refused=token)).apply(headers)
        place = f'/projects/{self._project}/locations/{self._region}' if self._project else ''
        access = Access(self._base_url, headers, place)
        return access if self._key is None else with_google_key(access, self._key)

    def _find_credentials(self) -> Any:
        """Find application default credentials and set the project to theirs. Blocks, possibly for seconds."""
        auth, exceptions = import_module('google.auth'), import_module('google.auth.exceptions')
        try:
            credentials, project = auth.default(scopes=SCOPES)
        except exceptions.DefaultCredentialsError as error:
            raise UserError(
                'Google Cloud credentials were not found: run `gcloud auth application-default login`, set '
                'GOOGLE_APPLICATION_CREDENTIALS, or give service_account_file=, service_account_info=, credentials= or '
                f'api_key= ({error.args[0] if error.args else type(error).__name__})'
            ) from None
        is_from_environment = project == read_variable(PROJECT_VARIABLES)
        own = getattr(credentials, 'project_id', None) or (None if is_from_environment else project)
        self._project = self._resolve_project(own, project)
        return credentials

    def _resolve_project(self, of_credentials: str | None, default: str | None) -> str:
        """Return the project to bill. Raises a `UserError` if the given one is not that of the credentials."""
        if self._given_project and of_credentials and self._given_project != of_credentials:
            raise UserError(
                f'project_id={self._given_project!r} is not the project of the credentials, {of_credentials!r}: '
                'leave it out, or give credentials of that project'
            )
        project = self._given_project or default
        if not project:
            raise UserError('The credentials name no project: give project_id=, or set GOOGLE_CLOUD_PROJECT')
        return project

    @property
    def name(self) -> str:
        return 'google-vertex'


# ---------------------------------------------------------------------- credentials


def _read_service_account(parameter: str, read: Callable[[Any], Any]) -> Any:
    """Read the credentials of a service account. The `UserError` for a failure does not show the secret contents."""
    try:
        return read(import_module('google.oauth2.service_account').Credentials)
    except OSError as error:
        reason = f'cannot be read: {error.strerror or type(error).__name__}'
    except UnicodeDecodeError:
        reason = 'is no text'
    except import_module('google.auth.exceptions').MalformedError as error:
        reason = f'is no key of a service account: {error}. Other credentials go into credentials='
    except ValueError:
        reason = 'holds no JSON, or a private key that cannot be read'
    except (AttributeError, TypeError):
        reason = 'is not the JSON object that Google gives as the key of a service account'
    raise UserError(f'{parameter} {reason}')


def _check_credentials(credentials: Any) -> Any:
    kind = import_module('google.auth.credentials').Credentials
    if credentials is not None and not isinstance(credentials, kind):
        raise UserError(f'credentials= takes credentials of google-auth, not one of {type(credentials).__name__!r}')
    return credentials


def _check_api_key(key: ApiKey, provider: str) -> str | CalledKey:
    if callable(key):
        return make_called_key(key, provider=provider)
    if not key:
        raise UserError(f'api_key= of {provider!r} is empty: leave it out to use the credentials of Google Cloud')
    return check_key(key, where='api_key=', provider=provider)


# ---------------------------------------------------------------------- hosts and variables


def _choose_host(region: str) -> str:
    if region == GLOBAL_REGION:
        return f'aiplatform.{GOOGLE_DOMAIN}'
    if region in MULTI_REGIONS:
        return f'aiplatform.{region}.rep.{GOOGLE_DOMAIN}'
    return f'{region}-aiplatform.{GOOGLE_DOMAIN}'


def _is_google(url: str) -> bool:
    return f'.{urlsplit(url).hostname}'.endswith(f'.{GOOGLE_DOMAIN}')
