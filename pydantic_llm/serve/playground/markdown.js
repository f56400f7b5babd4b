// Markdown to DOM nodes. Text becomes text nodes and links only http, https and mailto: nothing of it can run.

const INLINE = /(`+)([\s\S]*?[^`])\1(?!`)|\*\*([\s\S]+?)\*\*|\*([^*\s][^*]*?)\*|\[([^\]]*)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>)\]]+)/;

function element(name, ...children) {
  const node = document.createElement(name);
  node.append(...children);
  return node;
}

function link(text, url) {
  if (!/^(https?:|mailto:)/i.test(url)) return document.createTextNode(text);
  const node = element('a', text);
  Object.assign(node, { href: url, target: '_blank', rel: 'noopener noreferrer' });
  return node;
}

function inline(text) {
  const nodes = [];
  for (let match; (match = INLINE.exec(text)); text = text.slice(match.index + match[0].length)) {
    nodes.push(text.slice(0, match.index));
    if (match[1]) nodes.push(element('code', match[2].trim()));
    else if (match[3]) nodes.push(element('strong', ...inline(match[3])));
    else if (match[4]) nodes.push(element('em', ...inline(match[4])));
    else if (match[6]) nodes.push(link(match[5], match[6]));
    else nodes.push(link(match[7], match[7]));
  }
  nodes.push(text);
  return nodes;
}

const cells = (line) => line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => inline(cell.trim()));
const row = (line, name) => element('tr', ...cells(line).map((cell) => element(name, ...cell)));

// Each kind of block: a pattern of its first line, and a function of the lines that returns [node, number of lines].
const BLOCKS = [
  [/^\s*(```|~~~)/, (lines) => {
    const fence = lines[0].trim().slice(0, 3);
    let end = lines.findIndex((line, at) => at > 0 && line.trim().startsWith(fence));
    if (end < 0) end = lines.length;
    return [element('pre', element('code', lines.slice(1, end).join('\n'))), end + 1];
  }],
  [/^#{1,6}\s/, (lines) => {
    const [, marks, text] = /^(#+)\s+(.*)$/.exec(lines[0]) ?? [null, '#', lines[0]];
    return [element(`h${Math.min(marks.length + 2, 6)}`, ...inline(text)), 1];
  }],
  [/^\s*([-*_])(\s*\1){2,}\s*$/, () => [element('hr'), 1]],
  [/^>/, (lines) => {
    const count = countLines(lines, /^>/);
    return [element('blockquote', ...blocks(lines.slice(0, count).map((line) => line.replace(/^>\s?/, '')))), count];
  }],
  [/^\s*([-*+]|\d+[.)])\s/, (lines) => list(lines)],
  [/^\s*\|.*\|/, (lines) => {
    const count = countLines(lines, /^\s*\|/);
    const has_head = /^[\s|:-]+$/.test(lines[1] ?? '');
    const body = lines.slice(has_head ? 2 : 0, count).map((line) => row(line, 'td'));
    return [element('table', ...(has_head ? [row(lines[0], 'th')] : []), ...body), count];
  }],
];

function countLines(lines, pattern) {
  const end = lines.findIndex((line) => !pattern.test(line));
  return end < 0 ? lines.length : end;
}

function list(lines) {
  const marker = /^(\s*)(?:[-*+]|(\d+)[.)])\s+/;
  const [, indent, first] = marker.exec(lines[0]);
  const node = element(first ? 'ol' : 'ul');
  if (first) node.start = Number(first);
  let at = 0;
  while (at < lines.length) {
    const match = marker.exec(lines[at]);
    if (!match || match[1].length !== indent.length || Boolean(match[2]) !== Boolean(first)) break;
    const item = [lines[at].slice(match[0].length)];
    for (at += 1; at < lines.length; at += 1) {
      const is_inner = /^\s*$/.test(lines[at]) ? /^\s{2,}\S/.test(lines[at + 1] ?? '') : /^\s/.test(lines[at]);
      const inner = marker.exec(lines[at]);
      if (!is_inner || (inner && inner[1].length <= indent.length)) break;
      item.push(lines[at].slice(Math.min(indent.length + 2, /^\s*/.exec(lines[at])[0].length)));
    }
    node.append(element('li', ...(item.length > 1 ? blocks(item) : inline(item[0]))));
  }
  return at ? [node, at] : [element('p', ...inline(lines[0])), 1];
}

function blocks(lines) {
  const nodes = [];
  for (let at = 0; at < lines.length;) {
    if (!lines[at].trim()) { at += 1; continue; }
    const found = BLOCKS.find(([pattern]) => pattern.test(lines[at]));
    if (found) {
      const [node, count] = found[1](lines.slice(at));
      nodes.push(node);
      at += count;
      continue;
    }
    let end = at + 1;
    while (end < lines.length && lines[end].trim() && !BLOCKS.some(([pattern]) => pattern.test(lines[end]))) end += 1;
    nodes.push(element('p', ...inline(lines.slice(at, end).join('\n'))));
    at = end;
  }
  return nodes;
}

export const renderMarkdown = (text) => blocks(text.replace(/\r\n?/g, '\n').split('\n'));
