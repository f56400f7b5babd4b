"""Acme, a vendor that does not exist: what a package adds to `pydantic_llm` from outside.

Read `service` (an OpenAI-compatible service: one row), `dialect` (Chat Completions with differences: one value), then
the wire format of Acme's own API: `provider`, `model`, `encode`, `decode`, and `serve`, the same API from the server's
side, which the tests use.
"""

from __future__ import annotations

from .dialect import AcmeChatModel
from .model import AcmeModel, AcmeModelSettings
from .provider import AcmeProvider
from .service import ACME_CLOUD, build_cloud_model

__all__ = ('ACME_CLOUD', 'AcmeChatModel', 'AcmeModel', 'AcmeModelSettings', 'AcmeProvider', 'build_cloud_model')
