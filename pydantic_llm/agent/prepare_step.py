"""The model, settings, tools and instructions of the next request of a run.

`prepare_step` sets them. A model and settings that are functions of the context are evaluated before each request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from .._type_checks import check_settings_type
from ..exceptions import UserError
from ..models import Model, ModelRequestParameters, check_model, infer_model
from ..settings import ModelSettings, ToolChoice, merge_model_settings
from ..tools.context_functions import ContextFunction, render_prompt
from .run_state import RunState

__all__ = ('choose_model', 'choose_settings', 'prepare_step', 'render_instructions')

FINAL_ANSWER = 'Give the final answer now, from what you know. You can call no more tools.'
"""The last instruction of a request for the final answer."""


MAX_UNUSABLE_RESPONSES = 3
"""The number of responses in a row in which a model may call only tools that do not exist, or with arguments that are
not JSON. After one more, it gets no tools and gives the final answer."""


async def prepare_step(run: RunState) -> ModelRequestParameters:
    """Choose the model, the settings and the tools of the next request. Returns its parameters."""
    await choose_model(run)
    await _evaluate_settings(run)
    is_lost = run.unusable_responses > MAX_UNUSABLE_RESPONSES
    run.must_answer = is_lost or run.has_refused_calls or run.spec.limits.must_answer(run.conversation.usage)
    run.parameters = await _offer_tools(run)
    return run.parameters


async def choose_model(run: RunState) -> None:
    """Set the model that the function of the run chooses, if there is one. A model made from a name is kept."""
    if run.spec.choose_model is None:
        return
    chosen = await run.spec.choose_model(run.context)
    check_model(chosen, parameter='The result of the function in model')
    if isinstance(chosen, str):
        chosen = run.made_models.get(chosen) or run.made_models.setdefault(chosen, infer_model(chosen))
    model = cast('Model', chosen)
    if run.spec.tracer is not None:
        model = run.spec.tracer.instrument(model)
    run.spec = replace(run.spec, model=model)
    run.context.model = model


async def _evaluate_settings(run: RunState) -> None:
    """Set the settings of the next request. Each function sees those of the model and of the layers before it."""
    if not run.spec.has_dynamic_settings:
        return
    model, settings = run.spec.model, None
    run.context.model_settings = model.merged_settings(settings)
    for layer in run.spec.settings_layers:
        given = await layer(run.context) if isinstance(layer, ContextFunction) else layer
        check_settings_type(given, parameter='The result of the function in model_settings')
        settings = merge_model_settings(settings, cast('ModelSettings | None', given))
        run.context.model_settings = model.merged_settings(settings)
    run.settings = settings


async def _offer_tools(run: RunState) -> ModelRequestParameters:
    """Prepare the tools for the next request and store them. Returns the parameters of the request."""
    parameters = run.spec.output.build_parameters(run.spec.output_mode)
    run.offered_tools = await run.spec.toolset.get_tools(run.context)
    for name in run.spec.output_tools:
        if name in run.offered_tools:
            raise UserError(f'A tool and an output have the same name {name!r}; give one of them another name=')
    definitions = [tool.tool_def for tool in run.offered_tools.values()]
    outputs = [tool for tool in definitions if tool.kind == 'output']  # those of an `AgentModel`'s caller
    return replace(
        parameters,
        function_tools=[tool for tool in definitions if tool.kind != 'output'],
        output_tools=[*parameters.output_tools, *outputs],
        native_tools=list(run.spec.native_tools),
    )


def choose_settings(run: RunState) -> ModelSettings | None:
    """Return the settings of the next request. A tool that `tool_choice` requires is required until one was called.

    If every response had to call a tool, only the limit of requests would end the run: openai-agents-python#263,
    agno#3291. A request for the final answer allows no function tools.
    """
    settings = run.settings
    choice = run.spec.model.merged_settings(settings).get('tool_choice')
    if run.must_answer:
        return settings if choice == 'none' else merge_model_settings(settings, {'tool_choice': 'none'})
    is_required = choice == 'required' or (choice is not None and not isinstance(choice, str))
    if not (run.has_called_tools and is_required) or _ends_run(run, choice):
        return settings
    return merge_model_settings(settings, {'tool_choice': 'auto'})


def _ends_run(run: RunState, choice: ToolChoice | None) -> bool:
    """Return whether each tool that may be called returns the output."""
    return not isinstance(choice, str) and {*(choice or ())} <= run.spec.output_tools.keys()


async def render_instructions(run: RunState) -> str | None:
    """Return the instructions for the next request, or `None` if they are empty."""
    texts = [await render_prompt(prompt, run.context) for prompt in run.spec.instructions]
    texts.append(await run.spec.toolset.get_instructions(run.context))
    if run.must_answer and run.offered_tools:
        texts.append(FINAL_ANSWER)
    return '\n\n'.join(text for text in texts if text) or None
