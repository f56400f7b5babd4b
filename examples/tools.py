"""Let a model call functions of yours: python examples/tools.py [MODEL]

The tools get what they need from the dependencies of the run. A call with a wrong argument is sent back to the model
with the reason, and a call that changes something waits until you approve it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from pydantic_llm import Agent, DeferredToolRequests, DeferredToolResults, Model, ModelRetry, RunContext
from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_llm.models.function import AgentInfo, FunctionModel


@dataclass
class Library:
    """The dependencies of a run: here a library, in your program a database."""

    shelf: dict[str, int] = field(default_factory=lambda: {'Victoria': 1, 'Hunger': 0})
    lent: list[str] = field(default_factory=list[str])


agent = Agent(
    deps_type=Library, output_type=[str, DeferredToolRequests], instructions='You are a librarian. Be brief.', retries=2
)


@agent.tool
def count_copies(ctx: RunContext[Library], title: str) -> int:
    """Count the copies of a book on the shelf."""
    if title not in ctx.deps.shelf:
        raise ModelRetry(f'There is no book {title!r}; we have {", ".join(ctx.deps.shelf)}.')
    return ctx.deps.shelf[title]


@agent.tool(requires_approval=True)
def lend(ctx: RunContext[Library], title: str) -> str:
    """Lend a copy to the visitor."""
    ctx.deps.shelf[title] -= 1
    ctx.deps.lent.append(title)
    return f'{title} is lent for four weeks.'


def answer_offline(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Do what a model would: look, look again with the right title, lend, report."""
    results = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    if not results:
        tried = len(messages) > 1
        return ModelResponse([ToolCallPart('count_copies', {'title': 'Victoria' if tried else 'Viktoria'})])
    if results[-1].tool_name == 'count_copies':
        return ModelResponse([ToolCallPart('lend', {'title': 'Victoria'})])
    return ModelResponse([TextPart(str(results[-1].content))])


def main(model: Model | str) -> None:
    library = Library()
    result = agent.run_sync('May I borrow Viktoria by Hamsun?', model=model, deps=library)
    while isinstance(result.output, DeferredToolRequests):
        calls = result.output.approvals
        for call in calls:
            print(f'The model wants {call.tool_name}({call.args_as_json_str()}): approved.')
        approved = DeferredToolResults(approvals={call.tool_call_id: True for call in calls})
        history = result.all_messages()
        result = agent.run_sync(model=model, deps=library, message_history=history, deferred_tool_results=approved)
    print(result.output)
    print(f'Lent: {library.lent}')


if __name__ == '__main__':
    main(sys.argv[1] if len(sys.argv) > 1 else FunctionModel(answer_offline))
