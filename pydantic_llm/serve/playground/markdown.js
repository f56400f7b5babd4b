// Markdown to DOM nodes. Text becomes text nodes and links only http, https and mailto: nothing of it can run.
// The time is linear in the length of the text, whatever a model writes.

const INLINE = /`+|\*\*?|\[|https?:\/\//g;
const MAX_URL = 2000;
const MAX_DEPTH = 12;
const MAX_ITEMS = 100;  // a longer list is several nodes, so that not all of them are rendered again as it grows

// The blocks whose direction is that of their own first word. Paragraphs in them have theirs.
const DIRECTED = new Set(['ul', 'ol', 'blockquote', 'th', 'td', 'h3', 'h4', 'h5', 'h6']);

function element(name, ...children) {
  const node = document.createElement(name);
  if (DIRECTED.has(name)) node.dir = 'auto';
  node.append(...children);
  return node;
}

function link(text, url) {
  if (!/^(https?:|mailto:)/i.test(url)) return document.createTextNode(text);
  const node = element('a', text);
  Object.assign(node, { href: url, target: '_blank', rel: 'noopener noreferrer' });
  return node;
}

// ---------------------------------------------------------------- within a block

// Finds marks from growing positions. It looks at each character once for each mark, so that marks that are never
// closed cost nothing.
class Finder {
  constructor(text) {
    this.text = text;
    this.found = new Map();
  }

  find(mark, from) {
    const known = this.found.get(mark);
    if (known !== undefined && (known < 0 || known >= from)) return known;
    const at = mark[0] === '`' ? this.findRun(mark, from) : this.text.indexOf(mark, from);
    this.found.set(mark, at);
    return at;
  }

  findRun(mark, from) {
    for (let at = from; (at = this.text.indexOf(mark, at)) >= 0;) {
      let end = at;
      while (this.text[end] === '`') end += 1;
      if (end - at === mark.length) return at;
      at = end;
    }
    return -1;
  }
}

// Each kind of mark: a function of the finder, the mark and its position that returns [node, end], or null.
function readInline(finder, mark, at) {
  const { text } = finder;
  const from = at + mark.length;
  if (mark === '[') {
    const middle = finder.find(']', from);
    if (middle < 0 || text[middle + 1] !== '(') return null;
    const end = finder.find(')', middle + 2);
    const url = end - middle > MAX_URL ? '' : text.slice(middle + 2, end);
    return end < 0 || !url || /\s/.test(url) ? null : [link(text.slice(from, middle), url), end + 1];
  }
  if (mark[0] === 'h') return readUrl(text, at, from);
  const end = finder.find(mark, from + 1);
  if (end < 0) return null;
  const inner = text.slice(from, end);
  if (mark === '**') return [element('strong', ...inline(inner)), end + 2];
  if (mark === '*') return /^\s/.test(inner) || inner[0] === '*' ? null : [element('em', inner), end + 1];
  return [element('code', inner.trim()), end + mark.length];
}

function readUrl(text, at, from) {
  let end = from;
  while (end < text.length && end - at < MAX_URL && !/[\s<>)\]]/.test(text[end])) end += 1;
  while (end > from && '.,;:!?*\'"'.includes(text[end - 1])) end -= 1;
  return end === from ? null : [link(text.slice(at, end), text.slice(at, end)), end];
}

function inline(text) {
  const nodes = [];
  const finder = new Finder(text);
  let shown = 0;
  for (const { 0: mark, index } of text.matchAll(INLINE)) {
    if (index < shown) continue;
    const found = readInline(finder, mark, index);
    if (!found) continue;
    nodes.push(text.slice(shown, index), found[0]);
    shown = found[1];
  }
  nodes.push(text.slice(shown));
  return nodes;
}

// ---------------------------------------------------------------- blocks

const cells = (line) => line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => inline(cell.trim()));
const row = (line, name) => element('tr', ...cells(line).map((cell) => element(name, ...cell)));

