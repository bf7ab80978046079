// What this person sees, kept current by the server's changes.

export const state = {
  me: null, team: {}, app: {}, people: new Map(), channels: new Map(), commands: [], shortcuts: [], starters: [],
  views: [], home: null, statuses: new Map(), connected: false, online: false,
};

const watchers = new Set();

export function watch(callback) {
  watchers.add(callback);
}

export function changed(change = { kind: "local" }) {
  for (const callback of watchers) callback(change);
}

const statusKey = (channel, thread) => `${channel}/${thread}`;

export function statusOf(channel, thread) {
  return state.statuses.get(statusKey(channel, thread));
}

function load(data) {
  Object.assign(state, data);
  state.people = new Map(data.people.map((person) => [person.id, person]));
  state.people.set("USLACKBOT", { id: "USLACKBOT", name: "slackbot", real_name: "Slackbot", kind: "slackbot" });
  state.channels = new Map(data.channels.map((channel) => [channel.id, channel]));
  for (const channel of state.channels.values()) {
    channel.messages = new Map(channel.messages.map((message) => [message.ts, message]));
  }
  state.statuses = new Map(data.statuses.map(([channel, thread, text]) => [statusKey(channel, thread), text]));
}

const put = (channel, { message }) => channel.messages.set(message.ts, message);

// Each kind of change: what it does to this person's state.
const APPLY = {
  message_posted: put,
  message_changed: put,
  thread_counted: put,
  reaction_added: put,
  reaction_removed: put,
  ephemeral_posted: put,
  ephemeral_changed: put,
  ephemeral_deleted: (channel, { message }) => channel.messages.delete(message.ts),
  message_deleted(channel, { ts, tombstone }) {
    if (tombstone) channel.messages.set(ts, tombstone);
    else channel.messages.delete(ts);
  },
  prompts(channel, prompts) { channel.prompts = prompts; },
  status(channel, { thread_ts, status }) {
    if (status) state.statuses.set(statusKey(channel.id, thread_ts), status);
    else state.statuses.delete(statusKey(channel.id, thread_ts));
  },
  member_joined(channel, { members }) { channel.members = members; },
  member_left(channel, { members }) { channel.members = members; },
};

export function apply(change) {
  if (change.kind === "state") load(change.data);
  else if (change.kind === "views") state.views = change.data.views;
  else if (change.kind === "home") state.home = change.data.view;
  else if (change.kind === "connected") state.connected = change.data.connected;
  else if (state.channels.has(change.channel)) APPLY[change.kind]?.(state.channels.get(change.channel), change.data);
  changed(change);
}

export const person = (id) =>
  state.people.get(id) ?? { id, name: id, real_name: id, kind: "member" };

export const sorted = (channel) => [...channel.messages.values()].sort((a, b) => (a.ts < b.ts ? -1 : 1));

export const isReply = (message) =>
  Boolean(message.thread_ts) && message.thread_ts !== message.ts && message.subtype !== "thread_broadcast";

export const thread = (channel, ts) => sorted(channel).filter((one) => one.ts === ts || one.thread_ts === ts);

export function channelTitle(channel) {
  if (channel.kind !== "im") return channel.name;
  return person(channel.members.find((id) => id !== state.me)).real_name;
}
