"""Chat with a model in the terminal: python examples/chat.py [MODEL]

The words appear as they arrive, and the model gets the whole conversation each time. An empty line or Ctrl-D ends it.
"""

from __future__ import annotations

import asyncio
import sys

from pydantic_llm import Agent, LLMError, ModelMessage


async def main(model: str) -> None:
    agent = Agent(model, instructions='Answer in one short paragraph.')
    history: list[ModelMessage] = []
    while prompt := (await asyncio.to_thread(read_line)):
        try:
            async with agent.run_stream(prompt, message_history=history) as result:
                async for text in result.stream_text(delta=True):
                    print(text, end='', flush=True)
            print()
            history = result.all_messages()
        except LLMError as error:  # the conversation goes on without this turn
            print(error, file=sys.stderr)
    print(f'{len(history)} messages')


def read_line() -> str:
    try:
        return input('> ')
    except EOFError:
        return ''


if __name__ == '__main__':
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else 'test'))
