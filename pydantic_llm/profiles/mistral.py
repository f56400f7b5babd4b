"""What Mistral's models can do (https://docs.mistral.ai/models), and the schemas that their outputs are held to."""

from __future__ import annotations

import re
from typing import Any

from .compatible import (
    JSON_OUTPUT,
    LOW_HIGH_MAX,
    LOW_MEDIUM_HIGH,
    THINKS_ALWAYS,
    Facts,
    bare_name,
    made_profile,
)
from .openai import OpenAIModelProfile
from .schema import SchemaRewriter

__all__ = ('MistralSchema', 'mistral_model_profile')

SERVER: Facts = {
    **JSON_OUTPUT,
    'json_schema_transformer': None,
    'openai_max_tokens_field': 'max_tokens',
    'openai_stream_usage': False,
    'openai_thinking_back': 'chunks',
    'openai_document_url': True,
    'openai_audio': False,
}
"""What Mistral's server takes, whichever model answers. It tells the usage of a stream without being asked."""

ADJUSTABLE: Facts = {
    'supports_thinking': True,
    'openai_thinking_efforts': ('high',),
    'openai_thinking_off': 'none',
}
"""A model that thinks when it is told to, and knows no degrees of it."""

MODELS: tuple[tuple[str, Facts], ...] = (
    (r'magistral', THINKS_ALWAYS),
    (r'mistral-small($|-latest|-2603|-4)', ADJUSTABLE),
    (r'mistral-medium($|-latest|-2604|-3$|-3[-.]5)', ADJUSTABLE),
    (r'mistral-large-4|mistral-(code-agent|vibe-cli)|devstral-((small|medium)-)?latest', ADJUSTABLE),
    (r'(zai-)?glm-5-2', {**ADJUSTABLE, 'openai_thinking_efforts': ('minimal', *LOW_MEDIUM_HIGH, 'xhigh', 'max')}),
    (r'zai-glm-(5-3|5$|latest)', {**THINKS_ALWAYS, 'openai_thinking_efforts': LOW_HIGH_MAX}),
    (r'voxtral', {'openai_audio': True, 'openai_audio_formats': ('mp3', 'wav', 'flac', 'ogg', 'webm')}),
    (r'open-|mistral-(tiny|saba)|pixtral|.*-(2[34]\d\d|250[1-6])$', {'openai_thinking_back': 'tags'}),
)
"""What is known of models by the beginning of their name. The last row is of those from before there were chunks of
thoughts, whose tokenizers refuse them: https://github.com/mistralai/mistral-common."""


def mistral_model_profile(model_name: str) -> OpenAIModelProfile:
    """What one of Mistral's models can do, or one that was made of it by fine-tuning (`ft:...`)."""
    name = bare_name(model_name.removeprefix('ft:'))
    facts = dict(SERVER)
    for pattern, known in MODELS:
        if re.match(pattern, name):
            facts |= known
    return made_profile(name, facts)


class MistralSchema(SchemaRewriter):
    """Schemas of outputs, which strict mode wants closed: an object has the fields that it names, and no others."""

    def rewrite(self, node: dict[str, Any], path: str) -> dict[str, Any]:
        """Close an object, or see that it is meant to be open."""
        if node.get('type') == 'object':
            if 'properties' in node and 'additionalProperties' not in node:
                node['additionalProperties'] = False
            elif node.get('additionalProperties') is not False:
                self.compatible = False
        return node
