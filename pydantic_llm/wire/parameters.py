"""Resolves the tools and the output of a request for one model, and keeps the result for requests with the same ones.

Reading order: `resolve_output`, `fit_schemas`, `FittedParameters`. Most requests of an application have the tools of
the one before, and to rewrite their schemas takes longer than everything else that a short request needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from .._type_checks import check_request_tools, check_type
from ..exceptions import UserError
from ..json_schemas import flatten_root, normalize_schema
from ..json_types import Json
from ..models import ModelRequestParameters, OutputMode
from ..profiles import ModelProfile
from ..tools.definition import ToolDefinition
from .snapshot import take_snapshot

OUTPUT_NAME = 'final_result'
"""The name of an output without a name of its own."""

NO_PARAMETERS = ModelRequestParameters()


@dataclass(slots=True, frozen=True)
class FittedParameters:
    """The parameters of a request with schemas that the vendor accepts. Nothing changes them, since they are kept."""

    parameters: ModelRequestParameters
    notes: Sequence[str]
    """One sentence for each change of a schema."""


def check_parameters(parameters: ModelRequestParameters | None) -> ModelRequestParameters:
    """Return the parameters, or those of a request without any. Raises `UserError` for values of a wrong type."""
    if parameters is None:
        return NO_PARAMETERS
    if type(parameters) is not ModelRequestParameters:
        check_type(parameters, ModelRequestParameters, parameter='model_request_parameters')
    check_request_tools(parameters.function_tools, parameters.output_tools, parameters.native_tools)
    return parameters


def take_snapshot_of_parameters(parameters: ModelRequestParameters) -> bytes | None:
    """Return everything that the parameters consist of as bytes; `None` if that contains objects of a class."""
    if parameters.native_tools:
        return None
    output = parameters.output_object
    return take_snapshot(
        (
            [_list_fields(tool) for tool in parameters.function_tools],
            [_list_fields(tool) for tool in parameters.output_tools],
            output and (output.json_schema, output.name, output.description, output.strict),
            parameters.output_mode,
            parameters.prompted_output_template,
            parameters.allow_text_output,
            parameters.allow_image_output,
        )
    )


def _list_fields(tool: ToolDefinition) -> tuple[object, ...]:
    return (
        *(tool.name, tool.parameters_json_schema, tool.description, tool.outer_typed_dict_key, tool.strict),
        *(tool.sequential, tool.kind, tool.metadata),
    )


# ---------------------------------------------------------------------- the output mode


def resolve_output(
    parameters: ModelRequestParameters, profile: ModelProfile, model_name: str
) -> ModelRequestParameters:
    """Return the parameters with the output mode of the model. Raises `UserError` for what the model does not have."""
    mode = _choose_output_mode(parameters, profile, model_name)
    output_tools = parameters.output_tools if mode in ('tool', 'text') else ()
    output_object = parameters.output_object if mode in ('native', 'prompted') else None
    resolved = replace(parameters, output_mode=mode, output_tools=output_tools, output_object=output_object)
    names = [tool.name for tool in resolved.tools]
    if names and not profile.supports_tools:
        raise UserError(f'{model_name!r} cannot call tools, and was given {", ".join(map(repr, names))}')
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise UserError(f'Two tools are called {duplicate!r}: give one of them another name')
    return resolved


def _choose_output_mode(parameters: ModelRequestParameters, profile: ModelProfile, model_name: str) -> OutputMode:
    mode: OutputMode = parameters.output_mode
    if mode == 'auto':
        has_native_tools = bool(parameters.native_tools) and parameters.output_object is not None
        mode = profile.choose_output_mode(has_native_tools=has_native_tools)
    if mode in ('native', 'prompted') and parameters.output_object is None:
        raise UserError(f'output_mode={mode!r} needs an output_object in ModelRequestParameters')
    if mode == 'native' and not profile.supports_json_schema_output:
        raise UserError(
            f"{model_name!r} cannot be held to a JSON schema by its API (output_mode='native'); use output_mode "
            "'tool' or 'prompted' (ToolOutput or PromptedOutput on an agent)"
        )
    return mode


# ---------------------------------------------------------------------- the schemas


def fit_schemas(parameters: ModelRequestParameters, profile: ModelProfile, model_name: str) -> FittedParameters:
    """Check the schemas of tools and of the output, and rewrite them for the vendor."""
    fitter = _SchemaFitter(profile, model_name)
    function_tools = [fitter.fit_tool(tool) for tool in parameters.function_tools]
    output_tools = [fitter.fit_tool(tool) for tool in parameters.output_tools]
    output = parameters.output_object
    if output is not None:
        owner = f'output {output.name or OUTPUT_NAME!r}'
        can_enforce = profile.enforces_outputs or parameters.output_mode == 'prompted'
        fitted, strict = fitter.fit(output.json_schema, output.strict, owner, can_enforce=can_enforce)
        output = replace(output, json_schema=fitted, strict=strict)
    fitted_parameters = replace(
        parameters, function_tools=function_tools, output_tools=output_tools, output_object=output
    )
    return FittedParameters(fitted_parameters, fitter.notes)


class _SchemaFitter:
    """Rewrites schemas for one model, and collects a sentence for each constraint that they lose."""

    def __init__(self, profile: ModelProfile, model_name: str) -> None:
        self.profile = profile
        self.model_name = model_name
        self.notes: list[str] = []

    def fit_tool(self, tool: ToolDefinition) -> ToolDefinition:
        """Return the tool with a schema that the vendor accepts."""
        owner, can_enforce = f'tool {tool.name!r}', self.profile.enforces_tools
        schema, strict = self.fit(tool.parameters_json_schema, tool.strict, owner, can_enforce=can_enforce)
        metadata = tool.metadata
        if metadata and take_snapshot(metadata) is not None:
            metadata = deepcopy(metadata)  # a copy, since the application may change its own
        return replace(tool, parameters_json_schema=schema, strict=strict, metadata=metadata)

    def fit(self, schema: Json, strict: bool | None, owner: str, *, can_enforce: bool) -> tuple[Json, bool | None]:
        """Return a schema as the vendor accepts it, and whether the vendor is to enforce it."""
        try:
            return self._rewrite(schema, strict, owner, can_enforce=can_enforce)
        except RecursionError:
            raise UserError(f'The schema of {owner} refers to definitions inside each other too deeply') from None

    def _rewrite(self, schema: Json, strict: bool | None, owner: str, *, can_enforce: bool) -> tuple[Json, bool | None]:
        schema, flattened = flatten_root(normalize_schema(schema, owner))
        self.notes += [f'the schema of {owner} can no longer enforce {keyword} of $' for keyword in flattened]
        if strict and not can_enforce:
            self.notes.append(
                f'the schema of {owner} is not enforced: {self.model_name!r} does not support strict=True for it'
            )
            strict = None
        if (transform := self.profile.json_schema_transformer) is None:
            return schema, strict
        transformed = transform(schema, strict)
        self.notes += [f'the schema of {owner} can no longer enforce {loss}' for loss in transformed.losses]
        self.notes += [f'the schema of {owner} is not enforced: {obstacle}' for obstacle in transformed.obstacles]
        return transformed.json_schema, transformed.strict and can_enforce
