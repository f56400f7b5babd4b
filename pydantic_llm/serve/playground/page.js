// The playground: one conversation per pane. The server keeps nothing; the messages are sent with each request.

import { GrowingMarkdown } from './markdown.js';

const $ = (id) => document.getElementById(id);
const SAVED = 'pydantic_llm.playground';
const RETRY_MILLISECONDS = 2000;
const RENDER_MILLISECONDS = 50;
const panes = [];
let files = [];
let reading = null;  // of files that were added
let models = [];

function makeNode(name, className = '', text = '') {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

// A message of the conversation, whose author screen readers announce.
function makeMessage(className, author, text = '') {
  const node = makeNode('article', className, text);
  node.setAttribute('aria-label', author);
  node.dir = 'auto';  // of the first word: Arabic and Hebrew begin on the right
  return node;
}

function makeDetails(title, text, className = '') {
  const details = makeNode('details', className);
  const body = makeNode(className === 'thinking' ? 'div' : 'pre', '', text);
  body.dir = className === 'thinking' ? 'auto' : '';
  details.append(makeNode('summary', '', title), body);
  return { details, body };
}

// URLs relative to this file: the server may have a path behind a proxy.
const resolveUrl = (name) => new URL(name, import.meta.url);

const makeHeaders = () => {
  const key = $('key').value.trim();
  return { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) };
};

// ---------------------------------------------------------------- one response

class ResponseView {
  constructor(log, model) {
    this.log = log;
    this.node = makeMessage('response busy', model);
    this.node.dir = '';  // its blocks have their own
    log.append(this.node);
    this.log.setAttribute('aria-busy', 'true');  // screen readers wait for the end
    this.parts = new Map();
    this.texts = [];
    this.calls = new Map();
    this.changed = new Set();
    this.delay = RENDER_MILLISECONDS;
  }

  get text() { return this.texts.map((part) => part.text).join('\n\n'); }