// Each kind of block: a pattern of its first line, and a function of the lines, of the number of the first line and of
// the depth that returns [node, number of the line after it].
const BLOCKS = [
  [/^\s*(```|~~~)/, (lines, start) => {
    const fence = lines[start].trim().slice(0, 3);
    const end = findLine(lines, start + 1, (line) => line.trim().startsWith(fence));
    return [element('pre', element('code', lines.slice(start + 1, end).join('\n'))), end + 1];
  }],
  [/^#{1,6}\s/, (lines, start) => {
    const level = lines[start].indexOf(lines[start].match(/\s/)[0]);
    return [element(`h${Math.min(level + 2, 6)}`, ...inline(lines[start].slice(level).trim())), start + 1];
  }],
  [/^\s*(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$/, (lines, start) => [element('hr'), start + 1]],
  [/^>/, (lines, start, depth) => {
    const end = findLine(lines, start, (line) => line[0] !== '>');
    const inner = lines.slice(start, end).map((line) => line.replace(/^>\s?/, ''));
    return [element('blockquote', ...renderLines(inner, depth + 1)), end];
  }],
  [/^\s*([-*+]|\d+[.)])\s/, (lines, start, depth) => list(lines, start, depth)],
  [/^\s*\|.*\|/, (lines, start) => {
    const end = findLine(lines, start, (line) => !/^\s*\|/.test(line));
    const hasHead = start + 1 < end && /^[\s|:-]+$/.test(lines[start + 1]);
    const body = lines.slice(hasHead ? start + 2 : start, end).map((line) => row(line, 'td'));
    return [element('table', ...(hasHead ? [row(lines[start], 'th')] : []), ...body), end];
  }],
];

function findLine(lines, from, isFound) {
  let at = from;
  while (at < lines.length && !isFound(lines[at])) at += 1;
  return at;
}

function list(lines, start, depth) {
  const marker = /^(\s*)(?:[-*+]|(\d+)[.)])\s+/;
  const [, indent, first] = marker.exec(lines[start]);
  const node = element(first ? 'ol' : 'ul');
  if (first) node.start = Number(first);
  let at = start;
  while (at < lines.length && node.childNodes.length < MAX_ITEMS) {
    const match = marker.exec(lines[at]);
    if (!match || match[1].length !== indent.length || Boolean(match[2]) !== Boolean(first)) break;
    const item = [lines[at].slice(match[0].length)];
    for (at += 1; at < lines.length; at += 1) {
      const isInner = /^\s*$/.test(lines[at]) ? /^\s{2,}\S/.test(lines[at + 1] ?? '') : /^\s/.test(lines[at]);
      const inner = marker.exec(lines[at]);
      if (!isInner || (inner && inner[1].length <= indent.length)) break;
      item.push(lines[at].slice(Math.min(indent.length + 2, /^\s*/.exec(lines[at])[0].length)));
    }
    node.append(element('li', ...(item.length > 1 ? renderLines(item, depth + 1) : inline(item[0]))));
  }
  return [node, at];
}

function findBlock(line, depth) {
  return depth > MAX_DEPTH ? undefined : BLOCKS.find(([pattern]) => pattern.test(line));
}

// Yields [node, number of its first line]. Blocks that are nested too deep are paragraphs.
function* readBlocks(lines, depth = 0) {
  for (let at = 0; at < lines.length;) {
    if (!lines[at].trim()) { at += 1; continue; }
    const found = findBlock(lines[at], depth);
    if (found) {
      const [node, end] = found[1](lines, at, depth);
      yield [node, at];
      at = end;
      continue;
    }
    const end = findLine(lines, at + 1, (line) => !line.trim() || findBlock(line, depth));
    const paragraph = element('p', ...inline(lines.slice(at, end).join('\n')));
    if (!depth) paragraph.dir = 'auto';
    yield [paragraph, at];
    at = end;
  }
}

const renderLines = (lines, depth) => [...readBlocks(lines, depth)].map(([node]) => node);

export const renderMarkdown = (text) => renderLines(text.split('\n').map((line) => line.replace(/\r$/, '')), 0);

// Shows a text that grows. More text can change only the last two blocks: the last line may turn out to belong to the
// block before it.
export class GrowingMarkdown {
  constructor(node) {
    this.node = node;
    this.start = 0;  // the first character of the blocks that can change
    this.kept = 0;  // the number of nodes before them
  }

  show(text) {
    const lines = text.slice(this.start).split('\n');
    const blocks = [...readBlocks(lines.map((line) => line.replace(/\r$/, '')))];
    while (this.node.childNodes.length > this.kept) this.node.lastChild.remove();
    this.node.append(...blocks.map(([node]) => node));
    if (blocks.length < 3) return;
    this.kept += blocks.length - 2;
    for (const line of lines.slice(0, blocks.at(-2)[1])) this.start += line.length + 1;
  }
}
