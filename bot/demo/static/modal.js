// Modals: the view on top of this person's stack, kept while the app updates it.

import { renderBlocks } from "./blocks.js";
import { avatar } from "./avatars.js";
import { h, icon } from "./dom.js";
import { initialValue } from "./elements.js";
import { textObject } from "./mrkdwn.js";
import { act } from "./net.js";
import { state } from "./state.js";

let shown = null; // {id, hash, dialog, values, errors}

/** Bring the dialog in line with the stack of views. */
export function drawModal() {
  const view = state.views.at(-1);
  if (!view) return hide();
  if (shown?.id === view.id && shown.hash === view.hash) return;
  const values = kept.get(view.id) ?? {};
  kept.set(view.id, values);
  show(view, values, {});
}

const kept = new Map(); // what was typed, by view: an update or a view pushed on top does not lose it

function hide() {
  shown?.dialog.remove();
  shown = null;
  kept.clear();
}

function show(view, values, errors) {
  const dialog = build(view, values, errors);
  const focused = shown?.id === view.id ? document.activeElement?.closest("[data-block]")?.dataset.block : null;
  shown?.dialog.remove();
  shown = { id: view.id, hash: view.hash, dialog };
  document.body.append(dialog);
  dialog.showModal();
  const wrong = Object.keys(errors)[0] ?? focused;
  const target = wrong ? `[data-block="${CSS.escape(wrong)}"]` : ".input-block";
  dialog.querySelector(`${target} :is(input, textarea, select)`)?.focus();
}

function build(view, values, errors) {
  const submit = async (event) => {
    event.preventDefault();
    dialog.setAttribute("aria-busy", "true");
    const found = await act("submit", { values: everything(view, values) });
    dialog.removeAttribute("aria-busy");
    if (found && Object.keys(found).length) show(view, values, found);
  };
  const close = () => act("close", {});
  const dialog = h("dialog", { class: "dialog modal", "aria-labelledby": "modal-title", oncancel: (event) => { event.preventDefault(); close(); } },
    h("form", { onsubmit: submit, novalidate: true },
      h("header", {}, avatar(state.app.user_id, 28), h("h2", { id: "modal-title" }, textObject(view.title)),
        h("button", { type: "button", class: "tool close", "aria-label": "Close", onclick: close }, icon("close"))),
      h("div", { class: "dialog-body" }, renderBlocks(view.blocks, holder(view, values, errors))),
      h("footer", {},
        h("button", { type: "button", class: "button", onclick: close }, view.close ? textObject(view.close) : "Cancel"),
        view.submit && h("button", { type: "submit", class: "button primary" }, textObject(view.submit)))));
  return dialog;
}

function holder(view, values, errors) {
  const held = (block) => values[block.block_id] ?? {};
  return {
    optional: (block) => block.optional,
    problem: (block) => errors[block.block_id],
    value: (block, element) => held(block)[element.action_id] ?? initialValue(element),
    use(block, element, value, { typing = false } = {}) {
      const input = !["button", "overflow", "feedback_buttons", "icon_button"].includes(element.type);
      if (input) values[block.block_id] = { ...held(block), [element.action_id]: value };
      if (typing || (block.type === "input" && !block.dispatch_action)) return null;
      return act("click_view", {
        view_id: view.id, action_id: element.action_id, block_id: block.block_id, value, values: everything(view, values),
      });
    },
  };
}

/** What the view's inputs hold, touched or not. */
function everything(view, values) {
  const all = {};
  for (const block of view.blocks) {
    for (const element of [block.element, block.accessory, ...(block.type === "actions" ? block.elements : [])]) {
      if (!element?.action_id || ["button", "overflow"].includes(element.type)) continue;
      all[block.block_id] = { ...all[block.block_id], [element.action_id]: values[block.block_id]?.[element.action_id] ?? initialValue(element) };
    }
  }
  return all;
}
