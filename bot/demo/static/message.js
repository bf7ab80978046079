// One message: its author, text or blocks, reactions, thread, and what can be done with it.

import { avatar } from "./avatars.js";
import { renderBlocks } from "./blocks.js";
import { h, icon } from "./dom.js";
import { initialValue } from "./elements.js";
import { emoji, PICKER, QUICK } from "./emoji.js";
import { mrkdwn, typed } from "./mrkdwn.js";
import { act } from "./net.js";
import { confirm, menu } from "./overlay.js";
import { person, state, statusOf } from "./state.js";
import { ago, exact, hour } from "./time.js";

/** A message's holder of Block Kit values: using an element tells the app at once. */
function holder(channel, message) {
  return {
    value: (_block, element) => initialValue(element),
    use: (block, element, value) =>
      act("click", { channel: channel.id, ts: message.ts, action_id: element.action_id, block_id: block.block_id, value }),
  };
}

/**
 * Return the node of a message.
 * options: {first: show the author, inThread, openThread(ts)}
 */
export function renderMessage(channel, message, options) {
  const mine = message.user === state.me;
  const node = h("li", {
    class: ["message", options.first ? "first" : "", message.is_ephemeral ? "ephemeral" : "", message.user === state.app.user_id ? "bot" : ""].join(" "),
    id: `${options.inThread ? "t" : "m"}${message.ts}`, tabindex: 0,
    "aria-label": `${person(message.user).real_name}, ${hour(message.ts)}`,
  },
    h("div", { class: "gutter" }, options.first ? avatar(message.user) : h("time", {}, hour(message.ts))),
    h("div", { class: "message-main" },
      message.is_ephemeral && h("p", { class: "only-you" }, icon("eye"), "Only visible to you"),
      options.first && author(message),
      h("div", { class: "body" }, content(channel, message)),
      files(message),
      reactions(channel, message),
      !options.inThread && summary(channel, message, options)),
    !message.is_ephemeral && message.subtype !== "tombstone" && toolbar(channel, message, options, mine, () => edit(channel, message, node)));
  node.addEventListener("edit-message", () => edit(channel, message, node));
  return node;
}

function author(message) {
  const who = person(message.user);
  return h("div", { class: "author" },
    h("strong", {}, who.real_name),
    who.kind === "bot" && h("span", { class: "tag" }, "APP"),
    who.kind === "guest" && h("span", { class: "tag" }, "GUEST"),
    h("time", { title: exact(message.ts) }, hour(message.ts)));
}

function content(channel, message) {
  const nodes = message.blocks?.length
    ? renderBlocks(message.blocks, holder(channel, message))
    : [h("div", { class: "text" }, mrkdwn(message.text ?? ""))];
  const edited = message.edited && !message.bot_id && h("small", { class: "edited" }, " (edited)");
  if (message.streaming) lastLine(nodes)?.append(h("span", { class: "caret", "aria-label": "writing" }));
  return [nodes, edited];
}

/** Return the element in which the last words of a message stand. */
function lastLine(nodes) {
  let node = nodes.at(-1);
  while (node?.lastElementChild && /^(DIV|P|UL|OL|LI|BLOCKQUOTE)$/.test(node.lastElementChild.tagName)) node = node.lastElementChild;
  return node;
}

function files(message) {
  return message.files?.map((file) => h("a", { class: "file-card", href: file.permalink, target: "_blank", rel: "noopener" },
    icon("file"), h("span", {}, h("strong", {}, file.title), h("small", {}, `${file.filetype.toUpperCase()} · ${size(file.size)}`))));
}

