// Block Kit, as Slack shows it.

import { h, icon } from "./dom.js";
import { renderElement } from "./elements.js";
import { markdown } from "./markdown.js";
import { textObject } from "./mrkdwn.js";
import { richText } from "./richtext.js";

const FOLD_AT = 700; // Slack folds a long section behind "See more"

function section(block, holder) {
  return h("div", { class: "block section" },
    h("div", { class: "section-body" },
      block.text && folded(h("div", { class: "text" }, textObject(block.text)), block),
      block.fields && h("div", { class: "fields" }, block.fields.map((field) => h("div", {}, textObject(field))))),
    block.accessory && h("div", { class: "section-accessory" }, renderElement(block, block.accessory, holder)));
}

function folded(node, block) {
  if (block.expand || block.text.text.length < FOLD_AT) return node;
  node.classList.add("folded");
  const more = h("button", { class: "see-more", type: "button", onclick: () => { node.classList.remove("folded"); more.remove(); } }, "See more");
  return [node, more];
}

function context(block) {
  return h("div", { class: "block context" }, block.elements.map((element) =>
    element.type === "image"
      ? h("img", { src: element.image_url, alt: element.alt_text })
      : h("span", {}, textObject(element))));
}

const actions = (block, holder) =>
  h("div", { class: "block actions" }, block.elements.map((element) => renderElement(block, element, holder)));

const contextActions = (block, holder) =>
  h("div", { class: "block context-actions" }, block.elements.map((element) => renderElement(block, element, holder)));

const image = (block) =>
  h("figure", { class: "block image" },
    block.title && h("figcaption", {}, textObject(block.title)),
    h("img", { src: block.image_url ?? block.slack_file?.url, alt: block.alt_text }));

function table(block) {
  const settings = block.column_settings ?? [];
  const cell = (tag) => (content, column) =>
    h(tag, { class: `align-${settings[column]?.align ?? "left"}` },
      content.type === "rich_text" ? richText(content) : String(content.text ?? content.value ?? ""));
  const [head, ...rows] = block.rows;
  return h("div", { class: "block table-wrap" }, h("table", {},
    h("thead", {}, h("tr", {}, head.map(cell("th")))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell("td")))))));
}

function input(block, holder) {
  const control = renderElement(block, block.element, holder);
  const problem = holder.problem?.(block);
  return h("div", { class: `block input-block ${problem ? "wrong" : ""}`, dataset: { block: block.block_id } },
    h("label", {}, textObject(block.label), block.optional && h("small", {}, " (optional)"), h("div", {}, control)),
    problem && h("p", { class: "problem", role: "alert" }, problem),
    block.hint && h("p", { class: "hint" }, textObject(block.hint)));
}

const RENDER = {
  section, context, actions, image, table, input,
  context_actions: contextActions,
  header: (block) => h("h3", { class: "block header" }, textObject(block.text)),
  divider: () => h("hr", { class: "block" }),
  markdown: (block) => h("div", { class: "block markdown" }, markdown(block.text)),
  rich_text: (block) => h("div", { class: "block rich-text" }, richText(block)),
  file: (block) => h("div", { class: "block file" }, icon("file"), block.external_id ?? "File"),
};

/** Return the nodes of a list of blocks. */
export function renderBlocks(blocks, holder) {
  return blocks.map((block) => RENDER[block.type]?.(block, holder) ?? h("p", { class: "hint" }, `(${block.type})`));
}
