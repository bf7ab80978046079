// The right pane: one thread, and a composer that replies in it.

import { avatar } from "./avatars.js";
import { composer } from "./composer.js";
import { drawMessages } from "./conversation.js";
import { h, icon, stickToBottom } from "./dom.js";
import { statusLine } from "./message.js";
import { channelTitle, state, statusOf, thread } from "./state.js";
import { markRead } from "./unread.js";

/** Build the pane of a thread; `draw()` brings it up to date, false where the thread is gone. */
export function threadPane(channel, ts, { close }) {
  const list = h("ol", { class: "messages", "aria-live": "polite", "aria-label": "Thread" });
  const status = h("p", { class: "status-line", role: "status" });
  const scroller = h("div", { class: "scroller" }, list, status);
  const editLast = () => {
    const mine = thread(channel, ts).filter((one) => one.user === state.me).at(-1);
    list.querySelector(`[data-key="${mine?.ts}"]`)?.dispatchEvent(new CustomEvent("edit-message"));
  };
  const box = composer({ channel, placeholder: "Reply…", threadTs: ts, editLast });
  const title = channelTitle(channel);
  const node = h("div", { class: "pane-inner" },
    h("header", { class: "pane-header" },
      h("div", { class: "pane-title" }, h("h2", {}, "Thread"), h("span", { class: "topic" }, channel.kind === "im" ? title : `#${title}`),
        h("button", { class: "tool close", "aria-label": "Close thread", title: "Close", onclick: close }, icon("close")))),
    scroller, h("div", { class: "composer-wrap" }, box.node));

  function draw() {
    const messages = thread(channel, ts);
    if (!messages.length) return false;
    const replies = messages.filter((one) => one.ts !== ts).length;
    const after = (message) => message.ts === ts && replies > 0 && {
      key: "count", version: String(replies),
      render: () => h("li", { class: "reply-count" }, h("span", {}, `${replies} ${replies === 1 ? "reply" : "replies"}`)),
    };
    stickToBottom(scroller, () => {
      drawMessages(list, channel, messages, { inThread: true, after, openThread: () => {} });
      const current = statusOf(channel.id, ts);
      status.replaceChildren(...(current ? [avatar(state.app.user_id, 20), h("span", { class: "shimmer" }, statusLine(current))] : []));
    });
    if (document.hasFocus()) markRead(channel);
    return true;
  }

  return { node, draw, focus: box.focus, list, ts, channel };
}
