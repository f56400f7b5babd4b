"""Validators of schemas, one for each vendor: the subset of JSON schema that it documents for strict mode.

`validate(schema)` yields a sentence for each rule that a schema breaks, with the place first. The rules were written
from the vendor's documentation and from the errors in public reports, and share no code with the profiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.conformance.validators.rules import Json
from tests.conformance.validators.schemas import (
    anthropic,
    cerebras,
    cohere,
    deepseek,
    fireworks,
    gemini,
    grok,
    groq,
    mistral,
    openai,
)

SCHEMA_VALIDATORS: Mapping[str, Callable[[Json], Iterator[str]]] = {
    'openai': openai.validate,
    'anthropic': anthropic.validate,
    'gemini': gemini.validate,
    'cohere': cohere.validate,
    'groq': groq.validate,
    'mistral': mistral.validate,
    'cerebras': cerebras.validate,
    'deepseek': deepseek.validate,
    'fireworks': fireworks.validate,
    'grok': grok.validate,
}
"""Vendor → validator."""
