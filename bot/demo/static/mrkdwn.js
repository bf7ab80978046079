// Slack's mrkdwn, as DOM. Nothing in it can become markup: every text goes in as text.

import { h } from "./dom.js";
import { emoji, known } from "./emoji.js";
import { person, state } from "./state.js";

export function unescape(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Return an anchor that opens in a new tab; what is no web address stays text. */
export function link(address, ...children) {
  if (!/^(https?:\/\/|mailto:)/i.test(address)) return h("span", {}, ...children);
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

export function mention(id) {
  const mine = id === state.me;
  return h("span", { class: mine ? "mention mine" : "mention" }, `@${person(id).real_name}`);
}

const broadcast = (name) => h("span", { class: "mention mine" }, `@${name}`);

function channelMention(id, label) {
  const name = state.channels.get(id)?.name ?? label ?? "private-channel";
  return h("a", { class: "mention", href: `#${id}` }, `#${name}`);
}

/** Return the nodes of <…>: a person, a channel, a broadcast, a date or a link. */
function angled(inside) {
  const [target, label] = inside.split("|", 2);
  if (target.startsWith("@")) return mention(target.slice(1));
  if (target.startsWith("#")) return channelMention(target.slice(1), label);
  if (target.startsWith("!date^")) return document.createTextNode(unescape(label ?? ""));
  if (target.startsWith("!subteam^")) return broadcast((label ?? "group").replace(/^@/, ""));
  if (target.startsWith("!")) return broadcast(target.slice(1));
  return link(unescape(target), unescape(label ?? target));
}

const edge = "(?<![\\w*_~])";
const INLINE = new RegExp(
  [
    "`(?<code>[^`\\n]+)`",
    "<(?<angled>[^>\\n]+)>",
    `${edge}\\*(?<bold>[^*\\n]+)\\*(?![\\w*])`,
    `${edge}_(?<italic>[^_\\n]+)_(?![\\w_])`,
    `${edge}~(?<strike>[^~\\n]+)~(?![\\w~])`,
    ":(?<emoji>[a-z0-9_+-]+):",
  ].join("|"),
  "g",
);

const MAKE = {
  code: (text) => h("code", {}, unescape(text)),
  angled,
  bold: (text) => h("strong", {}, inline(text)),
  italic: (text) => h("em", {}, inline(text)),
  strike: (text) => h("s", {}, inline(text)),
  emoji: (name) => (known(name) ? h("span", { class: "emoji", title: `:${name}:` }, emoji(name)) : `:${name}:`),
};

/** Return the nodes of one line. */
export function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(unescape(text.slice(end, match.index)));
    const [kind, value] = Object.entries(match.groups).find(([, found]) => found !== undefined);
    nodes.push(MAKE[kind](value));
    end = match.index + match[0].length;
  }
  nodes.push(unescape(text.slice(end)));
  return nodes;
}

/** Return the nodes of a whole mrkdwn text: code blocks, quotes, lines. */
export function mrkdwn(text) {
  return text.split(/```\n?([\s\S]*?)```\n?/).flatMap((part, index) => {
    if (index % 2) return [h("pre", {}, unescape(part.replace(/\n$/, "")))];
    return part ? lines(part) : [];
  });
}

function lines(text) {
  const nodes = [];
  let quote = null;
  const rows = text.split("\n");
  rows.forEach((row, index) => {
    const quoted = /^&gt; ?(.*)$/.exec(row) ?? /^> ?(.*)$/.exec(row);
    if (quoted) {
      if (!quote) nodes.push((quote = h("blockquote")));
      else quote.append(h("br"));
      quote.append(...inline(quoted[1]));
      return;
    }
    if (index > 0 && !quote) nodes.push(h("br"));
    quote = null;
    nodes.push(...inline(row));
  });
  return nodes;
}

/** Return the nodes of a text object. */
export function textObject(text) {
  if (!text) return [];
  return text.type === "mrkdwn" ? mrkdwn(text.text) : plain(text.text);
}

export function plain(text) {
  return text.split(/(:[a-z0-9_+-]+:)/).map((part) => {
    const name = part.startsWith(":") ? part.slice(1, -1) : "";
    return known(name) ? emoji(name) : part;
  });
}

/** Return stored text as a person would type it again. */
export function typed(text) {
  return unescape(
    text
      .replace(/<@([^>|]+)[^>]*>/g, (_, id) => `@${person(id).name}`)
      .replace(/<#([^>|]+)(?:\|([^>]*))?>/g, (_, id, label) => `#${state.channels.get(id)?.name ?? label ?? id}`)
      .replace(/<!([^>|]+)[^>]*>/g, "@$1")
      .replace(/<([^>|]+)(?:\|[^>]*)?>/g, "$1"),
  );
}

/** Return a text without its marks, for a one-line preview. */
export function preview(text) {
  return typed(text ?? "").replace(/[*_~`]/g, "").replace(/\s+/g, " ");
}
