"""The page of the playground in a headless browser. Skipped without Playwright or Chromium."""

from __future__ import annotations

import asyncio
import shutil
import threading
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from pydantic_llm.embeddings.test import TestEmbeddingModel
from pydantic_llm.exceptions import RateLimitError
from pydantic_llm.messages import BinaryContent, FilePart, ModelMessage, ModelResponse, TextPart, UserPromptPart
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.tools import Tool

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


async def write_long(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
    for _ in range(10_000):
        yield '- an **item** of `20` characters\n'


class Failing:
    """Fails twice, then counts the messages."""

    def __init__(self) -> None:
        self.failures = 2

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.failures -= 1
        if self.failures >= 0:
            raise RateLimitError(429, 'm')
        return ModelResponse([TextPart(f'{len(messages)} messages')])


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
        'long': FunctionModel(stream_function=write_long),
        'failing': FunctionModel(Failing()),
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
    await page.wait_for_selector('.text, .response strong')
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
    await page.wait_for_selector('.pane:last-child .response img')
    await page.wait_for_selector('.pane:first-child .response img')
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
    await page.wait_for_selector('.response img')
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


HOSTILE = {
    'open links': '[' * 200_000,
    'links of links': '[](x' * 50_000,
    'open marks': '**a ' * 1 + '* ' * 50_000 + '**`' * 30_000,
    'runs of backticks': ''.join('`' * (n % 300) + ' ' for n in range(1500)),
    'quotes in quotes': '>' * 200_000,
    'lists in lists': '\n'.join(' ' * (2 * n) + '- a' for n in range(400)),
    'headings': '# a\n' * 50_000,
    'rules that are none': '- ' * 100_000 + 'x',
    'stars': '*' * 200_000,
    'addresses': 'https://a,' * 20_000,
    'commas': 'https://' + ',' * 200_000,
    'bars': '|' * 50_000,
}


async def test_no_text_takes_long_to_render(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    render = """async (text) => {
        const { renderMarkdown } = await import('/playground/markdown.js');
        const started = performance.now();
        renderMarkdown(text);
        return performance.now() - started;
    }"""
    times = {name: await page.evaluate(render, text) for name, text in HOSTILE.items()}
    assert max(times.values()) < 5000, times  # milliseconds; a quadratic pattern takes minutes


GROWING = """\
# Title\r
text with **bold**
more

- a
- b
  - c

1. one
2. two

> quote
> more

| a | b |
| - | - |
| 1 | 2 |
---
```
code

# code
```
- a
-\x20b
* * *
[a](https://example.org) `code` *em*
"""


async def test_a_text_that_grows_is_rendered_like_the_whole_text(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    different = await page.evaluate(
        """async (text) => {
            const { GrowingMarkdown, renderMarkdown } = await import('/playground/markdown.js');
            const node = document.createElement('div'), whole = document.createElement('div');
            const growing = new GrowingMarkdown(node);
            for (let end = 0; end <= text.length; end += 1) {
                growing.show(text.slice(0, end));
                whole.replaceChildren(...renderMarkdown(text.slice(0, end)));
                if (node.innerHTML !== whole.innerHTML) return [text.slice(0, end), node.innerHTML, whole.innerHTML];
            }
            return growing.kept > 5 ? null : 'nothing is kept';
        }""",
        GROWING,
    )
    assert different is None


async def test_a_long_response_leaves_the_page_usable(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    await page.evaluate("""() => {
        window.longest = 0;
        let last = performance.now();
        setInterval(() => { const now = performance.now(); longest = Math.max(longest, now - last); last = now; }, 10);
    }""")
    await ask(page, 'Write', model='long')
    await page.wait_for_selector('.facts:has-text("tokens")')
    assert await page.locator('.text li').count() == 10_000
    longest = await page.evaluate('longest')
    assert longest < 5000, longest  # milliseconds; rendering the whole text for each delta takes minutes
    assert page.errors == []


async def test_a_reload_shows_the_conversation_with_its_files_and_tools(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    await page.set_input_files('#add', {'name': 'dot.png', 'mimeType': 'image/png', 'buffer': PNG})
    await page.wait_for_selector('#files button')
    await ask(page, 'Paint', model='painter')
    await page.wait_for_selector('.response img')
    await page.wait_for_selector('.facts:has-text("tokens")')
    await ask(page, 'How is the weather?', model='weather')
    await page.wait_for_selector('.facts:has-text("2 requests")')
    await page.reload()
    await page.wait_for_selector('.response strong')
    assert await page.locator('.user img[alt="dot.png"]').count() == 1
    assert await page.locator('.response img').count() == 1
    assert 'Result of temperature' in await page.locator('.response summary').all_inner_texts()
    assert await page.input_value('.pane select') == 'weather'
    assert page.errors == []


async def test_a_reload_in_mid_stream_keeps_what_was_there(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    await ask(page, 'Go', model='endless')
    await page.wait_for_selector('.text:has-text("word word")')
    await page.reload()
    await page.wait_for_selector('.response:has-text("word word")')
    assert await page.is_visible('#send')
    assert page.errors == []


@pytest.mark.parametrize(
    'saved', ['{', 'null', '{"panes": 3}', '{"panes": [{"history": [{"kind": "response"}]}]}', '{"panes": [null]}']
)
async def test_what_another_version_saved_does_no_harm(browser: Any, url: str, saved: str) -> None:
    page = await open_page(browser, url)
    await page.evaluate('(saved) => sessionStorage.setItem("pydantic_llm.playground", saved)', saved)
    await page.reload()
    await ask(page, 'Paint', model='painter')
    await page.wait_for_selector('.response img')
    assert page.errors == []


async def test_a_new_conversation_in_mid_stream_is_empty(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    await ask(page, 'Go', model='endless')
    await page.wait_for_selector('.text:has-text("word word")')
    await page.click('#clear')
    await page.wait_for_selector('#send:visible')
    assert 'word' not in await page.evaluate('sessionStorage.getItem("pydantic_llm.playground")')
    assert await page.locator('.log > *').count() == 0


async def test_the_second_pane_stops_when_it_is_closed(browser: Any, url: str, endless: Endless) -> None:
    page = await open_page(browser, url)
    await page.click('#compare')
    await page.select_option('.pane:last-child select', 'endless')
    endless.has_ended.clear()
    await ask(page, 'Go', model='painter')
    await page.wait_for_selector('.text:has-text("word word")')
    await page.click('#compare')
    assert await asyncio.to_thread(endless.has_ended.wait, 10)
    await page.wait_for_selector('#send:visible')
    assert page.errors == []


async def test_an_error_of_the_model_can_be_retried_and_only_the_last_one(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    await ask(page, 'One', model='failing')
    await page.wait_for_selector('[role=alert] button')
    await ask(page, 'Two')
    await page.wait_for_selector('.user:has-text("Two") ~ .response [role=alert] button')
    assert await page.locator('[role=alert] button').count() == 1
    await page.click('[role=alert] button')
    await page.wait_for_selector('.text:has-text("1 messages")')
    assert page.errors == []


async def test_the_key_is_in_no_storage_and_a_path_before_the_server_works(browser: Any) -> None:
    app = create_app(FunctionModel(paint), key='the-key-of-the-server', playground=True)
    with LocalServer(Starlette(routes=[Mount('/llm', app)])) as url:
        page = await (await browser.new_context()).new_page()
        await page.goto(f'{url}/llm/')
        await page.wait_for_selector('#state:has-text("key")')
        await page.fill('#key', 'wrong')
        await page.press('#key', 'Tab')
        await page.wait_for_selector('#state:has-text("401")')
        await page.fill('#key', 'the-key-of-the-server')
        await page.press('#key', 'Tab')
        await page.wait_for_selector('.pane select option', state='attached')
        await ask(page, 'Paint')
        await page.wait_for_selector('.facts:has-text("tokens")')
        stored = await page.evaluate('JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])')
        assert 'Paint' in stored
        assert 'the-key-of-the-server' not in stored + await page.content()


async def test_long_words_fit_a_phone_and_names_are_text(browser: Any) -> None:
    word = '<img/src=x/onerror=document.title=1>' + 'w' * 300

    def write(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        table = f'| {"head | " * 20}\n| {"- | " * 20}\n| {"cell | " * 20}'
        return ModelResponse([TextPart(f'{word}\n\n{table}\n\n```\n{word}\n```\n\n- {word}\n\n# {word}\n\n`{word}`')])

    app = create_app(
        {word: FunctionModel(write), 'b': FunctionModel(write)}, playground=[Tool(write_word, name='t' * 60)]
    )
    with LocalServer(app) as url:
        page = await open_page(browser, url, width=360)
        await page.set_input_files('#add', {'name': f'{word[:200]}.png', 'mimeType': 'image/png', 'buffer': PNG})
        await page.wait_for_selector('#files button')
        await page.click('#options summary')
        assert await page.evaluate('document.documentElement.scrollWidth') <= 360
        await ask(page, word, model='b')
        await page.wait_for_selector('.facts:has-text("tokens")')
        assert await page.evaluate('document.documentElement.scrollWidth') <= 360
        assert await page.evaluate('document.querySelector(".log").scrollWidth <= 360')
        assert await page.title() == 'Playground'
        assert page.errors == []


def write_word(word: str) -> str:
    """Returns the word."""
    return word


NAMELESS = """() => [...document.querySelectorAll('button, input, select, textarea, summary, article, img, [role=log]')]
    .filter((node) => !(node.ariaLabel || node.labels?.length || node.alt || node.textContent.trim()))
    .map((node) => node.outerHTML)"""

HEBREW = 'שלום `code`\n\n- פריט\n\n| א |\n| - |\n| ב |\n\n> ציטוט\n\nEnglish'


async def test_everything_has_a_name_for_screen_readers_and_text_its_direction(browser: Any) -> None:
    async def write(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield HEBREW

    models = {'hebrew': FunctionModel(stream_function=write), 'painter': FunctionModel(paint)}
    with LocalServer(create_app(models, playground=[temperature])) as url:
        page = await open_page(browser, url, width=640)
        await page.set_viewport_size({'width': 640, 'height': 400})  # a usual window at 200%
        await page.click('#options summary')
        await page.set_input_files('#add', {'name': 'dot.png', 'mimeType': 'image/png', 'buffer': PNG})
        await ask(page, 'Paint', model='painter')  # the file may still be read
        await page.wait_for_selector('.facts:has-text("tokens")')
        assert 'dot.png' in await page.inner_text('.text')
        await ask(page, 'שלום', model='hebrew')
        await page.wait_for_selector('.response:last-child .facts')
        assert await page.evaluate(NAMELESS) == []
        names = await page.eval_on_selector_all('article', '(nodes) => nodes.map((node) => node.ariaLabel)')
        assert names == ['You', 'painter', 'You', 'hebrew']
        directions = await page.eval_on_selector_all(
            '.response:last-child .text > *', '(nodes) => nodes.map((node) => getComputedStyle(node).direction)'
        )
        assert directions == ['rtl', 'rtl', 'ltr', 'rtl', 'ltr']  # a table has the direction of each cell
        assert await page.eval_on_selector('.text td', '(node) => getComputedStyle(node).direction') == 'rtl'
        assert await page.evaluate('document.documentElement.scrollHeight') <= 400
        assert (await page.locator('.user').last.bounding_box())['x'] > 320  # on the side of the user in any language
        assert page.errors == []


async def test_text_that_is_pasted_with_its_picture_stays_text(browser: Any, url: str) -> None:
    page = await open_page(browser, url)
    paste = """(text) => {
        const data = new DataTransfer();
        data.items.add(new File(['x'], 'cells.png', { type: 'image/png' }));
        if (text) data.setData('text/plain', text);
        const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
        document.querySelector('#prompt').dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    assert await page.evaluate(paste, 'cells') is False
    assert await page.evaluate(paste, '') is True
    await page.wait_for_selector('#files button:has-text("cells.png")')
    assert await page.locator('#files button').count() == 1


async def test_a_server_without_models_says_so(browser: Any) -> None:
    with LocalServer(create_app({}, embeddings={'e': TestEmbeddingModel()}, playground=True)) as url:
        page = await (await browser.new_context(viewport={'width': 360, 'height': 700})).new_page()
        await page.goto(url)
        await page.wait_for_selector('#state:visible:has-text("no models")')
