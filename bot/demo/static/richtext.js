// `rich_text` blocks.

import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { link, mention } from "./mrkdwn.js";
import { state } from "./state.js";

const LEAF = {
  text: ({ text }) => text,
  link: ({ url, text }) => link(url, text ?? url),
  emoji: ({ name }) => emoji(name),
  user: ({ user_id }) => mention(user_id),
  channel: ({ channel_id }) => h("span", { class: "mention" }, `#${state.channels.get(channel_id)?.name ?? channel_id}`),
  usergroup: ({ usergroup_id }) => h("span", { class: "mention" }, `@${state.groups?.[usergroup_id] ?? usergroup_id}`),
  broadcast: ({ range }) => h("span", { class: "mention mine" }, `@${range}`),
  date: ({ timestamp }) => new Date(timestamp * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }),
};

function leaf(element) {
  let node = LEAF[element.type]?.(element) ?? element.text ?? "";
  const style = element.style ?? {};
  for (const [name, tag] of [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"]]) {
    if (style[name]) node = h(tag, {}, node);
  }
  return typeof node === "string" ? lines(node) : node;
}

const lines = (text) => text.split("\n").flatMap((row, index) => (index ? [h("br"), row] : [row]));

const GROUP = {
  rich_text_section: ({ elements }) => h("p", {}, elements.map(leaf)),
  rich_text_quote: ({ elements }) => h("blockquote", {}, elements.map(leaf)),
  rich_text_preformatted: ({ elements }) => h("pre", {}, elements.map((one) => one.text ?? one.url ?? "")),
  rich_text_list: ({ style, indent = 0, elements }) =>
    h(style === "ordered" ? "ol" : "ul", { class: `indent-${Math.min(indent, 4)}` },
      elements.map((one) => h("li", {}, one.elements.map(leaf)))),
};

/** Return the nodes of a rich_text block. */
export function richText(block) {
  return block.elements.map((group) => GROUP[group.type]?.(group) ?? "");
}
