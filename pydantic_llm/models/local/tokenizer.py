"""Between text and tokens: what every engine here has is a tokenizer of Hugging Face's, and maybe a processor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json

__all__ = ('Tokenizer',)


class Tokenizer:
    """A tokenizer of Hugging Face's, as far as it is needed. `processor` is what takes images, where there is one."""

    def __init__(self, tokenizer: Any, *, processor: Any = None, chat_template: str | None = None) -> None:
        self.tokenizer = tokenizer
        """Hugging Face's own."""
        self.processor = processor
        """The model's processor; `None` for a model that reads text alone."""
        self._chat_template = chat_template

    @cached_property
    def template(self) -> str:
        """The chat template; all of them where there are several. Empty where the model has none."""
        found = self._chat_template or self._own_template()
        if isinstance(found, Mapping):
            return '\n'.join(cast('Mapping[str, str]', found).values())
        return cast('str', found or '')

    def _own_template(self) -> Any:
        of_processor = getattr(self.processor, 'chat_template', None)
        return of_processor or getattr(self.tokenizer, 'chat_template', None)

    @cached_property
    def special_tokens(self) -> Mapping[int, str]:
        """The special tokens, which `decode` shows and which no reader should see."""
        added: Mapping[int, Any] = getattr(self.tokenizer, 'added_tokens_decoder', {})
        found = {id: str(token) for id, token in added.items() if token.special}
        ids, texts = self.tokenizer.all_special_ids, self.tokenizer.all_special_tokens
        return found | dict(zip(ids, texts, strict=False))

    @cached_property
    def added_tokens(self) -> Mapping[str, int]:
        """The tokens that were added to the vocabulary by hand: marks of calls, thoughts, turns."""
        added: Mapping[str, int] = self.tokenizer.get_added_vocab()
        return added

    @cached_property
    def decode(self) -> Callable[[Sequence[int]], str]:
        """Tokens → text, special tokens included."""
        backend = getattr(self.tokenizer, 'backend_tokenizer', None)
        if backend is None:
            return lambda tokens: self.tokenizer.decode(
                list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        return lambda tokens: backend.decode(tokens, skip_special_tokens=False)

    def encode(self, text: str) -> list[int]:
        """Text → tokens. Special tokens are taken from the text, where the template put them."""
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)['input_ids']
        return tokens

    def render(self, messages: Sequence[Json], tools: Sequence[Json], options: Mapping[str, Any]) -> str:
        """A conversation as the text that the model goes on from. Raises what the template raises."""
        if not self.template:
            raise UserError(
                'The model has no chat template, as models that were not taught to chat: give chat_template= to the '
                'model, or take one that has'
            )
        renderer = self.processor if hasattr(self.processor, 'apply_chat_template') else self.tokenizer
        if self._chat_template is not None:
            options = {**options, 'chat_template': self._chat_template}
        if tools:
            options = {**options, 'tools': list(tools)}
        text: str = renderer.apply_chat_template(
            list(messages), **{'add_generation_prompt': True, **options, 'tokenize': False}
        )
        return text
