"""Acme Cloud, a service that speaks OpenAI's Chat Completions API: one row."""

from __future__ import annotations

from typing import Any

from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.providers import Service, register_service

ACME_CLOUD = Service('acme-cloud', 'Acme Cloud', 'https://cloud.acme.example/v1', ('ACME_API_KEY',))


def build_cloud_model(model_name: str, **options: Any) -> OpenAIChatModel:
    """Build a model of Acme Cloud: what the entry point `acme-cloud` refers to."""
    register_service(ACME_CLOUD)
    return OpenAIChatModel(model_name, **{'provider': ACME_CLOUD.name, **options})
