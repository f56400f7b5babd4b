"""The page of the playground in a headless browser. Skipped without Playwright or Chromium."""

from __future__ import annotations

import asyncio
import shutil
import threading
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from pydantic_llm.messages import BinaryContent, FilePart, ModelMessage, ModelResponse, TextPart, UserPromptPart
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.serve import LocalServer, create_app

playwright = pytest.importorskip('playwright.async_api', reason='Playwright is not installed')
CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason='Chromium is not installed')

OPTIONS = '--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync'.split()

PNG = b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==')

MARKDOWN = """\
It is **cold** in `Oslo`.

| city | degrees |
| --- | --- |
| Oslo | -3 |

```python
print('<script>document.title = "run"</script>')
```

<img src=x onerror="document.title = 'run'"> [a link](javascript:alert) https://example.org
"""


def temperature(city: str) -> float:
    """The temperature in a city, in degrees Celsius."""
    return -3.0


async def report_weather(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    if isinstance(messages[-1].parts[-1], UserPromptPart) and info.function_tools:
        yield {0: DeltaThinkingPart(content='They ask for the weather.')}
        yield {1: DeltaToolCall(name='temperature', json_args='{"city": "Oslo"}', tool_call_id='call-1')}
        return
    for at in range(0, len(MARKDOWN), 40):
        yield MARKDOWN[at : at + 40]


def paint(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    prompt = messages[-1].parts[-1].content  # type: ignore[union-attr]
    files = [part.identifier for part in prompt if isinstance(part, BinaryContent)]  # type: ignore[union-attr]
    return ModelResponse([TextPart(f'Files: {files}'), FilePart(BinaryContent(PNG, media_type='image/png'))])


class Endless:
    """A stream that ends when the client goes."""

    def __init__(self) -> None:
        self.has_ended = threading.Event()

    async def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        try:
            while True:
                yield 'word '
                await asyncio.sleep(0.02)
        finally:
            self.has_ended.set()


@pytest.fixture(scope='module')
def endless() -> Endless:
    return Endless()


@pytest.fixture(scope='module')
def url(endless: Endless) -> Iterator[str]:
    models = {
        'weather': FunctionModel(stream_function=report_weather),
        'painter': FunctionModel(paint),
        'endless': FunctionModel(stream_function=endless),
    }
    with LocalServer(create_app(models, playground=[temperature])) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        await browser.close()


async def open_page(browser: Any, url: str, *, width: int = 1280, scheme: str = 'light') -> Any:
    """Open the page. An error of its script fails the test."""
    context = await browser.new_context(viewport={'width': width, 'height': 800}, color_scheme=scheme)
    page = await context.new_page()
    page.errors = []
    page.on('pageerror', lambda error: page.errors.append(str(error)))
    await page.goto(url)
    await page.wait_for_selector('.pane select option', state='attached')
    return page


async def ask(page: Any, prompt: str, *, model: str | None = None) -> None:
    """Send a prompt with the keyboard alone."""
    if model is not None:
        await page.select_option('.pane:first-child select', model)
    await page.focus('#prompt')
    await page.keyboard.type(prompt)
    await page.keyboard.press('Enter')


async def test_a_conversation_with_tools_thinking_and_markdown(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    await ask(page, 'How is the weather?')
    await page.wait_for_selector('.facts:has-text("2 requests")')
    assert await page.inner_text('.user') == 'How is the weather?'
    assert await page.locator('summary').all_inner_texts() == [
        'Thinking',
        'Calls temperature',
        'Result of temperature',
        'Options',
    ]
    assert await page.inner_text('.text strong') == 'cold'
    assert await page.inner_text('.text td:last-child') == '-3'
    assert '<script>' in await page.inner_text('.text pre')
    assert await page.locator('.text a').all_inner_texts() == ['https://example.org']
    assert await page.locator('.text img').count() == 0
    assert await page.title() == 'Playground'  # nothing of the text has run
    await page.reload()
    await page.wait_for_selector('.text, .answer strong')
    assert await page.inner_text('.user') == 'How is the weather?'
    assert page.errors == []


async def test_escape_stops_a_response_and_the_conversation_goes_on(browser: Any, url: str, endless: Endless) -> None:
    page = await open_page(browser, url)
    await ask(page, 'Go', model='endless')
    await page.wait_for_selector('.text:has-text("word word")')
    assert await page.is_visible('#stop')
    await page.keyboard.press('Escape')
    await page.wait_for_selector('.facts:has-text("Stopped")')
    assert await asyncio.to_thread(endless.has_ended.wait, 10)
    await page.wait_for_selector('#send:visible')
    await ask(page, 'And the weather?', model='weather')
    await page.wait_for_selector('.facts:has-text("tokens")')
    assert page.errors == []


async def test_two_models_side_by_side_with_files_in_and_out(browser: Any, url: str) -> None:
    page = await open_page(browser, url, width=390, scheme='dark')
    await page.click('#compare')
    await page.select_option('.pane:last-child select', 'painter')
    await page.set_input_files('#add', {'name': 'dot.png', 'mimeType': 'image/png', 'buffer': PNG})
    await page.wait_for_selector('#files button')
    await ask(page, 'Paint this', model='painter')
    await page.wait_for_selector('.pane:last-child .answer img')
    await page.wait_for_selector('.pane:first-child .answer img')
    assert 'dot.png' in await page.inner_text('.pane:last-child .text')
    assert await page.evaluate('document.documentElement.scrollWidth') <= 390
    background = await page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert background == 'rgb(20, 23, 28)'  # the dark one
    assert page.errors == []


async def test_a_lost_connection_is_shown_and_retried(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    await page.route('**/playground/ask', lambda route: route.abort())
    await ask(page, 'Hello', model='painter')
    await page.wait_for_selector('[role=alert]:has-text("connection")')
    await page.unroute('**/playground/ask')
    await page.click('text=Try again')
    await page.wait_for_selector('.answer img')
    assert page.errors == []


async def test_a_key_is_asked_for(browser: Any) -> None:
    app = create_app(FunctionModel(paint), key='the-key', playground=True)
    with LocalServer(app) as url:
        page = await (await browser.new_context()).new_page()
        await page.goto(url)
        await page.wait_for_selector('#state:has-text("key")')
        await page.fill('#key', 'the-key')
        await page.press('#key', 'Tab')
        await page.wait_for_selector('.pane select option', state='attached')
