"""The citations of a text as values. `tests/conformance/test_citations.py` tests each form."""

from __future__ import annotations

from dataclasses import replace

from pydantic_llm.messages import TextPart
from pydantic_llm.messages.citation_readers import read_citations


def cite(part: TextPart) -> TextPart:
    """Return the part with the citations that its details have."""
    return replace(part, citations=read_citations(part.provider_details or {}, part.content))
