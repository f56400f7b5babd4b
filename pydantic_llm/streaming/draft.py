"""`ResponseDraft`: a response under construction, which every decoder fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import NoneType
from typing import Any, cast

from ..messages import FinishReason, ModelResponse, ResponseState
from ..messages._value import now
from ..messages.headers import ResponseHeaders, find_request_id
from ..usage import REPORTED, RequestUsage
from .broken_off import is_broken_off
from .parts import PartsManager


@dataclass(slots=True)
class ResponseDraft:
    """A `ModelResponse` under construction."""

    model_name: str
    """The requested model, until the vendor reports which model responded."""
    provider_name: str | None = None
    """The name of the provider that was asked."""
    provider_url: str | None = None
    """The base URL of the request."""
    warnings: list[str] = field(default_factory=list[str])
    """One sentence for each change or omission of the request."""
    parts: PartsManager = field(default_factory=PartsManager)
    """The parts, which grow while fragments arrive."""
    finish_reason: FinishReason | None = None
    """The finish reason, normalised; `None` if the vendor sent none."""
    provider_response_id: str | None = None
    """The vendor's id of the response."""
    provider_details: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the vendor that have no place of their own, under the vendor's names."""
    timestamp: datetime | None = None
    """The time of the response by the vendor's clock; `None` until the vendor sends it."""
    started: datetime = field(default_factory=now)
    """The time at which the request was sent."""
    headers: Mapping[str, str] | None = field(default=None, repr=False)  # a server may send the key back in one
    """The HTTP headers of the response; `None` if it has none."""
    request_id: str | None = None
    """The vendor's id of the request."""
    has_response_citations: bool = False
    """True if the citations that the vendor sends outside of the text were added to it."""
    tool_names: frozenset[str] = frozenset()
    """The names of the request's tools."""
    expects_json: bool = False
    """True if the request asks for a response that is a JSON object."""
    state: ResponseState = 'incomplete'
    """`'incomplete'` until the vendor reports the end of the response."""
    _usage: RequestUsage = field(default_factory=RequestUsage.without_counts)
    _decode_usage: Callable[[], RequestUsage] | None = None
    _checked: RequestUsage | None = None
    _refusal: list[str] = field(default_factory=list[str])
    _valid_facts: tuple[str, str | None] = field(init=False)

    def __post_init__(self) -> None:
        self._valid_facts = self.model_name, self.provider_response_id

    @property
    def usage(self) -> RequestUsage:
        """The usage that the vendor reported last. A count that it did not report is `missing`."""
        if self._decode_usage is not None:
            self.usage = self._decode_usage()
        return self._usage

    @usage.setter
    def usage(self, usage: RequestUsage) -> None:
        self._usage, self._decode_usage = usage, None

    def decode_usage_late(self, decode: Callable[[], RequestUsage]) -> None:
        """Set the usage to what `decode` returns, once it is read: some vendors count in every event of a stream."""
        self._decode_usage = decode

    @property
    def has_ended(self) -> bool:
        """True if the vendor reported the end of the response."""
        return self.state in ('complete', 'suspended')

    def finish(self, raw: object, names: Mapping[str, FinishReason]) -> None:
        """Record the vendor's finish reason, and ours by the table `names`; unknown values are kept in the details."""
        if raw:
            word = str(raw)
            plain = word.lower().replace('-', '_').removeprefix('finish_reason_')
            self.provider_details['finish_reason'] = word
            self.finish_reason = names.get(word) or names.get(plain) or names.get(plain.upper())
            if self.finish_reason is None and is_broken_off(word):
                self.finish_reason = 'error'

    def complete(self, *, is_paused: bool = False) -> None:
        """Set the state to `'complete'`, unless the finish reason means that the server broke it off.

        `is_paused`: the vendor says that the model continues the turn, for which the state is `'suspended'`.
        """
        if is_broken_off(self.provider_details.get('finish_reason')):
            self.state = 'incomplete'
        else:
            self.state = 'suspended' if is_paused else 'complete'

    def add_refusal(self, text: object) -> None:
        """Add a fragment of the refusal, which is in the details. The fragments are joined once."""
        if not isinstance(text, str):
            raise TypeError(f'a refusal is {text!r}')
        self._refusal.append(text)

    def extend_detail(self, name: str, value: dict[str, Any]) -> None:
        """Merge an object into the one in the details: lists with the same name are joined, other fields replaced."""
        known: dict[str, Any] = self.provider_details.setdefault(name, {})
        for field_name, new in value.items():
            if isinstance(new, list) and isinstance(known.get(field_name), list):
                known[field_name] += new
            else:
                known[field_name] = [*cast('list[object]', new)] if isinstance(new, list) else new

    def record_headers(self, headers: Mapping[str, str]) -> None:
        """Record the HTTP headers of the response, and the id of the request in them."""
        self.headers, self.request_id = ResponseHeaders(headers), find_request_id(headers)

    def record_time(self, seconds: float | None) -> None:
        """Record the vendor's time of the response, in seconds since 1970; a value out of range is skipped."""
        if seconds and self.timestamp is None:
            with suppress(ArithmeticError, OSError, TypeError, ValueError):
                self.timestamp = datetime.fromtimestamp(seconds, UTC)

    def check(self) -> None:
        """Raise `TypeError` if the vendor sent a field of the wrong type, which is then taken back."""
        if problem := self.take_back():
            raise TypeError(problem)

    def take_back(self) -> str | None:
        """Replace fields of the wrong type by their last valid values; return what was wrong, if anything was."""
        if isinstance(self.provider_response_id, int):
            self.provider_response_id = str(self.provider_response_id)
        facts = self.model_name, self.provider_response_id
        # `type()` in place of `isinstance`: the JSON is unchecked, whatever the annotations promise
        if type(facts[0]) is not str or type(facts[1]) not in (str, NoneType):
            self.model_name, self.provider_response_id = self._valid_facts
            return f'the response has the model name {facts[0]!r} and the id {facts[1]!r}'
        self._valid_facts = facts
        return None if self.usage is self._checked else self._check_usage()

    def _check_usage(self) -> str | None:
        usage = self.usage
        try:
            usage.check()
        except TypeError as error:
            self.usage = self._checked or RequestUsage.without_counts()
            return str(error)
        if not usage.input_tokens and not usage.missing:  # a prompt has tokens
            self.usage = replace(usage, missing=('input_tokens',) if usage.output_tokens else REPORTED)
        self._checked = self.usage
        return None

    def get(self) -> ModelResponse:
        """Return the response so far, as a new value."""
        details = {name: _copy_detail(value) for name, value in self.provider_details.items()}
        if self._refusal:
            details['refusal'] = ''.join(self._refusal)
        return ModelResponse(
            self.parts.get(),
            usage=self.usage,
            model_name=self.model_name,
            timestamp=self.timestamp or self.started,
            provider_name=self.provider_name,
            provider_url=self.provider_url,
            provider_details=details or None,
            provider_response_id=self.provider_response_id,
            request_id=self.request_id,
            headers=self.headers,
            finish_reason=self.finish_reason,
            state=self.state,
            warnings=[*self.warnings],
        )


def _copy_detail(value: Any) -> Any:
    """Return a copy of a detail, whose lists may grow."""
    return (
        {name: copy(item) for name, item in cast('dict[str, Any]', value).items()}
        if isinstance(value, dict)
        else copy(value)
    )
