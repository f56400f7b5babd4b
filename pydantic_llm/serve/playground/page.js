// The playground: one conversation per pane. The server keeps nothing; its messages come back with each question.

import { renderMarkdown } from './markdown.js';

const $ = (id) => document.getElementById(id);
const SAVED = 'pydantic_llm.playground';
const RETRY_MILLISECONDS = 2000;
const panes = [];
let files = [];
let models = [];

function make(name, className = '', text = '') {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

function fold(title, text, className = '') {
  const details = make('details', className);
  const body = make(className === 'thinking' ? 'div' : 'pre', '', text);
  details.append(make('summary', '', title), body);
  return { details, body };
}

const headers = () => {
  const key = $('key').value.trim();
  return { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) };
};

// ---------------------------------------------------------------- one response

class Answer {
  constructor(log) {
    this.log = log;
    this.node = make('div', 'answer busy');
    log.append(this.node);
    this.parts = new Map();
    this.texts = [];
    this.calls = new Map();
  }

  get text() { return this.texts.map((part) => part.text).join('\n\n'); }

  follow(change) {
    const is_at_end = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
    change();
    if (is_at_end) this.log.scrollTop = this.log.scrollHeight;
  }

  add(event) {
    this.follow(() => {
      switch (event.kind) {
        case 'part': this.addPart(event); break;
        case 'delta': this.extend(event); break;
        case 'result': this.addResult(event); break;
        case 'wire': this.wire = event.exchanges; break;
        case 'end': this.end(event); break;
        case 'error': this.fail(`${event.type ?? 'Error'}: ${event.message}`); break;
      }
    });
  }

  addPart(event) {
    const part = { kind: event.part, text: event.text ?? '' };
    if (event.part === 'text') {
      this.texts.push(part);
      this.node.append(part.node = make('div', 'text'));
    } else if (event.part === 'thinking') {
      const { details, body } = fold('Thinking', '', 'thinking');
      details.open = true;
      this.node.append(details);
      Object.assign(part, { node: body, details });
    } else if (event.part === 'file') this.node.append(showFile(event));
    else {
      const title = event.part === 'call' ? `Calls ${event.name}` : event.name ?? event.part;
      const { details, body } = fold(title, '', 'call');
      this.node.append(details);
      Object.assign(part, { node: body, details });
      if (event.id) this.calls.set(event.id, part);
    }
    this.closeThinking();
    this.parts.set(event.index, part);
    this.show(part);
  }

  extend(event) {
    const part = this.parts.get(event.index);
    if (!part) return;
    part.text += event.text;
    this.show(part);
  }

  show(part) {
    if (part.kind === 'text') part.node.replaceChildren(...renderMarkdown(part.text));
    else if (part.node) part.node.textContent = part.text;
  }

  closeThinking() {
    for (const part of this.parts.values()) if (part.kind === 'thinking' && part.details) part.details.open = false;
  }

  addResult(event) {
    const call = this.calls.get(event.id);
    const { details } = fold(`${event.failed ? 'Failed: ' : 'Result of '}${event.name}`, event.text, event.failed ? 'call failed' : 'call');
    if (call) call.details.after(details);
    else this.node.append(details);
  }

  end(event) {
    this.finish();
    this.messages = event.messages;
    const usage = event.usage;
    const facts = [
      `${event.seconds.toFixed(1)} s`, `${usage.input} tokens in, ${usage.output} out`,
      ...(usage.requests > 1 ? [`${usage.requests} requests`] : []),
      ...(event.cost === null ? [] : [`$${Number(event.cost).toPrecision(3)}`]),
      ...(event.finish_reason && event.finish_reason !== 'stop' ? [`ended by ${event.finish_reason}`] : []),
    ];
    for (const warning of event.warnings) this.node.append(make('div', 'facts', `⚠ ${warning}`));
    this.node.append(make('div', 'facts', facts.join(' · ')));
    this.showWire();
  }

  fail(message, retry) {
    this.finish();
    const box = make('div', 'error', message);
    box.setAttribute('role', 'alert');
    if (retry) {
      const button = make('button', '', 'Try again');
      button.type = 'button';
      button.onclick = () => { button.remove(); retry(); };
      box.append(button);
    }
    this.node.append(box);
    this.showWire();
  }

  finish() {
    this.node.classList.remove('busy');
    this.closeThinking();
  }

