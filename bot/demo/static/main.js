// The page: who acts, where they are, and what is drawn when something changes.

import { channelPane } from "./channel.js";
import { drawModal } from "./modal.js";
import { connect } from "./net.js";
import { drawRail, drawSidebar } from "./sidebar.js";
import { changed, state, watch } from "./state.js";
import { threadPane } from "./threadpane.js";
import { unread } from "./unread.js";

const byId = (id) => document.getElementById(id);
const panes = { channel: null, thread: null };
let place = { id: null, tab: null, thread: null };

// -- where ------------------------------------------------------------------------------------------------------

/** `#CHANNEL`, `#CHANNEL/home`, `#CHANNEL/THREAD`; or a permalink, `/archives/CHANNEL/pTS?thread_ts=…`. */
function read() {
  const permalink = /^\/archives\/([^/]+)\/p(\d+)(\d{6})$/.exec(location.pathname);
  if (permalink) {
    const [, id, seconds, rest] = permalink;
    const thread = new URLSearchParams(location.search).get("thread_ts");
    history.replaceState(null, "", `/#${id}${thread ? `/${thread}` : ""}`);
    return { id, tab: null, thread, show: `${seconds}.${rest}` };
  }
  const [id, rest] = location.hash.slice(1).split("/");
  return { id: id || null, tab: rest === "home" ? "home" : null, thread: rest && rest !== "home" ? rest : null };
}

function go(id, tab = "") {
  location.hash = tab ? `${id}/${tab}` : id;
}

const openThread = (ts) => { location.hash = `${place.id}/${ts}`; };
const closeThread = () => go(place.id);

// -- who --------------------------------------------------------------------------------------------------------

function actAs(user) {
  sessionStorage.setItem("user", user);
  panes.channel = panes.thread = null;
  connect(user);
}

// -- drawing ----------------------------------------------------------------------------------------------------

function visit() {
  const wanted = read();
  const known = state.channels.has(wanted.id) ? wanted.id : [...state.channels.keys()][0];
  const moved = known !== place.id || wanted.tab !== place.tab;
  place = { ...wanted, id: known };
  if (moved) panes.channel = null;
  draw();
  if (moved) panes.channel.focus();
  if (wanted.show) highlight(wanted.show);
}

function draw() {
  if (!state.me || !state.channels.size) return;
  const channel = state.channels.get(place.id);
  if (!channel) return visit();
  if (panes.channel?.of !== channel) {
    panes.channel = { ...channelPane(channel, { tab: place.tab, openThread, go }), of: channel };
    byId("channel").replaceChildren(panes.channel.node);
  }
  panes.channel.draw();
  drawThread(channel);
  drawRail(byId("rail"), { id: channel.id, kind: channel.kind }, { actAs, go });
  drawSidebar(byId("sidebar"), place, { go, actAs });
  drawModal();
  title(channel);
  byId("offline").hidden = state.online;
}

function drawThread(channel) {
  const aside = byId("thread");
  if (place.thread && (panes.thread?.ts !== place.thread || panes.thread.channel !== channel)) {
    panes.thread = threadPane(channel, place.thread, { close: closeThread });
    aside.replaceChildren(panes.thread.node);
    aside.hidden = false;
    if (panes.thread.draw()) panes.thread.focus();
  }
  if (!place.thread || !panes.thread?.draw()) {
    panes.thread = null;
    aside.hidden = true;
  }
}

function title(channel) {
  const waiting = [...state.channels.values()].some((one) => one !== channel && unread(one).mentions);
  const name = channel.kind === "im" ? state.app.name : `#${channel.name}`;
  document.title = `${waiting ? "• " : ""}${name} · ${state.team.name}`;
}

function highlight(ts) {
  const node = byId(`t${ts}`) ?? byId(`m${ts}`);
  node?.scrollIntoView({ block: "center" });
  node?.classList.add("linked");
}

let waiting = false;

watch((change) => {
  if (change.kind === "state") {
    panes.channel = panes.thread = null;
    return visit();
  }
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; draw(); });
});

addEventListener("hashchange", visit);
addEventListener("focus", () => changed());
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && place.thread && !document.querySelector("dialog[open]")) closeThread();
});

// -- start ------------------------------------------------------------------------------------------------------

const asked = new URLSearchParams(location.search).get("as");
const first = async () => {
  const { people } = await (await fetch("/ui/state")).json();
  const named = people.find((one) => one.name === asked || one.id === asked);
  connect(named?.id ?? sessionStorage.getItem("user") ?? people[0].id);
};
first();
