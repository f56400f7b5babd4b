"""Gemini through Vertex AI, with Google Cloud's credentials, which `google-auth` finds and refreshes, or with a key.

Application default credentials are looked for at the first request, not when the provider is made: looking may take
seconds, and may ask a metadata server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._extras import import_extra
from ..exceptions import UserError
from ..transport.http import Access
from .credentials import check_key
from .google import GoogleProvider, read_address
from .google_tokens import Tokens

if TYPE_CHECKING:
    import httpx
    import httpx2
    from google.auth.credentials import Credentials

__all__ = ('GoogleVertexProvider',)

SCOPES: Sequence[str] = ('https://www.googleapis.com/auth/cloud-platform',)
"""What the credentials must allow."""

EVERYWHERE = 'global'
"""The region that is none: Google chooses. The newest models are there first, and some are nowhere else."""

MULTI_REGIONS = frozenset({'us', 'eu'})
"""The regions that have an address of their own form."""

PROJECT_VARIABLES = ('GOOGLE_CLOUD_PROJECT', 'GCLOUD_PROJECT')
REGION_VARIABLES = ('GOOGLE_CLOUD_LOCATION', 'GOOGLE_CLOUD_REGION')
URL_VARIABLE = 'GOOGLE_VERTEX_BASE_URL'

GOOGLE = 'googleapis.com'
"""What the names of Google's own servers end in."""


class GoogleVertexProvider(GoogleProvider):
    """Vertex AI.

    `service_account_file`, `service_account_info`, `credentials` or an `api_key` (of express mode) say who asks;
    without one of them, application default credentials are used. `project_id` is the credentials' own where it is not
    given; another one than theirs is an error. `region` is that of the environment, or `'global'`.

    A `base_url` of another server than Google's (or `GOOGLE_VERTEX_BASE_URL`) gets credentials only where you give
    them, or a `project_id`. Raises `UserError` for credentials that cannot be read, and for want of a project.
    """

    def __init__(
        self,
        *,
        service_account_file: Path | str | None = None,
        service_account_info: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        api_key: str | None = None,
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
        elsewhere = read_address(base_url, variable=URL_VARIABLE, version='v1beta1', provider=self.name)
        self._region = region or _from_environment(REGION_VARIABLES) or EVERYWHERE
        self._wanted_project = self._project = project_id
        self._key: str | None = None
        self._tokens: Tokens | None = None
        if api_key is not None:
            self._key = _checked_key(api_key, self.name)
        elif any(given) or project_id or elsewhere is None or _is_google(elsewhere):
            self._tokens = self._tokens_of(service_account_file, service_account_info, credentials)
        super().__init__(elsewhere or f'https://{_host(self._region)}/v1beta1', http_client, can_renew=True)

    def _tokens_of(
        self, file: Path | str | None, info: Mapping[str, str] | None, credentials: Credentials | None
    ) -> Tokens:
        import_extra('google.auth', extra='google', what=type(self).__name__)
        if file is not None:
            found: Any = _read('service_account_file=', lambda kind: kind.from_service_account_file(str(file)))
        elif info is not None:
            found = _read('service_account_info=', lambda kind: kind.from_service_account_info(info))
        else:
            found = _checked(credentials)
        if found is not None:
            found = import_module('google.auth.credentials').with_scopes_if_required(found, SCOPES)
            own = getattr(found, 'project_id', None)
            self._project = self._agreed_project(own, own or _from_environment(PROJECT_VARIABLES))
        return Tokens(found, find=self._find_credentials, provider_name=self.name)

    async def access(self, model_name: str, *, refused: Access | None) -> Access:
        """The address of the project's models, and a token that is good for this request."""
        headers: dict[str, str] = {}
        if self._key is not None:
            headers['x-goog-api-key'] = self._key
        if self._tokens is not None:
            token = refused.headers.get('authorization', '').removeprefix('Bearer ') if refused else None
            (await self._tokens.get(model_name, refused=token)).apply(headers)
        place = f'/projects/{self._project}/locations/{self._region}' if self._project else ''
        return Access(self._address, headers, place)

    def _find_credentials(self) -> Any:
        """Application default credentials, and their project. Takes a while."""
        auth, exceptions = import_module('google.auth'), import_module('google.auth.exceptions')
        try:
            found, project = auth.default(scopes=SCOPES)
        except exceptions.DefaultCredentialsError as error:
            raise UserError(
                'Google Cloud credentials were not found: run `gcloud auth application-default login`, set '
                'GOOGLE_APPLICATION_CREDENTIALS, or give service_account_file=, service_account_info=, credentials= or '
                f'api_key= ({error.args[0] if error.args else type(error).__name__})'
            ) from None
        from_environment = project == _from_environment(PROJECT_VARIABLES)
        own = getattr(found, 'project_id', None) or (None if from_environment else project)
        self._project = self._agreed_project(own, project)
        return found

    def _agreed_project(self, of_credentials: str | None, otherwise: str | None) -> str:
        """The project that the request is made in. Two that differ are a mistake that a bill would show too late."""
        if self._wanted_project and of_credentials and self._wanted_project != of_credentials:
            raise UserError(
                f'project_id={self._wanted_project!r} is not the project of the credentials, {of_credentials!r}: '
                'leave it out, or give credentials of that project'
            )
        project = self._wanted_project or otherwise
        if not project:
            raise UserError('The credentials name no project: give project_id=, or set GOOGLE_CLOUD_PROJECT')
        return project

    @property
    def name(self) -> str:
        """`'google-vertex'`."""
        return 'google-vertex'


# ---------------------------------------------------------------------- credentials


def _read(parameter: str, read: Callable[[Any], Any]) -> Any:
    """The credentials of a service account. What goes wrong is told without the contents, which are secret."""
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


def _checked(credentials: Any) -> Any:
    kind = import_module('google.auth.credentials').Credentials
    if credentials is not None and not isinstance(credentials, kind):
        raise UserError(f'credentials= takes credentials of google-auth, not one of {type(credentials).__name__!r}')
    return credentials


def _checked_key(key: str, provider: str) -> str:
    if not key:
        raise UserError(f'api_key= of {provider!r} is empty: leave it out to use the credentials of Google Cloud')
    return check_key(key, where='api_key=', provider=provider)


# ---------------------------------------------------------------------- places


def _host(region: str) -> str:
    if region == EVERYWHERE:
        return f'aiplatform.{GOOGLE}'
    if region in MULTI_REGIONS:
        return f'aiplatform.{region}.rep.{GOOGLE}'
    return f'{region}-aiplatform.{GOOGLE}'


def _is_google(url: str) -> bool:
    return f'.{urlsplit(url).hostname}'.endswith(f'.{GOOGLE}')


def _from_environment(variables: Sequence[str]) -> str | None:
    return next((value for name in variables if (value := os.environ.get(name))), None)
