"""Decode the parts of a model's `generation_config.json` besides `Sampling`: lengths, ends, and how logits change.

`decode_generation` sorts its values by `CHANGES_TEXT`: what every engine here supports, what one engine supports
(`held`), and what none does, which each response names in `warnings`.
https://huggingface.co/docs/transformers/main_classes/text_generation#transformers.GenerationConfig
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ...settings import ModelSettings
from .ranges import RANGES, is_in_range

__all__ = ('CHANGES_TEXT', 'GenerationDefaults', 'decode_generation')

MAX_NEW_TOKENS = 4096
"""Maximum length of a response, in tokens, if neither the settings, the model object nor the model have one."""

CHANGES_TEXT: dict[str, object] = {
    'bad_words_ids': None,
    'begin_suppress_tokens': None,
    'constraints': None,
    'diversity_penalty': 0,
    'dola_layers': None,
    'encoder_no_repeat_ngram_size': 0,
    'encoder_repetition_penalty': 1,
    'epsilon_cutoff': 0,
    'eta_cutoff': 0,
    'exponential_decay_length_penalty': None,
    'force_words_ids': None,
    'forced_decoder_ids': None,
    'forced_eos_token_id': None,
    'guidance_scale': 1,
    'max_time': None,
    'min_length': 0,
    'min_new_tokens': 0,
    'no_repeat_ngram_size': 0,
    'num_beams': 1,
    'penalty_alpha': 0,
    'remove_invalid_values': False,
    'renormalize_logits': False,
    'sequence_bias': None,
    'suppress_tokens': None,
    'token_healing': False,
    'top_h': None,
    'typical_p': 1,
    'watermarking_config': None,
}
"""The values that change the text of a decoder-only model, each with the value that changes nothing.

Those of `Sampling`, the lengths and the ends are not here: every engine supports them. Neither are values that change
only the speed or the type of the result (`GenerationConfig` in generation/configuration_utils.py, transformers 5.24).
"""

SAMPLED_ONLY = frozenset({'epsilon_cutoff', 'eta_cutoff', 'top_h', 'typical_p'})
"""The values that have no effect if the most likely token is chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationDefaults:
    """The defaults of a model for lengths and ends, and the values of its configuration that change logits."""

    max_new_tokens: int | None = None
    """The maximum length of a response, in tokens."""
    max_length: int | None = None
    """The maximum length of prompt and response together, in tokens. `max_new_tokens` overrides it."""
    stop_strings: Sequence[str] = ()
    """The texts that end a response."""
    held: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The other values that the engine supports, by name."""
    ignored: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The values that the engine does not support, by name."""
    invalid: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The values that are of a wrong type or out of range, by name."""

    def list_warnings(self, *, drawn: bool) -> Sequence[str]:
        """Return a sentence for each value that does not hold. `drawn`: tokens are drawn by their probabilities."""
        ignored = {name: value for name, value in self.ignored.items() if drawn or name not in SAMPLED_ONLY}
        what = "of the model's generation_config does not hold"
        return [
            *(f'{name}={value!r} {what}: this engine does not support it' for name, value in ignored.items()),
            *(f'{name}={value!r} {what}: the value is invalid' for name, value in self.invalid.items()),
        ]

    def get_max_tokens(self, settings: ModelSettings, options: Mapping[str, object], prompt_tokens: int) -> object:
        """Return the maximum length of a response, in tokens, unchecked: of the request, model object, or model."""
        if 'max_tokens' in settings:
            return settings['max_tokens']
        if options.get('max_new_tokens') is not None:
            return options['max_new_tokens']
        if self.max_new_tokens is not None:
            return self.max_new_tokens
        # `generate` raises if the prompt alone is longer than `max_length`. A chat continues.
        rest = (self.max_length or 0) - prompt_tokens
        return rest if rest > 0 else MAX_NEW_TOKENS


def decode_generation(config: Mapping[str, Any], *, held: Collection[str] = ()) -> GenerationDefaults:
    """Decode a `generation_config.json`. `held` names the values of `CHANGES_TEXT` that the engine supports."""
    changing = {
        name: config[name]
        for name, neutral in CHANGES_TEXT.items()
        if config.get(name) is not None and config[name] != neutral
    }
    return GenerationDefaults(
        max_new_tokens=_decode_length(config.get('max_new_tokens')),
        max_length=_decode_length(config.get('max_length')),
        stop_strings=_decode_texts(config.get('stop_strings')),
        held={name: value for name, value in changing.items() if name in held},
        ignored={name: value for name, value in changing.items() if name not in held},
        invalid=_find_invalid(config),
    )


def _find_invalid(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values for which a default is used: numbers out of range, lengths and texts of another type."""
    given = {name: value for name, value in config.items() if value is not None}
    lengths = {name: value for name, value in given.items() if name in ('max_new_tokens', 'max_length')}
    texts = given.get('stop_strings', ())
    return {
        **{name: value for name, value in given.items() if name in RANGES and not is_in_range(name, value)},
        **{name: value for name, value in lengths.items() if _decode_length(value) is None},
        **({'stop_strings': texts} if texts and not _decode_texts(texts) else {}),
    }


def _decode_length(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None


def _decode_texts(value: object) -> Sequence[str]:
    texts = cast('Sequence[object]', value) if isinstance(value, (list, tuple)) else [value]
    return tuple(text for text in texts if isinstance(text, str) and text)
