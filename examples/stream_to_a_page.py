"""A web page that shows a response while it is written: python examples/stream_to_a_page.py [MODEL]

It needs `pip install fastapi uvicorn`. Open http://127.0.0.1:8010. If the reader leaves, the request to the vendor
ends. With `--check`, the program asks itself once and exits.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, StreamingResponse

from pydantic_llm import Agent, LLMError
from pydantic_llm.serve import LocalServer

PAGE = """<!doctype html><meta charset="utf-8"><title>Ask</title>
<form id="form"><input id="question" size="60" value="Why is the sky blue?"><button>Ask</button></form>
<p id="answer"></p>
<script>
form.onsubmit = event => {
  event.preventDefault()
  answer.textContent = ''
  const source = new EventSource('/ask?question=' + encodeURIComponent(question.value))
  source.onmessage = ({data}) => {
    const {text, error, tokens} = JSON.parse(data)
    answer.textContent += text ?? error ?? ''
    if (tokens !== undefined || error) source.close()
  }
}
</script>"""


def create_page(agent: Agent) -> FastAPI:
    app = FastAPI()

    @app.get('/')
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE)

    @app.get('/ask')
    async def ask(question: str) -> StreamingResponse:
        headers = {'cache-control': 'no-cache', 'x-accel-buffering': 'no'}
        return StreamingResponse(answer(agent, question), media_type='text/event-stream', headers=headers)

    return app


async def answer(agent: Agent, question: str) -> AsyncIterator[str]:
    """Yield the text as server-sent events, then the tokens. The status is sent: an error is an event too."""
    try:
        async with agent.run_stream(question) as result:
            async for text in result.stream_text(delta=True):
                yield event(text=text)
        yield event(tokens=result.usage.output_tokens)
    except LLMError as error:
        yield event(error=str(error))


def event(**data: object) -> str:
    return f'data: {json.dumps(data)}\n\n'


def check(app: FastAPI) -> None:
    """Ask the page's server once."""
    import httpx2

    with LocalServer(app) as url:
        print(httpx2.get(f'{url}/').headers['content-type'])
        with httpx2.stream('GET', f'{url}/ask', params={'question': 'Why is the sky blue?'}) as response:
            print(*[line for line in response.iter_lines() if line], sep='\n')


if __name__ == '__main__':
    names = [argument for argument in sys.argv[1:] if argument != '--check']
    app = create_page(Agent(names[0] if names else 'test', model_settings={'timeout': 120}))
    if '--check' in sys.argv:
        check(app)
    else:
        import uvicorn

        uvicorn.run(app, host='127.0.0.1', port=8010)
