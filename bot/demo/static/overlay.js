// What floats above the page: toasts, menus, dialogs.

import { h } from "./dom.js";

export function toast(text) {
  const node = h("p", { class: "toast", role: "alert" }, text);
  document.body.append(node);
  setTimeout(() => node.remove(), 5000);
}

/**
 * Open a menu at a button. Items: {label, hint, danger, run}, or null for a line.
 * Arrow keys move, Enter chooses, Escape closes and gives the focus back.
 */
export function menu(anchor, items, header = null) {
  document.querySelector(".menu")?.remove();
  const close = () => {
    node.remove();
    anchor.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
  };
  const outside = (event) => !node.contains(event.target) && close();
  const node = h("div", { class: "menu", role: "menu", onkeydown: (event) => move(event, node, anchor, close) },
    header, items.map((item) => entry(item, close)));
  (anchor.closest("dialog") ?? document.body).append(node);
  place(node, anchor);
  anchor.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  node.querySelector("[role=menuitem]")?.focus();
}

function entry(item, close) {
  if (!item) return h("hr");
  const run = () => { close(); item.run(); };
  return h("button", { role: "menuitem", class: item.danger ? "danger" : "", onclick: run },
    item.picture, h("span", {}, item.label), item.hint && h("small", {}, item.hint));
}

function move(event, node, anchor, close) {
  const entries = [...node.querySelectorAll("[role=menuitem]")];
  const at = entries.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) entries.at((at + step) % entries.length).focus();
  else if (event.key === "Escape" || event.key === "Tab") { close(); anchor.focus(); }
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function place(node, anchor) {
  const box = anchor.getBoundingClientRect();
  const below = box.bottom + node.offsetHeight + 8 < innerHeight;
  node.style.top = `${below ? box.bottom + 4 : Math.max(8, box.top - node.offsetHeight - 4)}px`;
  node.style.left = `${Math.max(8, Math.min(box.left, innerWidth - node.offsetWidth - 12))}px`;
}

/** Ask before something is done; true where it was confirmed. */
export function confirm({ title, text, yes = "Yes", no = "Cancel", danger = false }) {
  return new Promise((resolve) => {
    const answer = (value) => () => { dialog.close(); dialog.remove(); resolve(value); };
    const dialog = h("dialog", { class: "dialog confirm", "aria-labelledby": "confirm-title", oncancel: answer(false) },
      h("h2", { id: "confirm-title" }, title),
      h("div", { class: "dialog-body" }, text),
      h("footer", {},
        h("button", { class: "button", onclick: answer(false) }, no),
        h("button", { class: `button ${danger ? "danger solid" : "primary"}`, onclick: answer(true) }, yes)));
    document.body.append(dialog);
    dialog.showModal();
  });
}
