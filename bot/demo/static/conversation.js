// A list of messages, kept in place while they change: grouped by author, divided by day.

import { h, reconcile } from "./dom.js";
import { renderMessage } from "./message.js";
import { statusOf } from "./state.js";
import { dayOf } from "./time.js";

const GROUP_S = 300;

/** Draw `messages` (oldest first) into `list`; options as of renderMessage. */
export function drawMessages(list, channel, messages, options) {
  const items = [];
  let before = null;
  for (const message of messages) {
    const day = dayOf(message.ts);
    if (!options.inThread && (!before || dayOf(before.ts) !== day)) {
      items.push({ key: `day-${day}`, version: day, render: () => h("li", { class: "day" }, h("span", {}, day)) });
      before = null;
    }
    const first = startsGroup(before, message);
    const status = statusOf(channel.id, message.ts) ?? "";
    const render = () => renderMessage(channel, message, { ...options, first });
    items.push({ key: message.ts, version: JSON.stringify([message, first, status]), render });
    if (options.after?.(message)) items.push(options.after(message));
    before = message;
  }
  reconcile(list, items);
}

function startsGroup(before, message) {
  if (!before || before.user !== message.user || before.is_ephemeral || message.is_ephemeral) return true;
  return Number(message.ts) - Number(before.ts) > GROUP_S || Boolean(before.reply_count) || Boolean(before.subtype);
}
