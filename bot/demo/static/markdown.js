// Standard Markdown, as Slack's `markdown` block renders it.

import { h } from "./dom.js";
import { emoji, known } from "./emoji.js";
import { link, mention, unescape } from "./mrkdwn.js";

const INLINE = new RegExp(
  [
    "\\\\(?<literal>[\\\\`*_{}\\[\\]()#+\\-.!~>|])",
    "(?<ticks>`+)(?<code>.+?)\\k<ticks>(?!`)",
    "!\\[(?<alt>[^\\]]*)\\]\\((?<source>[^)\\s]+)\\)",
    "\\[(?<label>(?:\\\\.|[^\\]\\\\])*)\\]\\((?<href>(?:[^()\\s]|\\([^()\\s]*\\))+)\\)",
    "<@(?<user>[A-Z0-9]+)>",
    "\\*\\*(?<bold>.+?)\\*\\*(?!\\*)",
    "__(?<bold2>.+?)__(?!\\w)",
    "~~(?<strike>.+?)~~",
    "(?<![\\w*])\\*(?<italic>[^*\\s](?:[^*]*[^*\\s])?)\\*(?!\\w)",
    "(?<![\\w_])_(?<italic2>[^_\\s](?:[^_]*[^_\\s])?)_(?!\\w)",
    "<(?<auto>https?:[^>\\s]+)>",
    "(?<bare>https?:\\/\\/[^\\s<>()]+[^\\s<>().,;:!?'\"])",
    ":(?<emoji>[a-z0-9_+-]+):",
  ].join("|"),
  "g",
);

const MAKE = {
  literal: (text) => text,
  code: (text) => h("code", {}, text),
  alt: (text, { source }) => link(source, text || source),
  label: (text, { href }) => link(href, inline(text)),
  user: (id) => mention(id),
  bold: (text) => h("strong", {}, inline(text)),
  bold2: (text) => h("strong", {}, inline(text)),
  strike: (text) => h("s", {}, inline(text)),
  italic: (text) => h("em", {}, inline(text)),
  italic2: (text) => h("em", {}, inline(text)),
  auto: (text) => link(text, text),
  bare: (text) => link(text, text),
  emoji: (name) => (known(name) ? emoji(name) : `:${name}:`),
};

function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(unescape(text.slice(end, match.index)));
    const kind = Object.keys(MAKE).find((name) => match.groups[name] !== undefined);
    nodes.push(MAKE[kind](match.groups[kind], match.groups));
    end = match.index + match[0].length;
  }
  nodes.push(unescape(text.slice(end)));
  return nodes;
}

const FENCE = /^\s*(```+|~~~+)/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+•]|\d+[.)])\s+(.*)$/;
const QUOTE = /^\s*> ?(.*)$/;
const ROW = /^\s*\|(.*)\|\s*$/;
const DASHES = /^\s*\|?[\s:|-]*-[\s:|-]*\|?\s*$/;

/** Return the nodes of a Markdown text. */
export function markdown(text) {
  const rows = text.split("\n");
  const nodes = [];
  while (rows.length) nodes.push(...block(rows));
  return nodes;
}

/** Take the rows of one block off the front. */
function block(rows) {
  const row = rows[0];
  if (!row.trim()) return rows.shift() && [] || [];
  if (FENCE.test(row)) return [fenced(rows)];
  if (HEADING.test(row)) return [heading(rows)];
  if (RULE.test(row)) return rows.shift() && [h("hr")];
  if (QUOTE.test(row)) return [h("blockquote", {}, markdown(take(rows, (one) => QUOTE.test(one)).map((one) => QUOTE.exec(one)[1]).join("\n")))];
  if (ROW.test(row) && rows.length > 1 && DASHES.test(rows[1])) return [table(rows)];
  if (ITEM.test(row)) return [list(rows)];
  return [paragraph(rows)];
}

function take(rows, fits) {
  const end = rows.findIndex((row) => !fits(row));
  return rows.splice(0, end < 0 ? rows.length : end);
}

function fenced(rows) {
  const fence = FENCE.exec(rows.shift())[1];
  const code = take(rows, (row) => !row.trim().startsWith(fence));
  rows.shift();
  return h("pre", {}, code.join("\n"));
}

function heading(rows) {
  const [, marks, text] = HEADING.exec(rows.shift());
  return h(`h${Math.min(marks.length + 2, 6)}`, { class: "md-heading" }, inline(text));
}

function paragraph(rows) {
  const starts = (row) => [FENCE, HEADING, RULE, QUOTE, ITEM].some((mark) => mark.test(row));
  const first = rows.shift();
  const rest = take(rows, (row) => row.trim() && !starts(row));
  const parts = [first, ...rest].map((row, index) => [index ? h("br") : null, inline(row.trim())]);
  return h("p", {}, parts);
}

function table(rows) {
  const cells = (row) => ROW.exec(row)[1].split(/(?<!\\)\|/).map((cell) => inline(cell.trim()));
  const head = cells(rows.shift());
  rows.shift();
  const body = take(rows, (row) => ROW.test(row)).map(cells);
  return h("div", { class: "table-wrap" }, h("table", {},
    h("thead", {}, h("tr", {}, head.map((cell) => h("th", {}, cell)))),
    h("tbody", {}, body.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))));
}

/** A list with those nested in it, by their indent. */
function list(rows) {
  const [, indent, mark] = ITEM.exec(rows[0]);
  const ordered = /\d/.test(mark);
  const items = [];
  while (rows.length) {
    const found = ITEM.exec(rows[0]);
    if (found && found[1].length > indent.length) items.at(-1).append(list(rows));
    else if (found && found[1].length === indent.length) items.push(item(rows.shift()));
    else if (!found && rows[0].trim() && /^\s+/.test(rows[0])) items.at(-1).append(h("br"), ...inline(rows.shift().trim()));
    else break;
  }
  return h(ordered ? "ol" : "ul", ordered ? { start: parseInt(mark, 10) } : {}, items);
}

function item(row) {
  const text = ITEM.exec(row)[3];
  const task = /^\[([ xX])\]\s+(.*)$/.exec(text);
  return task ? h("li", { class: "task" }, task[1] === " " ? "☐ " : "☑ ", inline(task[2])) : h("li", {}, inline(text));
}
