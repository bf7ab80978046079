// Where a person types: Enter sends, @ # and / are completed, the arrow up edits.

import { avatar } from "./avatars.js";
import { base64, h, icon } from "./dom.js";
import { act } from "./net.js";
import { toast } from "./overlay.js";
import { state } from "./state.js";

const IN_THREAD = "Slash commands do not work in threads, in Slack as here. A message shortcut does: see the ⋯ of a message.";

/** options: {channel, placeholder, threadTs (null in a channel), editLast()} */
export function composer(options) {
  const files = [];
  const field = h("textarea", {
    rows: 1, placeholder: options.placeholder, "aria-label": options.placeholder, "aria-autocomplete": "list",
    oninput: () => { grow(); complete.update(); mark(); }, onkeydown: (event) => keys(event), onblur: () => complete.hide(),
  });
  const attached = h("div", { class: "attached" });
  const chooser = h("input", { type: "file", multiple: true, hidden: true, onchange: () => attach(chooser.files) });
  const sendButton = h("button", { class: "send", type: "button", "aria-label": "Send", title: "Send", onclick: () => send() }, icon("send"));
  const insert = (text) => () => { field.focus(); field.setRangeText(text, field.selectionStart, field.selectionEnd, "end"); field.dispatchEvent(new Event("input")); };
  const tool = (name, label, run) => h("button", { type: "button", class: "tool", title: label, "aria-label": label, onmousedown: (event) => event.preventDefault(), onclick: run }, icon(name));
  const node = h("div", { class: "composer" }, field, attached,
    h("div", { class: "composer-bar" },
      tool("plus", "Attach a file", () => chooser.click()), tool("at", "Mention someone", insert("@")),
      options.threadTs ? null : tool("slash", "Run a command", insert("/")),
      h("span", { class: "hint-keys" }, h("kbd", {}, "Shift"), " ", h("kbd", {}, "Enter"), " for a new line"), sendButton),
    chooser);
  const complete = completion(node, field);
  const grow = () => { field.style.height = "auto"; field.style.height = `${Math.min(field.scrollHeight, 240)}px`; };
  const mark = () => node.classList.toggle("ready", Boolean(field.value.trim() || files.length));

  async function attach(list) {
    for (const file of list) {
      files.push({ name: file.name, content: await base64(file) });
      attached.append(h("span", { class: "chip" }, icon("file"), file.name));
    }
    chooser.value = "";
    mark();
  }

  async function send() {
    const text = field.value.trim();
    if (!text && !files.length) return;
    const command = /^\/[a-z][\w-]*/i.test(text);
    if (command && options.threadTs) return toast(IN_THREAD);
    const given = { channel: options.channel.id, text };
    field.value = "";
    attached.replaceChildren();
    const sent = files.splice(0);
    grow();
    mark();
    complete.hide();
    const done = command ? await act("command", given) : await act("say", { ...given, thread_ts: options.threadTs, files: sent });
    if (!done && !field.value) { field.value = text; mark(); }
  }

  function keys(event) {
    if (complete.takes(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
    else if (event.key === "ArrowUp" && !field.value) { event.preventDefault(); options.editLast(); }
  }

  return { node, focus: () => field.focus(), fill(text) { field.value = text; grow(); mark(); field.focus(); } };
}

/** What can stand for the word before the caret: {text, label, hint, picture} rows. */
function candidates(before) {
  const command = /^\/(\S*)$/.exec(before);
  if (command) {
    return state.commands.filter((one) => one.name.startsWith(`/${command[1]}`))
      .map((one) => ({ text: `${one.name} `, label: one.name, hint: one.usage || one.description, detail: one.usage && one.description, picture: avatar(state.app.user_id, 24) }));
  }
  const word = /(?:^|\s)([@#])([\w.-]*)$/.exec(before);
  if (!word) return [];
  const fits = (...names) => names.some((name) => name.toLowerCase().startsWith(word[2].toLowerCase()));
  if (word[1] === "#") {
    return [...state.channels.values()].filter((one) => one.kind !== "im" && fits(one.name))
      .map((one) => ({ text: `#${one.name} `, label: one.name, picture: icon("hash") }));
  }
  const bot = state.app.user_id;
  return [...state.people.values()]
    .filter((one) => one.kind !== "slackbot" && one.id !== state.me && fits(one.name, ...one.real_name.split(" ")))
    .sort((a, b) => (b.id === bot) - (a.id === bot))
    .map((one) => ({ text: `@${one.name} `, label: one.real_name, hint: one.id === bot ? "App" : one.title, picture: avatar(one.id, 24) }));
}

/** The list above the composer; it takes the arrow keys, Enter, Tab and Escape while it is open. */
function completion(node, field) {
  const list = h("ul", { class: "completion", role: "listbox", hidden: true });
  node.append(list);
  let rows = [];
  let at = 0;
  const before = () => field.value.slice(0, field.selectionStart);
  const hide = () => { list.hidden = true; };
  const draw = () => {
    list.replaceChildren(...rows.map((row, index) => h("li", {
      role: "option", "aria-selected": String(index === at), onmousedown: (event) => { event.preventDefault(); at = index; take(); },
    }, row.picture, h("strong", {}, row.label), h("span", {}, row.hint ?? ""), row.detail && h("small", {}, row.detail))));
    list.hidden = rows.length === 0;
  };
  const take = () => {
    const start = before().replace(/[@#/][\w.-]*$/, "").length;
    field.setRangeText(rows[at].text, start, field.selectionStart, "end");
    hide();
    field.dispatchEvent(new Event("input"));
  };
  const move = (step) => { at = (at + step + rows.length) % rows.length; draw(); };
  const KEYS = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: take, Tab: take, Escape: hide };
  return {
    hide,
    update() { rows = candidates(before()); at = 0; draw(); },
    takes(event) {
      if (list.hidden || !KEYS[event.key]) return false;
      event.preventDefault();
      event.stopPropagation();
      KEYS[event.key]();
      return true;
    },
  };
}
