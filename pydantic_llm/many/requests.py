"""`RowRequests`: how rows become requests, and `RowRunner`, which sends them and reads the responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from .._type_checks import check_messages, check_settings_type, check_type, raise_wrong_type
from ..agent import Agent, capture_run_messages
from ..agent.build_output_reader import build_output_reader
from ..exceptions import LLMError, UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse, UserContent, UserPromptPart
from ..models import Model
from ..settings import TRANSPORT_SETTINGS, ModelSettings
from .attachments import is_url, read_attachment
from .results import MapResult, RowError, is_fatal
from .template import MissingField, PromptTemplate

__all__ = ('RowRequests', 'RowRunner')

Row = str | Mapping[str, Any] | ModelRequest | Sequence[ModelMessage]
"""A row: a prompt, the fields of a template, a request or a conversation."""

DEFAULT_PROMPT = '{prompt}'
"""The template of rows with fields if none is given."""

EXPECTED_ROW = 'a text, a dict, a ModelRequest or a list of messages'


@dataclass(frozen=True, kw_only=True)
class RowRequests:
    """The common part of the requests of all rows. It can be sent to other processes."""

    template: PromptTemplate
    instructions: str | None = None
    settings: ModelSettings | None = None
    output_type: Any = str
    """The type of the output; `str` is the text of the response."""
    attachments: str | None = None
    """The field with the paths and URLs of files to send with the prompt."""

    @classmethod
    def check(
        cls, prompt: object, instructions: object, settings: object, output_type: object, attachments: object
    ) -> RowRequests:
        """Return the requests for these options. Raises `UserError` for invalid ones."""
        check_type(prompt, str, parameter='prompt', expected="a template such as 'Summarise {text}'")
        check_type(instructions, str, parameter='instructions', expected='text')
        check_type(attachments, str, parameter='attachments', expected='the name of a field')
        check_settings_type(settings)
        return cls(
            template=PromptTemplate(DEFAULT_PROMPT if prompt is None else cast('str', prompt)),
            instructions=cast('str | None', instructions),
            settings=cast('ModelSettings | None', settings),
            output_type=str if output_type is None else output_type,
            attachments=cast('str | None', attachments),
        )

    def build_messages(self, row: object, name: str) -> list[ModelMessage]:
        """Return the conversation for a row. Raises `UserError`, which names the row, if it has none."""
        if isinstance(row, str):
            return [self._build_request(row)]
        if isinstance(row, ModelRequest):
            return [self._add_instructions(row)]
        if isinstance(row, Mapping):
            return [self._build_request(self._build_prompt(cast('Mapping[str, object]', row), name))]
        if not isinstance(row, (list, tuple)):
            raise_wrong_type(name, EXPECTED_ROW, row)
        messages = cast('Sequence[ModelMessage]', row)
        check_messages(messages, parameter=name)
        return self._add_instructions_to_last(messages)

    def describe(self, model_name: str) -> dict[str, Any]:
        """Return the options that decide about the results. Settings about sending, which may hold keys, are not."""
        settings = {
            name: value
            for name, value in (self.settings or {}).items()
            if name == 'extra_body' or name not in TRANSPORT_SETTINGS
        }
        forms = build_output_reader(self.output_type).forms
        return {
            'model': model_name,
            'prompt': self.template.text,
            'instructions': self.instructions,
            'settings': settings,
            'output': [form.shape.json_schema for form in forms] or None,
            'attachments': self.attachments,
        }

    def check_row(self, row: Mapping[str, object], name: str) -> None:
        """Raise `UserError`, which names the row, if a field is missing or a file does not exist."""
        self._render(row, name)
        for place in self._list_attachments(row, name):
            if not is_url(place) and not Path(place).is_file():
                raise UserError(f'{name}: the file {place!r} of {self.attachments!r} does not exist')

    def _build_request(self, prompt: str | list[UserContent]) -> ModelRequest:
        return ModelRequest([UserPromptPart(prompt)], instructions=self.instructions)

    def _build_prompt(self, row: Mapping[str, object], name: str) -> str | list[UserContent]:
        text = self._render(row, name)
        places = self._list_attachments(row, name)
        try:
            return [*map(read_attachment, places), text] if places else text
        except OSError as error:
            raise UserError(f'{name}: {error.filename!r} cannot be read: {error.strerror}') from error

    def _render(self, row: Mapping[str, object], name: str) -> str:
        try:
            return self.template.render(row)
        except MissingField as error:
            hint = '; give a template: prompt=' if self.template.text == DEFAULT_PROMPT else ''
            raise UserError(f'{name}: {error}{hint}') from None

    def _list_attachments(self, row: Mapping[str, object], name: str) -> list[str]:
        """Return the paths and URLs in the field of attachments: a text, a list of texts, or nothing."""
        if self.attachments is None:
            return []
        value = row.get(self.attachments)
        places = [value] if isinstance(value, str) else value or []
        if not isinstance(places, (list, tuple)) or not all(
            isinstance(each, str) for each in cast('list[Any]', places)
        ):
            raise_wrong_type(f'{name}: {self.attachments!r}', 'a path, a URL or a list of them', value)
        return [place for place in cast('list[str]', places) if place]

    def _add_instructions(self, request: ModelRequest) -> ModelRequest:
        if self.instructions is None or request.instructions is not None:
            return request
        return replace(request, instructions=self.instructions)

    def _add_instructions_to_last(self, messages: Sequence[ModelMessage]) -> list[ModelMessage]:
        *earlier, last = [*messages] or [ModelRequest([])]
        return [*earlier, self._add_instructions(last) if isinstance(last, ModelRequest) else last]


class RowRunner:
    """Sends the request of a row and reads the response."""

    def __init__(self, model: Model, requests: RowRequests) -> None:
        self.model = model
        self.requests = requests
        self._agent: Agent[None, Any] | None = None
        if requests.output_type is not str:
            self._agent = Agent(model, output_type=requests.output_type, model_settings=requests.settings)

    async def run(self, index: int, row: object) -> MapResult[Any]:
        """Return the result of a row. Raises the errors that every row would get: of the key, the model, the quota."""
        try:
            messages = self.requests.build_messages(row, name_row(index))
            if self._agent is None:
                response = await self.model.request(messages, self.requests.settings)
                return MapResult(index=index, row=row, output=response.text or '', responses=(response,))
            return await self._run_agent(self._agent, index, row, messages)
        except LLMError as error:
            return self._make_failure(index, row, error)

    async def _run_agent(
        self, agent: Agent[None, Any], index: int, row: object, messages: list[ModelMessage]
    ) -> MapResult[Any]:
        """Run the agent, which lets the model correct an output that is not valid."""
        with capture_run_messages() as captured:
            try:
                result = await agent.run(message_history=messages)
            except LLMError as error:
                return self._make_failure(index, row, error, _list_responses(captured[len(messages) :]))
        return MapResult(index=index, row=row, output=result.output, responses=_list_responses(result.new_messages()))

    def _make_failure(
        self, index: int, row: object, error: LLMError, responses: tuple[ModelResponse, ...] = ()
    ) -> MapResult[Any]:
        if is_fatal(error):
            raise error
        return MapResult(index=index, row=row, error=RowError.of(error), exception=error, responses=responses)


def name_row(index: int) -> str:
    """Return the name of a row in errors."""
    return f'rows[{index}]'


def _list_responses(messages: Sequence[ModelMessage]) -> tuple[ModelResponse, ...]:
    return tuple(message for message in messages if isinstance(message, ModelResponse))
