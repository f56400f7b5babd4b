"""No test sees the keys and addresses of the machine it runs on."""

from __future__ import annotations

import os

import pytest

from pydantic_llm.providers.registry import SERVICES


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        name
        for service in SERVICES.values()
        for name in (*service.key_variables, *service.url_variables, *service.place_variables)
    }
    for name in list(os.environ):
        if name in known or name.startswith(('AZURE_', 'OPENAI_')):
            monkeypatch.delenv(name)
