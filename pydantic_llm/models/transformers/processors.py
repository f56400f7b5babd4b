"""The library's logits processors for one row, as `generate` makes them from a model's `generation_config`.

Tables instead of `GenerationMixin._get_logits_processor` (generation/utils.py, transformers 5.24), which is private and
makes one list for a whole batch. Their order is that of the library. `temperature`, `top_k`, `top_p`, `min_p` and
`repetition_penalty` are settings of a request, which `choose` applies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..local import Job, Sampling
from .library import import_torch, import_transformers

__all__ = ('RowProcessors', 'TransformersSampling', 'list_supported')

Tensor = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformersSampling(Sampling):
    """The sampling of one response, with the values that only this engine has."""

    generation: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values of `GenerationConfig`, by name: keys of `PROCESSORS` and `FILTERS`."""
    eos: frozenset[int] = frozenset()
    """The ids of the tokens that end a response."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """The facts about one response that processors depend on."""

    prompt: Tensor
    """Shape [1, tokens]."""
    eos: list[int]
    max_length: int
    """The maximum length of prompt and response together, in tokens."""

    @property
    def length(self) -> int:
        return int(self.prompt.shape[1])

    @property
    def device(self) -> Any:
        return self.prompt.device


Make = Callable[[Any, Any, _Facts], Any]
"""(transformers, the value, facts) -> a logits processor."""

PROCESSORS: dict[str, Make] = {
    'sequence_bias': lambda t, value, facts: t.SequenceBiasLogitsProcessor(sequence_bias=value),
    'encoder_repetition_penalty': lambda t, value, facts: t.EncoderRepetitionPenaltyLogitsProcessor(
        penalty=value, encoder_input_ids=facts.prompt
    ),
    'no_repeat_ngram_size': lambda t, value, facts: t.NoRepeatNGramLogitsProcessor(value),
    'encoder_no_repeat_ngram_size': lambda t, value, facts: t.EncoderNoRepeatNGramLogitsProcessor(value, facts.prompt),
    'bad_words_ids': lambda t, value, facts: t.NoBadWordsLogitsProcessor(value, facts.eos),
    'min_length': lambda t, value, facts: t.MinLengthLogitsProcessor(value, facts.eos, device=facts.device),
    'min_new_tokens': lambda t, value, facts: t.MinNewTokensLengthLogitsProcessor(
        facts.length, value, facts.eos, device=facts.device
    ),
    'forced_eos_token_id': lambda t, value, facts: t.ForcedEOSTokenLogitsProcessor(
        facts.max_length, value, device=facts.device
    ),
    'remove_invalid_values': lambda t, value, facts: t.InfNanRemoveLogitsProcessor(),
    'exponential_decay_length_penalty': lambda t, value, facts: t.ExponentialDecayLengthPenalty(
        value, facts.eos, facts.length
    ),
    'suppress_tokens': lambda t, value, facts: t.SuppressTokensLogitsProcessor(value, device=facts.device),
    'begin_suppress_tokens': lambda t, value, facts: t.SuppressTokensAtBeginLogitsProcessor(
        value, facts.length, device=facts.device
    ),
}
"""The values that change logits, whether the next token is drawn or not."""

FILTERS: dict[str, Make] = {
    'top_h': lambda t, value, facts: t.TopHLogitsWarper(top_h=value),
    'typical_p': lambda t, value, facts: t.TypicalLogitsWarper(mass=value),
    'epsilon_cutoff': lambda t, value, facts: t.EpsilonLogitsWarper(epsilon=value),
    'eta_cutoff': lambda t, value, facts: t.EtaLogitsWarper(epsilon=value, device=facts.device),
}
"""The values that exclude tokens from being drawn, after `top_k`, `top_p` and `min_p`."""

WITHOUT_PROCESSOR = ('renormalize_logits',)
"""Values that need no processor: probabilities are normalized before a token is drawn."""


class RowProcessors:
    """The processors of one row. They are made with the first logits, on their device."""

    def __init__(self, job: Job, sampling: TransformersSampling) -> None:
        self._job = job
        self._sampling = sampling
        self._made: tuple[list[Any], list[Any]] | None = None

    def adjust(self, logits: Tensor, tokens: Sequence[int]) -> Tensor:
        """Apply `PROCESSORS` to logits of shape [vocabulary]. `tokens` are those of the response."""
        processors, _ = self._get_processors(logits.device)
        return self._apply(processors, logits, tokens)

    def filter(self, probabilities: Tensor, tokens: Sequence[int]) -> Tensor:
        """Return probabilities with 0 for what `FILTERS` exclude. Shape [vocabulary], in any order."""
        _, filters = self._get_processors(probabilities.device)
        return self._apply(filters, probabilities.log(), tokens).softmax(dim=-1) if filters else probabilities

    def _apply(self, processors: Sequence[Any], scores: Tensor, tokens: Sequence[int]) -> Tensor:
        if not processors:
            return scores
        ids = import_torch().tensor([[*self._job.prompt.tokens, *tokens]], device=scores.device)
        scores = scores.unsqueeze(0)
        for processor in processors:
            scores = processor(ids, scores)
        return scores[0]

    def _get_processors(self, device: Any) -> tuple[list[Any], list[Any]]:
        if self._made is None:
            prompt = import_torch().tensor([[*self._job.prompt.tokens]], device=device)
            facts = _Facts(prompt, sorted(self._sampling.eos), prompt.shape[1] + self._job.max_tokens)
            self._made = (_make(PROCESSORS, self._sampling, facts), _make(FILTERS, self._sampling, facts))
        return self._made


def _make(table: Mapping[str, Make], sampling: TransformersSampling, facts: _Facts) -> list[Any]:
    transformers, values = import_transformers(), sampling.generation
    return [make(transformers, values[name], facts) for name, make in table.items() if name in values]


def list_supported(generation: Mapping[str, Any], eos: frozenset[int], vocabulary_size: int) -> Collection[str]:
    """Return the names of values that hold: those whose processor takes the value and runs on logits of this size."""
    torch, transformers = import_torch(), import_transformers()
    prompt = torch.zeros(1, 2, dtype=torch.long)
    facts = _Facts(prompt, sorted(eos), 3)  # a forced end token is for the next token

    def is_supported(name: str, make: Make) -> bool:
        try:
            make(transformers, generation[name], facts)(prompt, torch.zeros(1, vocabulary_size))
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
            return False
        return True

    makers = {**PROCESSORS, **FILTERS}
    given = {name: make for name, make in makers.items() if generation.get(name) is not None}
    return [*WITHOUT_PROCESSOR, *(name for name, make in given.items() if is_supported(name, make))]
