"""`ThinkTags`: separates thinking from text if a model writes it between tags, usually `<think>` and `</think>`.

A block of thinking starts a response or follows another block; a tag inside text is text. Tags may arrive in pieces, so
characters that can still become a tag are held until that is decided. A block without an end tag, as in a truncated
response, is thinking to its end.

`UnopenedThinking` finds thinking that has only its end tag, since the chat template opened it in the prompt.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ('THINK_TAGS', 'ThinkTags', 'UnopenedThinking', 'count_overlap')

Kind = Literal['start', 'text', 'thinking']

THINK_TAGS: tuple[tuple[str, str, str], ...] = (
    ('<think>', '</think>', 'DeepSeek R1, Qwen, GLM, MiniMax: https://docs.sglang.io/docs/advanced_features'),
    ('<thinking>', '</thinking>', 'new-api and its forks: Veloera#39, hermes-agent#6149'),
    ('<thought>', '</thought>', 'Gemma 4 at the OpenAI endpoint of Gemini: Zoo-Code#323, hermes-agent#6149'),
    ('<reasoning>', '</reasoning>', 'hermes-agent#6149'),
    ('[THINK]', '[/THINK]', 'Magistral: Roo-Code#8522'),
    ('◁think▷', '◁/think▷', 'Kimi-VL: https://docs.nvidia.com/dynamo/user-guides/reasoning'),
    ('<seed:think>', '</seed:think>', 'Seed-OSS: https://docs.vllm.ai/en/latest/api/vllm/parser/seed_oss'),
    ('<|channel|>analysis<|message|>', '<|end|>', 'gpt-oss: maclocal-api#121, llama.cpp#15181'),
    ('<|channel>thought', '<channel|>', 'Gemma 4: Newelle#427'),
    ('<|START_THINKING|>', '<|END_THINKING|>', 'Command A Reasoning: its chat template'),
    ('<|begin_of_thought|>', '<|end_of_thought|>', 'OpenThinker, Sky-T1: their system prompts'),
    ('<mm:think>', '</mm:think>', 'MiniMax M3: ik_llama.cpp#2008'),
    ('<|open|>think<|sep|>', '<|close|>think<|sep|>', 'Kimi K3: its chat template, in llama.cpp'),
    ('<|think:start|>', '<|think:end|>', 'Solar Open 2: vLLM, reasoning/solar_open2_reasoning_parser.py'),
    ('<|plamo:begin_think:plamo|>', '<|plamo:end_think:plamo|>', 'PLaMo 3: vLLM, reasoning/plamo3_reasoning_parser.py'),
    ('<|inner_prefix|>', '<|inner_suffix|>', 'Apertus: vLLM, reasoning/apertus_reasoning_parser.py'),
    ('<|content_thinking|>', '<|end_message|>', 'Inkling: vLLM, parser/inkling.py'),
    ('<think:opensource>', '</think:opensource>', 'Hunyuan 3: vLLM, tool_parsers/hy_v4_tool_parser.py'),
    ('<think:6124c78e>', '</think:6124c78e>', 'Hunyuan 4: the same'),
    ('<ifm|think>', '</ifm|think>', 'K2 Horizon: SGLang, function_call/k2_v3_detector.py'),
    ('<ifm|think_fast>', '</ifm|think_fast>', 'the same'),
    ('<ifm|think_faster>', '</ifm|think_faster>', 'the same'),
    ('<longcat_think>', '</longcat_think>', 'LongCat-Flash-Thinking: mlx-lm, tokenizer_utils.py'),
    ('[unused16]', '[unused17]', 'openPangu: the example in its repository'),
)
"""Start tag, end tag, and the models that write them."""

STARTS = {end: start for start, end, _ in THINK_TAGS}

HEADERS = ('<|start|>assistant<|channel|>final<|message|>', '<|channel|>final<|message|>', '<|start|>assistant')
"""Text before the response that is dropped: the headers of gpt-oss, https://cookbook.openai.com/articles/openai-harmony"""

MARK_CHARACTERS = frozenset(mark[0] for mark in (*HEADERS, *(start for start, _, _ in THINK_TAGS)))
"""The first characters of tags and headers. Most responses begin with another one."""

UNOPENED_ENDS = (
    *('</think>', '[/THINK]', '◁/think▷', '</seed:think>', '</mm:think>', '<|think:end|>', '<|close|>think<|sep|>'),
    *('</think:opensource>', '</think:6124c78e>', '</ifm|think>', '</longcat_think>'),
)
"""The end tags that can stand alone, because chat templates write the start tag: vllm#13125, SwiftLM#115, skales#166"""

QUOTES = ('`', '"', "'")
"""Characters before a tag that text only mentions."""

MOST_MENTIONS = 8
"""The most times that a tag is mentioned before its occurrences are no longer looked at."""

NOT_BLANK = re.compile(r'\S')

STRING_ENDS = re.compile(r'(?<!\\)(?:\\\\)*"')
"""The quotes at both ends of the strings of JSON."""