const size = (bytes) => (bytes < 1000 ? `${bytes} bytes` : bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

function reactions(channel, message) {
  if (!message.reactions?.length) return null;
  const pill = ({ name, users }) => {
    const who = users.map((id) => person(id).real_name).join(", ");
    return h("button", { class: "reaction", title: `${who} reacted with :${name}:`, "aria-pressed": String(users.includes(state.me)), onclick: () => react(channel, message, name) },
      h("span", {}, emoji(name)), String(users.length));
  };
  return h("div", { class: "reactions" }, message.reactions.map(pill));
}

const react = (channel, message, name) => act("react", { channel: channel.id, ts: message.ts, name });

function summary(channel, message, { openThread }) {
  const status = statusOf(channel.id, message.ts);
  const count = message.reply_count ?? 0;
  if (!count && !status) return null;
  return h("button", { class: "thread-summary", onclick: () => openThread(message.ts) },
    h("span", { class: "faces" }, (message.reply_users ?? [state.app.user_id]).slice(0, 4).map((id) => avatar(id, 24))),
    count > 0 && h("span", { class: "count" }, `${count} ${count === 1 ? "reply" : "replies"}`),
    status ? h("span", { class: "status" }, statusLine(status)) : h("span", { class: "last" }, `Last reply ${ago(message.latest_reply)}`));
}

/** The status line of the app: Slack puts its name before a status in lower case. */
export function statusLine(status) {
  return /^[a-z]/.test(status) ? `${state.app.name} ${status}` : status;
}

function toolbar(channel, message, options, mine, startEdit) {
  const tool = (picture, label, run) =>
    h("button", { class: "tool", title: label, "aria-label": label, onclick: run }, typeof picture === "string" && picture.length > 2 ? icon(picture) : picture);
  const pick = (event) => menu(event.currentTarget, PICKER.map((name) => ({ label: `${emoji(name)}  :${name}:`, run: () => react(channel, message, name) })));
  return h("div", { class: "toolbar", role: "toolbar", "aria-label": "Message actions" },
    QUICK.map((name) => tool(h("span", {}, emoji(name)), `React with :${name}:`, () => react(channel, message, name))),
    tool("smile", "Add reaction", pick),
    !options.inThread && tool("reply", "Reply in thread", () => options.openThread(message.thread_ts ?? message.ts)),
    tool("more", "More actions", (event) => menu(event.currentTarget, more(channel, message, mine, startEdit))));
}

function more(channel, message, mine, startEdit) {
  const copy = () => navigator.clipboard?.writeText(`${location.origin}/archives/${channel.id}/p${message.ts.replace(".", "")}`);
  const remove = async () => {
    const sure = await confirm({ title: "Delete message", text: "Are you sure you want to delete this message? This cannot be undone.", yes: "Delete", danger: true });
    if (sure) act("delete", { channel: channel.id, ts: message.ts });
  };
  const shortcuts = state.shortcuts.filter((one) => one.kind === "message").map((one) => ({
    label: one.name, hint: state.app.name, run: () => act("shortcut", { callback_id: one.callback_id, channel: channel.id, ts: message.ts }),
  }));
  const admin = person(state.me).kind === "admin";
  return [
    { label: "Copy link", run: copy },
    ...(shortcuts.length ? [null, ...shortcuts] : []),
    ...(mine ? [null, { label: "Edit message", run: startEdit }] : []),
    ...(mine || admin ? [{ label: "Delete message…", danger: true, run: remove }] : []),
  ];
}

function edit(channel, message, node) {
  const body = node.querySelector(".body");
  const done = () => box.replaceWith(body);
  const save = async () => {
    const text = field.value.trim();
    if (text && text !== typed(message.text)) await act("edit", { channel: channel.id, ts: message.ts, text });
    done();
  };
  const keys = (event) => {
    if (event.key === "Escape") done();
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); save(); }
  };
  const field = h("textarea", { class: "input", rows: 2, "aria-label": "Edit message", onkeydown: keys, value: typed(message.text) });
  const box = h("div", { class: "edit" }, field, h("div", { class: "edit-buttons" },
    h("button", { class: "button", onclick: done }, "Cancel"), h("button", { class: "button primary", onclick: save }, "Save")));
  body.replaceWith(box);
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}
