"""`OutputParser`: requests a structured output without an agent, for batches, and reads it from a response."""

from __future__ import annotations

from typing import Any

from pydantic_core import ValidationError

from ..agent.build_output_reader import build_output_reader
from ..agent.output_reader import IncompleteOutput, extract_json
from ..exceptions import ModelRetry, UnexpectedModelBehavior
from ..messages import ModelResponse
from ..models import ModelRequestParameters
from ..profiles import ModelProfile

__all__ = ('OutputParser',)


class OutputParser:
    """The output of requests that are sent once: a model cannot correct an output that is not valid."""

    def __init__(self, output_type: Any, profile: ModelProfile) -> None:
        self._reader = build_output_reader(output_type)
        self.parameters: ModelRequestParameters = self._reader.build_parameters(self._reader.mode_for(profile))
        """The parameters that describe the output to the model."""

    def read(self, response: ModelResponse) -> Any:
        """Return the output in a response. Raises `UnexpectedModelBehavior` if there is no valid one."""
        if not self._reader.forms:
            return response.text or ''
        try:
            for call in response.tool_calls:
                if (form := self._reader.tools.get(call.tool_name)) is not None:
                    return form.validate(call.args_as_json_str())
            return self._reader.combined.validate(extract_json(response))[1]
        except (ValidationError, ModelRetry, IncompleteOutput, ValueError) as error:
            message = ' '.join(str(error).split()) or 'it is not complete'
            raise UnexpectedModelBehavior(f'The response has no valid output: {message}') from error
