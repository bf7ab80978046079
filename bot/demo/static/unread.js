// What this person has not read yet, remembered in the browser.

import { isReply, state } from "./state.js";

const key = (channel) => `read/${state.me}/${channel.id}`;

export function markRead(channel) {
  const last = [...channel.messages.keys()].reduce((a, b) => (a > b ? a : b), "");
  if (last > (localStorage.getItem(key(channel)) ?? "")) localStorage.setItem(key(channel), last);
}

/** Return how many messages are new, and how many of them are for this person. */
export function unread(channel) {
  const read = localStorage.getItem(key(channel)) ?? "";
  const fresh = [...channel.messages.values()].filter((one) => one.ts > read && one.user !== state.me && one.subtype !== "tombstone");
  const top = fresh.filter((one) => !isReply(one));
  const mine = (one) => channel.kind === "im" || one.text?.includes(`<@${state.me}>`) || /<!(channel|here|everyone)>/.test(one.text ?? "");
  return { count: top.length, mentions: fresh.filter((one) => mine(one) || repliesToMe(channel, one)).length };
}

const repliesToMe = (channel, message) => isReply(message) && channel.messages.get(message.thread_ts)?.user === state.me;
