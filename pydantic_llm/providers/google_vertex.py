"""Gemini through Vertex AI, with Google Cloud's credentials, which `google-auth` finds and refreshes.

Application default credentials are looked for at the first request, not when the provider is made: looking may take
seconds, and may ask a metadata server.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._extras import import_extra
from ..exceptions import UserError
from ..transport.http import Access
from .google import GoogleProvider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from google.auth.credentials import Credentials

__all__ = ('GoogleVertexProvider',)

SCOPES: Sequence[str] = ('https://www.googleapis.com/auth/cloud-platform',)
"""What the credentials must allow."""

MULTI_REGIONS = frozenset({'us', 'eu'})
"""The regions that have an address of their own form."""

PROJECT_VARIABLES = ('GOOGLE_CLOUD_PROJECT', 'GCLOUD_PROJECT')
REGION_VARIABLES = ('GOOGLE_CLOUD_LOCATION', 'GOOGLE_CLOUD_REGION')


class GoogleVertexProvider(GoogleProvider):
    """Vertex AI.

    Without `service_account_file`, `service_account_info` or `credentials`, application default credentials are used.
    `project_id` is the credentials' own where it is not given; another one than theirs is an error.
    """

    def __init__(
        self,
        *,
        service_account_file: Path | str | None = None,
        service_account_info: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        project_id: str | None = None,
        region: str | None = None,
        base_url: str | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        import_extra('google.auth', extra='google', what='GoogleVertexProvider')
        given = [each for each in (service_account_file, service_account_info, credentials) if each is not None]
        if len(given) > 1:
            raise UserError('Give one of service_account_file=, service_account_info= and credentials=, not several')
        self._region = region or _from_environment(REGION_VARIABLES) or 'us-central1'
        self._base_url = (base_url or f'https://{_host(self._region)}/v1beta1').rstrip('/')
        self._wanted_project = project_id
        self._project: str | None = None
        self._credentials: Any = credentials
        if service_account_file is not None:
            self._credentials = _service_account().from_service_account_file(str(service_account_file), scopes=SCOPES)
        elif service_account_info is not None:
            self._credentials = _service_account().from_service_account_info(service_account_info, scopes=SCOPES)
        if self._credentials is not None:
            self._project = self._agreed_project(getattr(self._credentials, 'project_id', None))
        self._refreshing = _PerLoopLock()
        super().__init__(http_client, renews=True)

    async def access(self, *, renew: bool) -> Access:
        """The address of the project's models, and a token that is good for this request."""
        async with self._refreshing.get():
            credentials = self._credentials or await asyncio.to_thread(self._find_credentials)
            if renew or not credentials.valid:
                await asyncio.to_thread(_refresh, credentials)
        headers: dict[str, str] = {}
        credentials.apply(headers)
        if quota := getattr(credentials, 'quota_project_id', None):
            headers['x-goog-user-project'] = quota
        place = f'projects/{self._project}/locations/{self._region}'
        return Access(f'{self._base_url}/{place}/publishers/google', headers)

    def _find_credentials(self) -> Any:
        from google.auth.exceptions import DefaultCredentialsError

        try:
            found, project = import_module('google.auth').default(scopes=SCOPES)
        except DefaultCredentialsError as error:
            raise UserError(
                'Google Cloud credentials were not found: run `gcloud auth application-default login`, set '
                'GOOGLE_APPLICATION_CREDENTIALS, or give service_account_file= or service_account_info='
            ) from error
        self._project = self._agreed_project(project)
        self._credentials = found
        return found

    def _agreed_project(self, of_credentials: str | None) -> str:
        """The project that the request is made in. Two that differ are a mistake that a bill would show too late."""
        if self._wanted_project and of_credentials and self._wanted_project != of_credentials:
            raise UserError(
                f'project_id={self._wanted_project!r} is not the project of the credentials, {of_credentials!r}: '
                'leave it out, or give credentials of that project'
            )
        project = self._wanted_project or of_credentials or _from_environment(PROJECT_VARIABLES)
        if not project:
            raise UserError('The credentials name no project: give project_id=, or set GOOGLE_CLOUD_PROJECT')
        return project

    @property
    def name(self) -> str:
        """`'google-vertex'`."""
        return 'google-vertex'

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return self._base_url


class _PerLoopLock:
    """A lock for each event loop, so that one refresh serves all requests of a loop that wait for it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._lock = loop, asyncio.Lock()
        return self._lock


def _refresh(credentials: Any) -> None:
    credentials.refresh(import_module('google.auth.transport.requests').Request())


def _service_account() -> Any:
    return import_module('google.oauth2.service_account').Credentials


def _host(region: str) -> str:
    if region == 'global':
        return 'aiplatform.googleapis.com'
    if region in MULTI_REGIONS:
        return f'aiplatform.{region}.rep.googleapis.com'
    return f'{region}-aiplatform.googleapis.com'


def _from_environment(variables: Sequence[str]) -> str | None:
    return next((value for name in variables if (value := os.environ.get(name))), None)
