// The middle pane: a channel's header, messages and composer; for the app's conversation also its Home.

import { avatar } from "./avatars.js";
import { composer } from "./composer.js";
import { drawMessages } from "./conversation.js";
import { h, icon, stickToBottom } from "./dom.js";
import { drawHome } from "./home.js";
import { act } from "./net.js";
import { channelTitle, isReply, sorted, state, statusOf } from "./state.js";
import { statusLine } from "./message.js";
import { markRead } from "./unread.js";

const STARTERS = ["What can you answer questions about?"];

/** Build the pane of a channel; `draw()` brings it up to date. */
export function channelPane(channel, { tab, openThread, go }) {
  const direct = channel.kind === "im";
  const list = h("ol", { class: "messages", "aria-live": "polite", "aria-label": "Messages" });
  const welcome = h("div", { class: "welcome" });
  const status = h("p", { class: "status-line", role: "status" });
  const scroller = h("div", { class: "scroller" }, h("div", { class: "spring" }), welcome, list);
  const home = h("div", { class: "home scroller" });
  const title = channelTitle(channel);
  const box = composer({
    channel, placeholder: `Message ${direct ? title : `#${title}`}`, threadTs: null,
    editLast: () => editLast(list, channel),
  });
  const chat = [scroller, status, h("div", { class: "composer-wrap" }, box.node)];
  const node = h("div", { class: "pane-inner" }, header(channel, tab, go), ...(tab === "home" ? [home] : chat));
  let first = true;

  function draw() {
    if (tab === "home") return drawHome(home);
    stickToBottom(scroller, () => {
      const shown = sorted(channel).filter((one) => !isReply(one));
      drawWelcome(welcome, channel, shown, box);
      drawMessages(list, channel, shown, { openThread });
    });
    const current = direct && [...channel.messages.keys()].map((ts) => statusOf(channel.id, ts)).find(Boolean);
    status.textContent = current ? statusLine(current) : "";
    if (first) scroller.scrollTop = scroller.scrollHeight;
    first = false;
    if (document.hasFocus()) markRead(channel);
  }

  if (direct) act("open_home", { tab: tab === "home" ? "home" : "messages" });
  return { node, draw, focus: box.focus, list };
}

function editLast(list, channel) {
  const mine = sorted(channel).filter((one) => one.user === state.me && !isReply(one)).at(-1);
  const node = mine && list.querySelector(`[data-key="${mine.ts}"]`);
  node?.dispatchEvent(new CustomEvent("edit-message"));
}

function header(channel, tab, go) {
  const direct = channel.kind === "im";
  const title = channelTitle(channel);
  const tabButton = (name, label) => h("button", { role: "tab", "aria-selected": String(name === (tab ?? "")), onclick: () => go(channel.id, name) }, label);
  return h("header", { class: "pane-header" },
    h("div", { class: "pane-title" },
      direct ? avatar(state.app.user_id, 24) : icon(channel.kind === "group" ? "lock" : "hash"),
      h("h2", {}, title), direct && h("span", { class: "tag" }, "APP"),
      !direct && h("span", { class: "topic" }, channel.topic),
      !direct && h("span", { class: "members", title: channel.members.map((id) => state.people.get(id)?.real_name).join(", ") },
        channel.members.slice(0, 3).map((id) => avatar(id, 24)), String(channel.members.length))),
    direct && h("div", { class: "tabs", role: "tablist" }, tabButton("home", "Home"), tabButton("", "Messages")));
}

/** A fresh channel suggests a first question; the app's own prompts come first. */
function drawWelcome(node, channel, shown, box) {
  const direct = channel.kind === "im";
  const prompts = channel.prompts?.prompts ?? (state.starters.length ? state.starters : STARTERS).map((text) => ({ title: text, message: text }));
  const fresh = !shown.some((one) => !one.is_ephemeral);
  const version = JSON.stringify([fresh, prompts, state.connected]);
  if (node.dataset.version === version) return;
  node.dataset.version = version;
  const typed = (text) => (direct ? text : `@${state.app.user_name} ${text}`);
  node.replaceChildren(...(fresh ? [
    h("div", { class: "welcome-face" }, direct ? avatar(state.app.user_id, 56) : icon("hash")),
    h("h3", {}, direct ? `This is the start of your conversation with ${state.app.name}` : `Welcome to #${channel.name}`),
    h("p", {}, direct ? "Ask a question; the answer quotes your own documents." : `Mention @${state.app.user_name} with a question, and it is answered in a thread.`),
    h("p", { class: "away", hidden: state.connected }, `${state.app.name} is not connected yet.`),
    h("div", { class: "prompts" }, channel.prompts?.title && h("strong", {}, channel.prompts.title),
      prompts.map((prompt) => h("button", { class: "prompt", onclick: () => box.fill(typed(prompt.message)) }, icon("bolt"), prompt.title))),
  ] : []));
}
