"""The subsets of JSON schema that OpenAI-compatible services enforce, where they differ from OpenAI's.

`inlined` makes a transformer for models to which references are not sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from .openai import LENGTHS_OF_ARRAYS, OPENAI_SUBSET, OpenAISchema
from .schema import Node, SchemaTransformer, TransformedSchema, inline_transformer
from .subset import Subset

__all__ = ('CerebrasSchema', 'DeepSeekSchema', 'FireworksSchema', 'GrokSchema', 'make_inlining')

WITHOUT_LENGTHS = OPENAI_SUBSET.keywords - LENGTHS_OF_ARRAYS


class CerebrasSchema(OpenAISchema):
    """Schemas for Cerebras: https://inference-docs.cerebras.ai/capabilities/structured-outputs.

    "Unsupported JSON schema fields: {'minItems', 'items'}": musistudio/claude-code-router#708.
    """

    subset: ClassVar[Subset] = replace(OPENAI_SUBSET, keywords=WITHOUT_LENGTHS, recursion=False)


class DeepSeekSchema(OpenAISchema):
    """Schemas for DeepSeek: https://api-docs.deepseek.com/guides/tool_calls (strict mode)."""

    subset: ClassVar[Subset] = replace(
        OPENAI_SUBSET,
        keywords=WITHOUT_LENGTHS,
        formats=frozenset({'email', 'hostname', 'ipv4', 'ipv6', 'uuid'}),
        empty_objects=False,
    )


class FireworksSchema(OpenAISchema):
    """Schemas for Fireworks AI: https://docs.fireworks.ai/structured-responses/structured-response-formatting."""

    subset: ClassVar[Subset] = replace(OPENAI_SUBSET, keywords=WITHOUT_LENGTHS - {'pattern'})


class GrokSchema(OpenAISchema):
    """Schemas for xAI: https://docs.x.ai/docs/guides/structured-outputs."""

    subset: ClassVar[Subset] = replace(OPENAI_SUBSET, keywords=WITHOUT_LENGTHS)


def make_inlining(transform: SchemaTransformer) -> SchemaTransformer:
    """Return a transformer that replaces references by their definitions first."""

    def rewrite(schema: Node, strict: bool | None) -> TransformedSchema:
        return transform(inline_transformer(schema, strict).json_schema, strict)

    return rewrite
