"""`EmbeddingResult`: the embeddings of a list of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, Literal

from ..cost import Cost, price_attempts
from ..messages._value import now
from ..prices import PricesOfModels
from ..usage import AttemptUsage, RequestUsage

__all__ = ('EmbedInputType', 'EmbeddingResult')

EmbedInputType = Literal['query', 'document']
"""What the texts are for: a `'query'` is searched for, a `'document'` is what is searched. Many models differ."""


@dataclass
class EmbeddingResult:
    """The embeddings of a list of texts.

    `result[0]` is the embedding of the first text, `result['some text']` that of a text by itself.
    """

    embeddings: Sequence[Sequence[float]]
    """One vector for each text, in the order of the texts."""

    _: KW_ONLY

    inputs: Sequence[str]
    """The texts."""

    input_type: EmbedInputType
    """What the texts are for."""

    model_name: str
    """The model, as the vendor names it."""

    provider_name: str
    """The vendor."""

    timestamp: datetime = field(default_factory=now)
    """The time when the result was received."""

    usage: RequestUsage = field(default_factory=RequestUsage)
    """The tokens of all HTTP requests. If the vendor does not report them, `usage.missing` says so."""

    provider_details: dict[str, Any] | None = None
    """Facts that only this vendor reports."""

    provider_response_id: str | None = None
    """The vendor's id of the response; `None` if there were several."""

    warnings: list[str] = field(default_factory=list[str])
    """One sentence for each setting that was not sent."""

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, item: int | str) -> Sequence[float]:
        """Return the embedding by the index or by the text. Raises `IndexError` or `ValueError`."""
        if isinstance(item, str) and item not in self.inputs:
            raise ValueError(f'{item!r} is not one of the {len(self)} texts of this result')
        return self.embeddings[self.inputs.index(item) if isinstance(item, str) else item]

    def cost(self, *, prices: PricesOfModels | None = None) -> Cost:
        """Return the cost in US dollars, by the prices of `genai-prices` (extra `prices`) at the time of the result.

        `prices` are your own, for all models or by model id. `Cost.unpriced` names what has no known price. Raises
        `UserError` if prices are needed and the package is not installed.
        """
        attempt = AttemptUsage(
            usage=self.usage, model_name=self.model_name, provider_name=self.provider_name, timestamp=self.timestamp
        )
        return price_attempts([attempt], prices=prices)

    def __repr__(self) -> str:
        size = f'{len(self.embeddings)} x {len(self.embeddings[0])}' if self.embeddings else 'empty'
        return f'EmbeddingResult({size}, model_name={self.model_name!r}, usage={self.usage!r})'
