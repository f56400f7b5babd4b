"""Rewrites the settings of a request body in OpenAI's form."""

from __future__ import annotations

from typing import Any

from ...json_types import Json
from .dialect import SERVICE_TIERS

OUR_SERVICE_TIERS = {wire: tier for tier, wire in SERVICE_TIERS.items()}
"""Mistral's service tiers -> values of the setting `service_tier`."""


def decode_settings(body: Json) -> Json:
    """Return the fields of the body whose values differ from OpenAI's, with OpenAI's values."""
    fields: Json = {}
    if body.get('tool_choice') == 'any':
        fields['tool_choice'] = 'required'
    tier: Any = body.get('service_tier')
    if isinstance(tier, str):
        fields['service_tier'] = OUR_SERVICE_TIERS.get(tier, tier)
    return fields