@dataclass(slots=True)
class ThinkTags:
    """Splits streamed text into `('text', ...)` and `('thinking', ...)` pieces."""

    start: str = '<think>'
    end: str = '</think>'
    kind: Kind = 'start'
    """The state: before text or a block, in a block of thinking, or in text. Text is the last state."""
    others: Sequence[tuple[str, str, str]] = ()
    """More tags, from `THINK_TAGS`."""
    headers: Sequence[str] = ()
    """Texts that are dropped before the response and between blocks, from `HEADERS`."""
    is_opened: bool = False
    """True if the text begins inside a block, whose start tag is in the prompt."""
    had_block: bool = False
    """True after a block of thinking."""
    _held: str = ''
    _at: int = 0
    """The position in the held text up to which it was taken, so that taking copies no more than what is taken."""
    _blanks: list[str] = field(default_factory=list[str])
    """Whitespace before what is held."""

    def feed(self, content: str) -> Iterator[tuple[Kind, str]]:
        """Add text, and yield the pieces whose kind is decided."""
        if self.kind == 'start' and not self._held and content.isspace():
            self._blanks.append(content)
            return
        self._held += content
        yield from self._read_held()
        self._held, self._at = self._held[self._at :], 0

    def _read_held(self) -> Iterator[tuple[Kind, str]]:
        while self._at < len(self._held):
            if self.kind == 'start' and not self._decide_kind():
                if not NOT_BLANK.search(self._held, self._at):
                    self._blanks.append(self._take(len(self._held)))
                return
            blanks = self._take_blanks()
            if self.kind == 'text':
                yield 'text', blanks + self._take(len(self._held))
            elif self.kind == 'thinking':
                end = self._held.find(self.end, self._at)
                if end < 0:
                    decided = len(self._held) - count_overlap(self._held, (self.end,))
                    if decided > self._at:
                        yield 'thinking', self._take(decided)
                    return
                if end > self._at:
                    yield 'thinking', self._take(end)
                self._at = end + len(self.end)
                self.kind, self.had_block = 'start', True

    @property
    def holds_text(self) -> bool:
        """True if text is held back, since it could become a start tag."""
        return self.kind == 'start' and bool(self._held[self._at :].strip())

    def close(self) -> Iterator[tuple[Kind, str]]:
        """Yield the rest at the end of the text. An incomplete tag is content; whitespace after a block is dropped."""
        rest = self._take_blanks() + self._held[self._at :]
        self._held, self._at = '', 0
        if self.kind == 'thinking' and rest:
            yield 'thinking', rest
        elif rest.strip() or (rest and not self.had_block):
            yield 'text', rest

    def _decide_kind(self) -> bool:
        """Set `kind` to `'thinking'` or `'text'`, and return False if more characters are needed for that.

        The start tag, and whitespace before it, are dropped.
        """
        held, at = self._held, self._skip_blanks(self._at)
        while header := next((header for header in self.headers if held.startswith(header, at)), None):
            self._at = at = at + len(header)
        if at >= len(held) or held[at] in MARK_CHARACTERS or held[at] == self.start[:1]:
            tags = ((self.start, self.end), *((start, end) for start, end, _ in self.others))
            for start, end in tags:
                if held.startswith(start, at):
                    self._at, self.end, self.kind = at + len(start), end, 'thinking'
                    return True
            marks = (*(start for start, _ in tags), *self.headers)
            if len(held) - at < max(map(len, marks)) and any(mark.startswith(held[at:]) for mark in marks):
                return False
        self.kind = 'thinking' if self.is_opened and not self.had_block else 'text'
        return True

    def _take_blanks(self) -> str:
        blanks = ''.join(self._blanks)
        self._blanks.clear()
        return blanks

    def _skip_blanks(self, position: int) -> int:
        found = NOT_BLANK.search(self._held, position)
        return found.start() if found else len(self._held)

    def _take(self, end: int) -> str:
        taken, self._at = self._held[self._at : end], end
        return taken


def count_overlap(text: str, marks: Sequence[str]) -> int:
    """Return the number of characters at the end of the text that may be the beginning of a mark."""
    longest = min(len(text), max(map(len, marks), default=1) - 1)
    for length in range(longest, 0, -1):
        end = text[len(text) - length :]
        if any(mark.startswith(end) for mark in marks):
            return length
    return 0


class UnopenedThinking:
    """Finds an end tag without a start tag in streamed text. Only the last characters of the text are kept."""

    __slots__ = ('_ends', '_longest', '_pieces')

    def __init__(self, end: str = '</think>') -> None:
        self._ends = tuple(dict.fromkeys((end, *UNOPENED_ENDS)))
        self._longest = max(map(len, self._ends))
        self._pieces: deque[str] = deque(maxlen=self._longest)  # each has a character

    def find(self, piece: str) -> str | None:
        """Add text, and return the end tag that this piece completes, if any."""
        if not piece:
            return None
        self._pieces.append(piece)
        if '>' not in piece and ']' not in piece and '▷' not in piece:
            return None
        window = ''.join(self._pieces)[1 - self._longest - len(piece) :]
        return next((end for end in self._ends if end in window), None)


def split_unopened(text: str, end: str) -> tuple[str, str] | None:
    """Return the thinking before its end tag, and the rest; `None` if the text only mentions the tag, as in code."""
    at = -1
    for _ in range(MOST_MENTIONS):
        if (at := text.find(end, at + 1)) < 0:
            return None
        thinking = text[:at]
        if thinking.strip() and not _is_mention(thinking, STARTS.get(end, end.replace('/', ''))):
            return thinking, text[at + len(end) :]
    return None


def _is_mention(before: str, start: str) -> bool:
    """Return whether an end tag after this text stands in code, in a string of JSON, in quotes, or after a start tag.

    Tags in the strings of JSON are data: langchainjs#11582, vllm#48663.
    """
    line = before[before.rfind('\n') + 1 :]
    is_in_code = before.count('```') % 2 or before.count('~~~') % 2 or line.count('`') % 2
    is_in_json = before.lstrip()[0] in '{[' and len(STRING_ENDS.findall(before)) % 2
    return bool(is_in_code or is_in_json or before.endswith(QUOTES) or start in before)
