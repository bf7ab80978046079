// The rail with the acting person, and the list of conversations.

import { avatar } from "./avatars.js";
import { h, icon } from "./dom.js";
import { menu } from "./overlay.js";
import { channelTitle, person, state } from "./state.js";
import { unread } from "./unread.js";

const KIND = { admin: "Workspace admin", guest: "Guest", member: "" };

export function drawRail(node, current, { actAs, go }) {
  const entry = (name, label, on, run) =>
    h("button", { class: on ? "rail-entry on" : "rail-entry", onclick: run }, h("span", {}, icon(name)), label);
  const direct = [...state.channels.values()].find((one) => one.kind === "im");
  const team = state.team.name ?? "";
  node.replaceChildren(
    h("div", { class: "team", "aria-label": team }, team.slice(0, 1)),
    entry("home", "Home", current.kind !== "im", () => go([...state.channels.values()][0].id)),
    entry("chat", "DMs", current.kind === "im", () => go(direct.id)),
    h("span", { class: "grow" }),
    h("button", { class: "me", "aria-haspopup": "menu", "aria-label": `Acting as ${person(state.me).real_name}`, title: "Act as somebody else", onclick: (event) => choosePerson(event.currentTarget, actAs) },
      avatar(state.me, 36)));
}

export function choosePerson(anchor, actAs) {
  const humans = [...state.people.values()].filter((one) => !["bot", "slackbot"].includes(one.kind));
  const items = humans.map((one) => ({
    label: one.real_name, hint: KIND[one.kind] || one.title, picture: avatar(one.id, 28), run: () => actAs(one.id),
  }));
  menu(anchor, items, h("p", { class: "menu-title" }, "Act as"));
}

export function drawSidebar(node, current, { go, actAs }) {
  const channels = [...state.channels.values()];
  const rooms = channels.filter((one) => one.kind !== "im");
  const direct = channels.filter((one) => one.kind === "im");
  node.replaceChildren(
    h("header", {},
      h("h1", {}, state.team.name ?? ""),
      h("button", { class: "acting", "aria-haspopup": "menu", onclick: (event) => choosePerson(event.currentTarget, actAs) },
        h("span", { class: "presence on" }), "Acting as ", h("strong", {}, person(state.me).name), icon("chevron"))),
    section("Channels", rooms.map((one) => entry(one, current, go, icon(one.kind === "group" ? "lock" : "hash")))),
    section("Direct messages", direct.map((one) => entry(one, current, go, withPresence(one)))),
    section("Apps", direct.map((one) => app(one, current, go))));
}

const section = (title, entries) => h("section", {}, h("h2", {}, icon("chevron"), title), h("ul", {}, entries));

function withPresence(channel) {
  const other = channel.members.find((id) => id !== state.me);
  return h("span", { class: "face" }, avatar(other, 20), h("span", { class: state.connected ? "presence on" : "presence" }));
}

function entry(channel, current, go, picture) {
  const { count, mentions } = unread(channel);
  const on = channel.id === current.id && current.tab !== "home";
  const classes = [on ? "on" : "", count ? "unread" : ""].join(" ");
  return h("li", {}, h("button", { class: classes, "aria-current": on ? "page" : null, onclick: () => go(channel.id) },
    picture, h("span", { class: "name" }, channelTitle(channel)), mentions > 0 && h("span", { class: "badge" }, String(mentions))));
}

function app(channel, current, go) {
  const on = channel.id === current.id && current.tab === "home";
  return h("li", {}, h("button", { class: on ? "on" : "", onclick: () => go(channel.id, "home") },
    withPresence(channel), h("span", { class: "name" }, state.app.name)));
}
