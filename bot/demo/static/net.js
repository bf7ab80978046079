// The server: live changes over a WebSocket, and the verbs.

import { apply, changed, state } from "./state.js";
import { toast } from "./overlay.js";

let socket = null;

export function connect(user) {
  socket?.close();
  const mine = new WebSocket(`ws://${location.host}/ui/live?user=${encodeURIComponent(user)}`);
  socket = mine;
  mine.onopen = () => { state.online = true; };
  mine.onmessage = (event) => mine === socket && apply(JSON.parse(event.data));
  mine.onclose = () => {
    if (mine !== socket) return;
    state.online = false;
    changed();
    setTimeout(() => mine === socket && connect(user), 1000);
  };
}

/** Run a verb as this person; its result, or null where it was refused (and said so). */
export async function act(verb, args = {}) {
  try {
    const response = await fetch(`/ui/${verb}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: state.me, ...args }),
    });
    const answer = await response.json();
    if (answer.ok) return answer.result ?? {};
    toast(answer.detail ?? EXPLAIN[answer.error] ?? `Slack refused this: ${answer.error}`);
  } catch {
    toast("The workspace does not answer. Is it still running?");
  }
  return null;
}

const EXPLAIN = {
  cant_update_message: "Only its author can change a message.",
  not_in_channel: "You are not a member of this channel.",
  message_not_found: "This message is gone.",
};
