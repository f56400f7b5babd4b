"""`Tokenizer`: text ↔ tokens, and conversation → text, by a tokenizer of Hugging Face, which every engine here has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from ...exceptions import UserError
from ...json_types import Json

__all__ = ('Tokenizer',)


class Tokenizer:
    """The parts of a Hugging Face tokenizer, and of the processor of a multimodal model, that are used here."""

    def __init__(
        self,
        tokenizer: Any,
        *,
        processor: Any = None,
        chat_template: str | None = None,
        text_only_reason: str = '',
    ) -> None:
        self.tokenizer = tokenizer
        self.processor = processor
        """The model's processor, which encodes images; `None` for a text-only model."""
        self.text_only_reason = text_only_reason
        """The reason why a model that takes images has no processor; empty otherwise."""
        self._chat_template = chat_template

    @cached_property
    def template(self) -> str:
        """The chat template, or all of them joined if the model has several; empty if it has none."""
        template = self._chat_template or self._get_own_template()
        if isinstance(template, Mapping):
            return '\n'.join(cast('Mapping[str, str]', template).values())
        return cast('str', template or '')

    def _get_own_template(self) -> Any:
        template = getattr(self.processor, 'chat_template', None)
        return template or getattr(self.tokenizer, 'chat_template', None)

    @cached_property
    def special_tokens(self) -> Mapping[int, str]:
        """The special tokens by id. `decode` includes their text, which no response should contain."""
        added: Mapping[int, Any] = getattr(self.tokenizer, 'added_tokens_decoder', {})
        found = {id: str(token) for id, token in added.items() if token.special}
        ids, texts = self.tokenizer.all_special_ids, self.tokenizer.all_special_tokens
        return found | dict(zip(ids, texts, strict=False))

    @cached_property
    def added_tokens(self) -> Mapping[str, int]:
        """The ids of the tokens that were added to the learned vocabulary: marks of tool calls, thinking and turns."""
        added: Mapping[str, int] = self.tokenizer.get_added_vocab()
        return added

    @cached_property
    def decode(self) -> Callable[[Sequence[int]], str]:
        """Decodes tokens to text, special tokens included."""
        backend = getattr(self.tokenizer, 'backend_tokenizer', None)
        if backend is None:  # a tokenizer in Python; those in Rust decode faster without the wrapper
            return lambda tokens: self.tokenizer.decode(
                list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        return lambda tokens: backend.decode(tokens, skip_special_tokens=False)

    def encode(self, text: str) -> list[int]:
        """Encode text as tokens. It adds no special tokens: the chat template has put them into the text."""
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)['input_ids']
        return tokens

    def render(self, messages: Sequence[Json], tools: Sequence[Json], options: Mapping[str, Any]) -> str:
        """Render a conversation as the text of a prompt. Raises any exception of the template."""
        if not self.template:
            raise UserError(
                'The model has no chat template, which means that it was not trained to chat: give chat_template= to '
                'the model, or use a model that has one'
            )
        # the chat template of a multimodal model belongs to its processor:
        # https://huggingface.co/docs/transformers/chat_templating_multimodal
        renderer = self.processor if hasattr(self.processor, 'apply_chat_template') else self.tokenizer
        if self._chat_template is not None:
            options = {**options, 'chat_template': self._chat_template}
        if tools:
            options = {**options, 'tools': list(tools)}
        text: str = renderer.apply_chat_template(
            list(messages), **{'add_generation_prompt': True, **options, 'tokenize': False}
        )
        return text