  showWire() {
    if (!this.wire?.length) return;
    const { details, body } = fold(`Requests to the vendor (${this.wire.length})`, '', 'wire');
    body.textContent = this.wire.map((each) => [
      `${each.method} ${each.url}`, indent(each.request), '',
      `→ ${each.status ?? 'no response'} after ${each.seconds.toFixed(2)} s${each.error ? `: ${each.error}` : ''}`, indent(each.response),
    ].join('\n')).join('\n\n');
    this.node.append(details);
    this.wire = null;
  }
}

function indent(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function showFile({ media_type, data }) {
  const url = `data:${media_type};base64,${data}`;
  const name = media_type.startsWith('image/') ? 'img' : media_type.startsWith('audio/') ? 'audio' : media_type.startsWith('video/') ? 'video' : 'a';
  const node = make(name);
  if (name === 'a') Object.assign(node, { href: url, download: 'file', textContent: `File (${media_type})` });
  else Object.assign(node, name === 'img' ? { src: url, alt: 'Image of the model' } : { src: url, controls: true });
  return node;
}

// ---------------------------------------------------------------- one pane

class Pane {
  constructor() {
    this.node = $('pane').content.firstElementChild.cloneNode(true);
    this.select = this.node.querySelector('select');
    this.log = this.node.querySelector('.log');
    this.select.onchange = save;
    this.history = [];
    this.shown = [];
    this.listModels();
    $('panes').append(this.node);
  }

  listModels(chosen = this.select.value) {
    this.select.replaceChildren(...models.map((name) => new Option(name, name)));
    if (models.includes(chosen)) this.select.value = chosen;
  }

  clear() {
    this.history = [];
    this.shown = [];
    this.log.replaceChildren();
  }

  showUser(text, attached) {
    const node = make('div', 'user', text);
    for (const file of attached) {
      if (file.media_type.startsWith('image/')) node.append(showFile(file));
      else node.append(make('div', 'facts', file.name));
    }
    this.log.append(node);
    this.log.scrollTop = this.log.scrollHeight;
  }

  async ask(prompt, attached) {
    this.showUser(prompt, attached);
    await this.send(prompt, attached);
  }

  async send(prompt, attached) {
    const answer = new Answer(this.log);
    this.controller = new AbortController();
    const body = JSON.stringify({ model: this.select.value, prompt, files: attached, history: this.history, ...readOptions() });
    let has_ended = false;
    try {
      const response = await fetch('/playground/ask', { method: 'POST', headers: headers(), body, signal: this.controller.signal });
      if (!response.ok) {
        const { message } = await response.json().catch(() => ({ message: response.statusText }));
        answer.fail(`${response.status}: ${message}`, () => this.send(prompt, attached));
        return;
      }
      for await (const event of readLines(response.body)) {
        answer.add(event);
        has_ended ||= event.kind === 'end' || event.kind === 'error';
      }
      if (!has_ended) throw new Error('the response broke off');
    } catch (error) {
      if (error.name === 'AbortError') answer.finish(), answer.node.append(make('div', 'facts', 'Stopped.'));
      else answer.fail(`The connection to the server is lost (${error.message}).`, () => this.send(prompt, attached));
    } finally {
      this.controller = null;
      this.remember(answer, prompt);
    }
  }

  remember(answer, prompt) {
    const stopped = answer.text && !answer.messages && [
      { kind: 'request', parts: [{ part_kind: 'user-prompt', content: prompt }] },
      { kind: 'response', parts: [{ part_kind: 'text', content: answer.text }], state: 'interrupted' },
    ];
    if (answer.messages) this.history = answer.messages;
    else if (stopped) this.history = [...this.history, ...stopped];
    else return;
    this.shown.push({ prompt, text: answer.text });
    save();
  }
}

async function* readLines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line) yield JSON.parse(line);
  }
}

// ---------------------------------------------------------------- the page

function readOptions() {
  const settings = {};
  if ($('temperature').value) settings.temperature = Number($('temperature').value);
  if ($('max-tokens').value) settings.max_tokens = Number($('max-tokens').value);
  if ($('thinking').value) settings.thinking = $('thinking').value === 'false' ? false : $('thinking').value;
  const tools = [...$('tools').querySelectorAll('input:checked')].map((box) => box.value);
  return { instructions: $('instructions').value, settings, tools };
}

