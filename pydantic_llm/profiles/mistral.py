"""Profiles of Mistral's models (https://docs.mistral.ai/models), and the schemas that Mistral enforces on outputs."""

from __future__ import annotations

from . import Facts, collect_facts
from .compatible import (
    JSON_OUTPUT,
    LOW_HIGH_MAX,
    LOW_MEDIUM_HIGH,
    MISTRAL_HISTORY,
    THINKS_ALWAYS,
    bare_name,
    make_profile,
)
from .openai import OpenAIModelProfile
from .schema import Node, SchemaRewriter

__all__ = ('MistralSchema', 'mistral_model_profile')

SERVER: Facts = {
    **JSON_OUTPUT,
    'json_schema_transformer': None,
    'openai_max_tokens_field': 'max_tokens',
    'openai_stream_usage': False,
    'openai_thinking_back': 'chunks',
    'openai_document_url': True,
    'openai_audio': False,
    'openai_joins_system_messages': False,
    'openai_cache_key': True,  # mistralai/client/models/chatcompletionrequest.py in its SDK
    # The API joins turns of one role itself. All of its models, those of other vendors too, have these rules.
    'history_rules': {
        **MISTRAL_HISTORY['history_rules'],
        'alternates': False,
        'response_first': True,
        'response_alone': False,  # mistral-common, _validate_message_list_structure
        'blank_text': 'refused',
    },
}
"""The facts of Mistral's server, for every model. It always sends the usage of a stream."""

ADJUSTABLE: Facts = {'supports_thinking': True, 'openai_thinking_efforts': ('high',), 'openai_thinking_off': 'none'}
"""A model whose thinking can be switched on, and has no levels."""

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
"""The facts of models, by the beginning of the name. Every match adds its facts. The last row has the older models,
whose tokenizers refuse chunks of thinking: https://github.com/mistralai/mistral-common."""


def mistral_model_profile(model_name: str) -> OpenAIModelProfile:
    """Return the profile of one of Mistral's models, or of a fine-tuned one (`ft:...`)."""
    name = bare_name(model_name.removeprefix('ft:'))
    return make_profile(name, SERVER | collect_facts(MODELS, name))


class MistralSchema(SchemaRewriter):
    """Schemas of outputs, whose objects must not allow additional properties in strict mode."""

    def rewrite(self, node: Node, path: str) -> Node:
        if node.get('type') == 'object':
            if 'properties' in node and 'additionalProperties' not in node:
                node['additionalProperties'] = False
            elif node.get('additionalProperties') is not False:
                self.compatible = False
                self.obstacles.append(f'{path} is an object whose keys are not known')
        return node