  // Make a change. If the end of the log was visible, it stays visible.
  keepScroll(change) {
    const isAtEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
    change();
    if (isAtEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  add(event, retry) {
    if (event.kind === 'delta') return this.extend(event);
    this.keepScroll(() => {
      switch (event.kind) {
        case 'part': this.addPart(event); break;
        case 'result': this.addResult(event); break;
        case 'wire': this.wire = event.exchanges; break;
        case 'end': this.end(event); break;
        case 'error': this.fail(`${event.type ?? 'Error'}: ${event.message}`, retry); break;
      }
    });
  }

  addPart(event) {
    const part = { kind: event.part, text: event.text ?? '' };
    if (event.part === 'text') {
      this.texts.push(part);
      this.node.append(part.node = makeNode('div', 'text'));
      part.markdown = new GrowingMarkdown(part.node);
    } else if (event.part === 'thinking') {
      const { details, body } = makeDetails('Thinking', '', 'thinking');
      details.open = true;
      this.node.append(details);
      Object.assign(part, { node: body, details });
    } else if (event.part === 'file') this.node.append(showFile(event));
    else {
      const title = event.part === 'call' ? `Calls ${event.name}` : event.name ?? event.part;
      const { details, body } = makeDetails(title, '', 'call');
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
    part.text = event.replaces ? event.text : part.text + event.text;
    this.changed.add(part);
    this.timer ??= setTimeout(() => this.render(), this.delay);
  }

  // Show the texts that have grown. Long ones are shown less often, so that the page stays usable.
  render() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const started = performance.now();
    this.keepScroll(() => this.changed.forEach((part) => this.show(part)));
    this.changed.clear();
    this.delay = Math.max(RENDER_MILLISECONDS, 4 * (performance.now() - started));
  }

  show(part) {
    if (part.markdown) part.markdown.show(part.text);
    else if (part.node) part.node.textContent = part.text;
  }

  closeThinking() {
    for (const part of this.parts.values()) if (part.kind === 'thinking' && part.details) part.details.open = false;
  }

  addResult(event) {
    const call = this.calls.get(event.id);
    const { details } = makeDetails(`${event.failed ? 'Failed: ' : 'Result of '}${event.name}`, event.text, event.failed ? 'call failed' : 'call');
    if (call) call.details.after(details);
    else this.node.append(details);
    for (const file of event.files ?? []) this.node.append(showFile(file));
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
    for (const warning of event.warnings) this.node.append(makeNode('div', 'facts', `⚠ ${warning}`));
    this.node.append(makeNode('div', 'facts', facts.join(' · ')));
    this.showWire();
  }

  fail(message, retry) {
    this.finish();
    const box = makeNode('div', 'error', message);
    box.setAttribute('role', 'alert');
    if (retry) {
      const button = makeNode('button', '', 'Try again');
      button.type = 'button';
      button.onclick = () => { button.remove(); retry(); $('prompt').focus(); };
      box.append(button);
    }
    this.node.append(box);
    this.showWire();
  }

  finish() {
    this.render();
    this.log.removeAttribute('aria-busy');
    this.node.classList.remove('busy');
    this.closeThinking();
  }

  showWire() {
    if (!this.wire?.length) return;
    const { details, body } = makeDetails(`Requests to the vendor (${this.wire.length})`, '', 'wire');
    body.textContent = this.wire.map((each) => [
      `${each.method} ${each.url}`, indentJson(each.request), '',
      `→ ${each.status ?? 'no response'} after ${each.seconds.toFixed(2)} s${each.error ? `: ${each.error}` : ''}`, indentJson(each.response),
    ].join('\n')).join('\n\n');
    this.node.append(details);
    this.wire = null;
  }
}

function indentJson(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function showFile({ media_type, data }, label = 'Image of the model') {
  const url = `data:${media_type};base64,${data}`;
  const name = media_type.startsWith('image/') ? 'img' : media_type.startsWith('audio/') ? 'audio' : media_type.startsWith('video/') ? 'video' : 'a';
  const node = makeNode(name);
  if (name === 'a') Object.assign(node, { href: url, download: 'file', textContent: `File (${media_type})` });
  else Object.assign(node, name === 'img' ? { src: url, alt: label } : { src: url, controls: true });
  return node;
}

// ---------------------------------------------------------------- one pane

class Pane {
  constructor() {
    this.node = $('pane').content.firstElementChild.cloneNode(true);
    this.select = this.node.querySelector('select');
    this.log = this.node.querySelector('.log');
    this.select.onchange = () => { this.model = this.select.value; save(); };
    this.model = '';
    this.history = [];
    this.listModels();
    $('panes').append(this.node);
  }

  // The models are unknown until the key is there; the chosen one is kept until then.
  listModels(chosen = this.model) {
    this.select.replaceChildren(...models.map((name) => new Option(name, name)));
    if (models.includes(chosen)) this.select.value = chosen;
    this.model = this.select.value || chosen;
  }

  stop() {
    this.controller?.abort();
  }

  clear() {
    this.stop();
    this.history = [];
    this.log.replaceChildren();
  }

  // Show messages of the server, as their events showed them.
  showMessages(messages) {
    let view = null;
    for (const { kind, parts, model_name } of messages) {
      if (kind === 'response') view ??= new ResponseView(this.log, model_name ?? 'Model');
      parts.forEach((part, index) => {
        if (kind === 'response') view.add({ kind: 'part', index, ...readPart(part) });
        else if (part.part_kind === 'user-prompt') {
          const items = [part.content].flat();
          const attached = items.filter((item) => item.kind === 'binary');
          if (parts.some((other) => other.part_kind === 'tool-return')) attached.forEach((file) => view?.node.append(showFile(file)));
          else {
            view?.finish();
            view = null;
            this.showUser(items.filter((item) => typeof item === 'string').join('\n'), attached);
          }
        } else if (part.tool_name) view?.add({ kind: 'result', ...readResult(part) });
      });
    }
    view?.finish();
    this.history = messages;
  }

  showUser(text, attached) {
    const node = makeMessage('user', 'You', text);
    for (const file of attached) {
      if (file.media_type.startsWith('image/')) node.append(showFile(file, file.name ?? file.identifier));
      else node.append(makeNode('div', 'facts', file.name ?? file.identifier));
    }
    this.log.append(node);
    this.log.scrollTop = this.log.scrollHeight;
  }

  async ask(prompt, attached) {
    this.showUser(prompt, attached);
    await this.send(prompt, attached);
  }

  async send(prompt, attached) {
    if (this.controller) return;
    for (const button of this.log.querySelectorAll('.error button')) button.remove();  // of earlier prompts
    const before = this.history;
    const view = new ResponseView(this.log, this.model);
    const retry = () => { this.history = before; this.send(prompt, attached); };
    this.controller = new AbortController();
    this.keep = () => this.remember(view, prompt, attached);
    showBusy();
    try {
      await this.read(view, prompt, attached, retry);
    } catch (error) {
      if (error.name === 'AbortError') view.finish(), view.node.append(makeNode('div', 'facts', 'Stopped.'));
      else view.fail(`The connection to the server is lost (${error.message}).`, retry);
    } finally {
      this.controller = null;
      this.keep();
      showBusy();
    }
  }

  async read(view, prompt, attached, retry) {
    const body = JSON.stringify({ model: this.model, prompt, files: attached, history: this.history, ...readOptions() });
    const response = await fetch(resolveUrl('ask'), { method: 'POST', headers: makeHeaders(), body, signal: this.controller.signal });
    if (!response.ok) {
      const { message } = await response.json().catch(() => ({ message: response.statusText }));
      return view.fail(`${response.status}: ${message}`, retry);
    }
    let hasEnded = false;
    for await (const event of readLines(response.body)) {
      view.add(event, retry);
      hasEnded ||= event.kind === 'end' || event.kind === 'error';
    }
    if (!hasEnded) throw new Error('the response broke off');
  }

  // Keep the messages, also the text of a response without an end; but not after `clear`.
  remember(view, prompt, attached) {
    if (!view.node.isConnected) return;
    const binary = attached.map(({ name, media_type, data }) => ({ kind: 'binary', identifier: name, media_type: media_type || 'application/octet-stream', data }));
    const content = binary.length ? [...(prompt ? [prompt] : []), ...binary] : prompt;
    const stopped = view.text && [
      { kind: 'request', parts: [{ part_kind: 'user-prompt', content }] },
      { kind: 'response', parts: [{ part_kind: 'text', content: view.text }], state: 'interrupted' },
    ];
    if (view.messages) this.history = view.messages;
    else if (stopped) this.history = [...this.history, ...stopped];
    else return;
    save();
  }
}

const asText = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

function readPart(part) {
  const { part_kind, content, args, tool_name: name } = part;
  switch (part_kind) {
    case 'text': case 'thinking': return { part: part_kind, text: content };
    case 'tool-call': return { part: 'call', id: part.tool_call_id, name, text: args && asText(args) };
    case 'file': return { part: 'file', media_type: content.media_type, data: content.data };
    default: return { part: 'native', name: name ?? part_kind, text: asText(args ?? content ?? '') };
  }
}

function readResult({ tool_call_id: id, tool_name: name, content, outcome }) {
  const files = [content].flat().filter((item) => item?.kind === 'binary');
  const rest = files.length ? [content].flat().filter((item) => !files.includes(item)) : [content];
  return { id, name, files, text: rest.map((item) => asText(item ?? '')).join('\n'), failed: outcome !== 'success' };
}

async function* readLines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = [];  // the pieces of a line, which can have megabytes
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const [first, ...lines] = value.split('\n');
    rest.push(first);
    for (const next of lines) {
      const line = rest.join('');
      rest = [next];
      if (line) yield JSON.parse(line);
    }
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
  const state = { panes: panes.map(({ model, history }) => ({ model, history })) };
  try { sessionStorage.setItem(SAVED, JSON.stringify(state)); } catch {
    sessionStorage.removeItem(SAVED);
    $('state').textContent = 'This conversation is too large to outlast a reload of the page.';
  }
}

function restore() {
  let saved = [];
  try { saved = JSON.parse(sessionStorage.getItem(SAVED))?.panes ?? []; } catch { /* of another version */ }
  for (const one of Array.isArray(saved) && saved.length ? saved.slice(0, 2) : [null]) {
    const pane = addPane();
    pane.listModels(one?.model ?? '');
    try { pane.showMessages(one?.history ?? []); } catch { pane.clear(); }
  }
}

function addPane() {
  const pane = new Pane();
  panes.push(pane);
  $('compare').setAttribute('aria-pressed', String(panes.length > 1));
  return pane;
}

function togglePanes() {
  if (panes.length > 1) {
    const pane = panes.pop();
    pane.stop();
    pane.node.remove();
  } else addPane().listModels(models.find((name) => name !== panes[0].model));
  $('compare').setAttribute('aria-pressed', String(panes.length > 1));
  save();
}

async function loadModels() {
  const response = await fetch(resolveUrl('models'), { headers: makeHeaders() }).catch(() => null);
  if (response?.status === 401 && !$('key').value) {
    $('state').textContent = 'Enter the key of this server under Options.';
    $('options').open = true;
    return;
  }
  if (!response || response.status >= 500) {
    $('state').textContent = 'The server does not respond. Trying again…';
    setTimeout(loadModels, RETRY_MILLISECONDS);
    return;
  }
  const found = await response.json().catch(() => ({ message: response.statusText }));
  if (!response.ok) {
    $('state').textContent = `${response.status}: ${found.message}`;
    return;
  }
  models = found.models;
  for (const pane of panes) pane.listModels();
  $('state').textContent = models.length ? '' : 'This server has no models to talk to.';
  $('tools').hidden = !found.tools.length;
  $('tools').replaceChildren(makeNode('legend', '', 'Tools'), ...found.tools.map(({ name, description }) => {
    const label = makeNode('label');
    const box = Object.assign(makeNode('input'), { type: 'checkbox', value: name, checked: true });
    label.title = description;
    label.append(box, name);
    return label;
  }));
}

async function readFile(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = '';
  for (let at = 0; at < bytes.length; at += 32768) binary += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return { name: file.name || 'pasted', media_type: file.type, data: btoa(binary) };
}

async function readFiles(list) {
  for (const file of list) {
    try { files.push(await readFile(file)); } catch (error) {
      $('state').textContent = `${file.name} cannot be read (${error.message}).`;  // such as a folder
    }
  }
  showFiles();
}

function showFiles() {
  $('files').replaceChildren(...files.map((file) => {
    const button = makeNode('button', '', `${file.name} ✕`);
    button.type = 'button';
    button.setAttribute('aria-label', `Remove ${file.name}`);
    button.onclick = () => { files = files.filter((each) => each !== file); showFiles(); };
    return button;
  }));
}

function addFiles(list) {
  const added = [...list];
  const mine = Promise.resolve(reading).then(() => readFiles(added)).then(() => { if (reading === mine) reading = null; });
  reading = mine;
}

async function submit() {
  if (reading) await reading;
  const prompt = $('prompt').value.trim();
  if ((!prompt && !files.length) || panes.some((pane) => pane.controller)) return;
  const attached = files;
  files = [];
  showFiles();
  $('prompt').value = '';
  resizePrompt();
  await Promise.all(panes.map((pane) => pane.ask(prompt, attached)));
  $('prompt').focus();
}

function showBusy() {
  const isBusy = panes.some((pane) => pane.controller);
  $('send').hidden = isBusy;
  $('stop').hidden = !isBusy;
}

const stop = () => panes.forEach((pane) => pane.stop());

function resizePrompt() {
  $('prompt').style.height = 'auto';
  $('prompt').style.height = `${$('prompt').scrollHeight + 2}px`;
}

$('composer').onsubmit = (event) => { event.preventDefault(); submit(); };
$('stop').onclick = stop;
$('compare').onclick = togglePanes;
$('clear').onclick = () => { panes.forEach((pane) => pane.clear()); save(); $('prompt').focus(); };
$('key').onchange = loadModels;
$('add').onchange = (event) => { addFiles(event.target.files); event.target.value = ''; };
$('prompt').oninput = resizePrompt;
$('prompt').onkeydown = (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
};
document.addEventListener('keydown', (event) => { if (event.key === 'Escape') stop(); });
document.addEventListener('paste', (event) => {
  const { files: pasted, types } = event.clipboardData;
  if (!pasted.length || types.includes('text/plain')) return;  // text of an office program comes with its picture
  event.preventDefault();
  addFiles(pasted);
});
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => { event.preventDefault(); addFiles(event.dataTransfer.files); });
addEventListener('pagehide', () => panes.forEach((pane) => pane.controller && pane.keep()));  // a reload in mid-stream

await loadModels();
restore();