function save() {
  const state = { panes: panes.map((pane) => ({ model: pane.select.value, history: pane.history, shown: pane.shown })) };
  try { sessionStorage.setItem(SAVED, JSON.stringify(state)); } catch { sessionStorage.removeItem(SAVED); }
}

function restore() {
  let state = null;
  try { state = JSON.parse(sessionStorage.getItem(SAVED)); } catch { /* of another version */ }
  for (const saved of state?.panes ?? [{}]) {
    const pane = addPane();
    pane.listModels(saved.model);
    pane.history = saved.history ?? [];
    pane.shown = saved.shown ?? [];
    for (const { prompt, text } of pane.shown) {
      pane.showUser(prompt, []);
      const node = make('div', 'answer');
      node.append(...renderMarkdown(text));
      pane.log.append(node);
    }
    pane.log.scrollTop = pane.log.scrollHeight;
  }
}

function addPane() {
  const pane = new Pane();
  panes.push(pane);
  $('compare').setAttribute('aria-pressed', String(panes.length > 1));
  return pane;
}

function togglePanes() {
  if (panes.length > 1) panes.pop().node.remove();
  else {
    const pane = addPane();
    const other = models.find((name) => name !== panes[0].select.value);
    if (other) pane.select.value = other;
  }
  $('compare').setAttribute('aria-pressed', String(panes.length > 1));
  save();
}

async function loadModels() {
  const response = await fetch('/playground/models', { headers: headers() }).catch(() => null);
  if (!response?.ok) {
    if (response?.status === 401) {
      $('state').textContent = 'Enter the key of this server under Options.';
      $('options').open = true;
    } else {
      $('state').textContent = 'The server does not respond. Trying again…';
      setTimeout(loadModels, RETRY_MILLISECONDS);
    }
    return;
  }
  const found = await response.json();
  models = found.models;
  for (const pane of panes) pane.listModels();
  $('state').textContent = '';
  $('tools').hidden = !found.tools.length;
  $('tools').replaceChildren(make('legend', '', 'Tools'), ...found.tools.map(({ name, description }) => {
    const label = make('label');
    const box = Object.assign(make('input'), { type: 'checkbox', value: name, checked: true });
    label.title = description;
    label.append(box, name);
    return label;
  }));
}

async function readFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = '';
  for (let at = 0; at < bytes.length; at += 32768) binary += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return { name: file.name || 'pasted', media_type: file.type || 'application/octet-stream', data: btoa(binary) };
}

async function addFiles(list) {
  files.push(...await Promise.all([...list].map(readFile)));
  showFiles();
}

function showFiles() {
  $('files').replaceChildren(...files.map((file) => {
    const button = make('button', '', `${file.name} ✕`);
    button.type = 'button';
    button.title = 'Remove';
    button.onclick = () => { files = files.filter((each) => each !== file); showFiles(); };
    return button;
  }));
}

async function submit() {
  const prompt = $('prompt').value.trim();
  if ((!prompt && !files.length) || panes.some((pane) => pane.controller)) return;
  const attached = files;
  files = [];
  showFiles();
  $('prompt').value = '';
  grow();
  setBusy(true);
  await Promise.all(panes.map((pane) => pane.ask(prompt, attached)));
  setBusy(false);
  $('prompt').focus();
}

function setBusy(is_busy) {
  $('send').hidden = is_busy;
  $('stop').hidden = !is_busy;
}

const stop = () => panes.forEach((pane) => pane.controller?.abort());

function grow() {
  $('prompt').style.height = 'auto';
  $('prompt').style.height = `${$('prompt').scrollHeight + 2}px`;
}

$('composer').onsubmit = (event) => { event.preventDefault(); submit(); };
$('stop').onclick = stop;
$('compare').onclick = togglePanes;
$('clear').onclick = () => { stop(); panes.forEach((pane) => pane.clear()); save(); $('prompt').focus(); };
$('key').onchange = loadModels;
$('add').onchange = (event) => { addFiles(event.target.files); event.target.value = ''; };
$('prompt').oninput = grow;
$('prompt').onkeydown = (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
};
document.addEventListener('keydown', (event) => { if (event.key === 'Escape') stop(); });
document.addEventListener('paste', (event) => { if (event.clipboardData.files.length) { event.preventDefault(); addFiles(event.clipboardData.files); } });
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => { event.preventDefault(); addFiles(event.dataTransfer.files); });

await loadModels();
restore();
