"""`SummarizeOldTurns`: replaces the oldest turns of a conversation by a summary that a model writes.

The summary is kept in the metadata of the request before which it was made, so that it is stored with the history.
Later requests use it, also in other runs and processes, until there are too many tokens again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from .._checks import check_number
from .._type_checks import check_settings_type, check_type
from ..exceptions import LLMError, UnexpectedModelBehavior, UserError
from ..messages import ModelMessage, ModelRequest, UserPromptPart
from ..models import Model, ModelRequestParameters, infer_model
from ..settings import ModelSettings
from ..tools.context import RunContext
from ..usage import Usage
from ..wire.history import SUMMARY
from .budget import DEFAULT_SHARE, TokenBudget, count_tokens, find_window
from .keep import find_kept, keep_last
from .transcript import split_transcript
from .turns import find_opening

__all__ = ('SummarizeOldTurns',)

KEY = 'pydantic_llm.summary'
"""The key of the summary in `ModelRequest.metadata`."""

INSTRUCTIONS = (
    'Summarize the conversation for the assistant that will continue it. Keep facts, names, numbers, decisions, '
    'results of tools and open tasks. Include the earlier summary, if there is one. Write the summary and nothing else.'
)
"""The instructions for the summary."""

TOKENS_PER_PIECE = 10_000
"""The most tokens that a model with an unknown context window summarizes at once."""


class Summary(NamedTuple):
    """A summary, and the index of the first message that it does not contain."""

    text: str
    first: int


class SummarizeOldTurns:
    """A history processor that replaces the oldest turns by a summary, when there are more tokens than allowed.

    If the model fails to write one, the oldest turns are dropped from this request, with a warning, and the next
    request tries again.

    Args:
        model: The model that writes the summary, or its name. The default is that of the run.
        keep_turns: The most turns to send unchanged after a summary; they may fill half of the allowed tokens.
        max_tokens: The most tokens of the messages, as estimated. The default is a share of the context window.
        share: The share of the model's context window, if `max_tokens` is not set.
        context_window: The tokens of the model's context window. The default is that of the model's profile, or what
            `genai-prices` knows, if it is installed; without both, only a request that the vendor refused as too long
            leads to a summary.
        instructions: The instructions for the summary.
        model_settings: The settings of the requests for a summary.
    """

    def __init__(
        self,
        model: Model | str | None = None,
        *,
        keep_turns: int = 4,
        max_tokens: int | None = None,
        share: float = DEFAULT_SHARE,
        context_window: int | None = None,
        instructions: str = INSTRUCTIONS,
        model_settings: ModelSettings | None = None,
    ) -> None:
        check_number('keep_turns', keep_turns, least=1, whole=True, required=True)
        check_settings_type(model_settings)
        check_type(instructions, str, parameter='instructions')
        self.model: Model | None = None if model is None else infer_model(model)
        self.keep_turns = keep_turns
        self.budget: TokenBudget = TokenBudget(max_tokens=max_tokens, share=share, context_window=context_window)
        self.instructions = instructions
        self.model_settings = model_settings

    async def __call__(self, context: RunContext[Any], messages: list[ModelMessage]) -> list[ModelMessage]:
        limit, known = self.budget.find_limit(context), find_summary(messages)
        shortened = _replace_old(messages, known)
        if limit is None or count_tokens(shortened, limit=limit) <= limit:
            return shortened
        start = known.first if known else 0
        first = start + find_kept(messages[start:], self.keep_turns, limit // 2)
        if first > start and isinstance(messages[-1], ModelRequest):
            known = await self._summarize(context, messages, first, known)
        return _replace_old(messages, known, limit)

    async def _summarize(
        self, context: RunContext[Any], messages: Sequence[ModelMessage], first: int, known: Summary | None
    ) -> Summary | None:
        """Summarize the messages before `first` and keep the summary. Returns the known one if the model fails."""
        old = messages[known.first if known else 0 : first]
        text = known.text if known else ''
        window = find_window(self.model or context.model)
        try:
            for piece in split_transcript(old, window // 2 if window else TOKENS_PER_PIECE):
                text = await self._request_summary(context, piece, text)
        except UserError:
            raise
        except LLMError as error:
            context.warnings.append(f'the oldest turns were not sent, and could not be summarized: {error}')
            return known
        _keep_summary(context, text, kept=len(messages) - 1 - first)
        return Summary(text, first)

    async def _request_summary(self, context: RunContext[Any], transcript: str, earlier: str) -> str:
        """Return a summary of a part of the conversation and of the earlier summary."""
        model = self.model or context.model
        start = f'<earlier_summary>\n{earlier}\n</earlier_summary>\n\n' if earlier else ''
        prompt = f'{start}<conversation>\n{transcript}\n</conversation>'
        request = ModelRequest([UserPromptPart(prompt)], instructions=self.instructions)
        context.usage.requests += 1
        response = await model.request([request], self.model_settings, ModelRequestParameters())
        Usage.incr(context.usage, response.usage)
        if not (text := (response.text or '').strip()):
            raise UnexpectedModelBehavior(f'{model.model_name} wrote no summary')
        return text


def find_summary(messages: Sequence[ModelMessage]) -> Summary | None:
    """Return the newest summary that is kept in the messages."""
    for index in range(len(messages) - 1, -1, -1):
        match messages[index].metadata:
            case {'pydantic_llm.summary': {'text': str() as text, 'kept': int() as kept}}:
                return Summary(text, min(max(index - kept, 0), index))
            case _:
                pass
    return None


def _keep_summary(context: RunContext[Any], text: str, *, kept: int) -> None:
    """Keep a summary in the newest request. `kept` is the number of messages before it that are sent unchanged."""
    newest = context.messages[-1] if context.messages else None
    if isinstance(newest, ModelRequest):
        metadata = {**(newest.metadata or {}), KEY: {'text': text, 'kept': kept}}
        context.messages[-1] = replace(newest, metadata=metadata)


def _replace_old(
    messages: Sequence[ModelMessage], summary: Summary | None, limit: int | None = None
) -> list[ModelMessage]:
    """Return the messages with the summary in place of those that it contains, within the limit."""
    first = summary.first if summary else 0
    opening = find_opening(messages, first)
    if summary is not None:
        opening.append(ModelRequest([UserPromptPart(SUMMARY + summary.text)]))
    if limit is None:
        return [*opening, *messages[first:]]
    return [*opening, *keep_last(messages[first:], None, max(limit - count_tokens(opening), 1))]
