// Faces: initials on a colour of one's own, the app's own mark for the bot.

import { h } from "./dom.js";
import { person } from "./state.js";

const COLOURS = ["#8b5cf6", "#d9632f", "#2f7fd9", "#3f9a52", "#c2417c", "#b08a16"];

export function avatar(id, size = 36, label = false) {
  const who = person(id);
  const alt = label ? who.real_name : "";
  if (who.kind === "bot") return h("img", { class: "avatar", src: "/static/icon.svg", width: size, height: size, alt });
  const initials = who.real_name.split(" ").map((word) => word[0]).join("").slice(0, 2);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 36 36"><rect width="36" height="36" fill="${colour(who)}"/><text x="18" y="23.500" text-anchor="middle" font-family="Lato,Arial,sans-serif" font-weight="700" font-size="15" fill="#fff">${letters(initials)}</text></svg>`;
  return h("img", { class: "avatar", src: `data:image/svg+xml,${encodeURIComponent(svg)}`, width: size, height: size, alt });
}

const letters = (text) => text.replace(/[^\p{L}\p{N}]/gu, "");

function colour(who) {
  if (who.id === "USLACKBOT") return "#5b6472";
  const sum = [...who.id].reduce((total, letter) => total * 31 + letter.charCodeAt(0), 7);
  return COLOURS[Math.abs(sum) % COLOURS.length];
}
