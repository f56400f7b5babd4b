"""`GgufTokenizer`: the vocabulary and chat template of a GGUF file, with the methods of a Hugging Face tokenizer.

`local.Tokenizer` reads it as it reads theirs. It has a vocabulary of its own, without weights, so that it can be used
from any thread, and after the engine has freed the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes import create_string_buffer
from functools import cached_property
from typing import Any, NamedTuple

from ...json_types import Json
from .handles import Weights
from .library import import_llama_cpp
from .templates import render_template

__all__ = ('GgufTokenizer',)

TEMPLATE_KEY = 'tokenizer.chat_template'
"""The key of the chat template in the metadata. That of a template for tools ends with `.tool_use`."""

LONGEST_TOKEN = 4096
"""The maximum length of a token, in bytes."""

SENTENCE_PIECE = 1
"""The type of vocabularies that begin words with a space (`LLAMA_VOCAB_TYPE_SPM` in llama.h)."""


class AddedToken(NamedTuple):
    """A token that was added to the learned vocabulary."""

    text: str
    special: bool

    def __str__(self) -> str:
        return self.text


class GgufTokenizer:
    """Text ↔ tokens, and conversation → text."""

    def __init__(self, path: str) -> None:
        library = import_llama_cpp()
        self._file = Weights(path, {'vocab_only': True})
        self._vocabulary = self._file.vocabulary
        self._size: int = library.llama_vocab_n_tokens(self._vocabulary)
        self.token_bytes: Sequence[bytes] = [self._read_bytes(token) for token in range(self._size)]
        """The bytes of each token."""
        self.added_tokens_decoder: Mapping[int, AddedToken] = dict(self._read_added_tokens())
        self.all_special_ids: list[int] = [id for id, token in self.added_tokens_decoder.items() if token.special]
        self.all_special_tokens: list[str] = [str(self.added_tokens_decoder[id]) for id in self.all_special_ids]
        self.bos_token_id: int | None = _as_token(library.llama_vocab_bos(self._vocabulary))
        self.eos_token_id: int | None = _as_token(library.llama_vocab_eos(self._vocabulary))
        self.end_ids: frozenset[int] = frozenset(
            id for id in range(self._size) if library.llama_vocab_is_eog(self._vocabulary, id)
        )
        """The tokens that end a response."""
        self._begins_with_bos: bool = library.llama_vocab_get_add_bos(self._vocabulary)
        self._begins_words = library.llama_vocab_type(self._vocabulary) == SENTENCE_PIECE and (
            self._file.read_value('tokenizer.ggml.add_space_prefix') != 'false'
        )

    def __len__(self) -> int:
        return self._size

    def __call__(self, text: str, **_: Any) -> Mapping[str, list[int]]:
        """Encode text as tokens, special tokens too. It adds none."""
        library, data = import_llama_cpp(), text.encode('utf-8', 'replace')
        count = len(data) + 2
        buffer = (library.llama_token * count)()
        found = library.llama_tokenize(self._vocabulary, data, len(data), buffer, count, False, True)  # noqa: FBT003
        if found < 0:
            raise ValueError(f'llama.cpp cannot encode a text of {len(data)} bytes as tokens')
        return {'input_ids': buffer[:found]}

    def encode_prompt(self, text: str) -> list[int]:
        """Encode the text of a prompt, which begins with the first token that the file asks for, as llama.cpp does."""
        tokens = self(text)['input_ids']
        bos = self.bos_token_id
        return tokens if not self._begins_with_bos or bos is None or tokens[:1] == [bos] else [bos, *tokens]

    def decode(self, tokens: Sequence[int], **_: Any) -> str:
        """Decode tokens to text, special tokens included. Incomplete characters become U+FFFD."""
        text = b''.join([self.token_bytes[token] for token in tokens]).decode('utf-8', 'replace')
        return text[1:] if self._begins_words and text.startswith(' ') else text

    def get_added_vocab(self) -> Mapping[str, int]:
        return {str(token): id for id, token in self.added_tokens_decoder.items()}

    @cached_property
    def chat_template(self) -> str | Mapping[str, str] | None:
        default, for_tools = (self._file.read_value(f'{TEMPLATE_KEY}{end}') for end in ('', '.tool_use'))
        if default is not None and for_tools is not None:
            return {'default': default, 'tool_use': for_tools}
        return default or for_tools

    def apply_chat_template(
        self,
        messages: Sequence[Json],
        *,
        chat_template: str | None = None,
        tools: Sequence[Json] | None = None,
        tokenize: bool = False,
        **variables: Any,
    ) -> str:
        """Render a conversation as text."""
        assert not tokenize, 'prompts are encoded by `encode_prompt`'
        template = chat_template or self.chat_template or ''
        if isinstance(template, Mapping):
            template = template['tool_use' if tools else 'default']
        named = {'bos_token': self.bos_token_id, 'eos_token': self.eos_token_id}
        texts = {name: '' if id is None else self._decode_one(id) for name, id in named.items()}
        return render_template(template, {**texts, **variables, 'messages': messages, 'tools': tools})

    def _decode_one(self, token: int) -> str:
        return self.token_bytes[token].decode('utf-8', 'replace')

    def _read_bytes(self, token: int) -> bytes:
        buffer = create_string_buffer(LONGEST_TOKEN)
        library = import_llama_cpp()
        length = library.llama_token_to_piece(self._vocabulary, token, buffer, LONGEST_TOKEN, 0, True)  # noqa: FBT003
        return buffer.raw[: max(length, 0)]

    def _read_added_tokens(self) -> Any:
        """Yield the ids and texts of the tokens that are added to the learned vocabulary."""
        library = import_llama_cpp()
        control = library.LLAMA_TOKEN_ATTR_CONTROL | library.LLAMA_TOKEN_ATTR_UNKNOWN
        for id in range(self._size):
            kind = library.llama_vocab_get_attr(self._vocabulary, id)
            if kind & (control | library.LLAMA_TOKEN_ATTR_USER_DEFINED):
                yield id, AddedToken(self._decode_one(id), special=bool(kind & control))


def _as_token(id: int) -> int | None:
    return None if id < 0 else id
