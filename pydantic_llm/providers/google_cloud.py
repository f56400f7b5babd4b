"""The provider of Vertex AI under the name that pydantic-ai has for it, with that class's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transport.called_keys import ApiKey
from .google_vertex import GoogleVertexProvider

if TYPE_CHECKING:
    import httpx
    import httpx2
    from google.auth.credentials import Credentials

__all__ = ('GoogleCloudProvider',)


class GoogleCloudProvider(GoogleVertexProvider):
    """`GoogleVertexProvider`, whose `project_id` and `region` are `project` and `location` here."""

    def __init__(
        self,
        *,
        api_key: ApiKey | None = None,
        credentials: Credentials | None = None,
        project: str | None = None,
        location: str | None = None,
        base_url: str | None = None,
        http_client: httpx2.AsyncClient | httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(
            api_key=api_key,
            credentials=credentials,
            project_id=project,
            region=location,
            base_url=base_url,
            http_client=http_client,
        )
