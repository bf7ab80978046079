// The App Home tab.

import { avatar } from "./avatars.js";
import { renderBlocks } from "./blocks.js";
import { h } from "./dom.js";
import { initialValue } from "./elements.js";
import { act } from "./net.js";
import { state } from "./state.js";

/** Draw this person's home, where the app published one. */
export function drawHome(node) {
  const version = JSON.stringify(state.home);
  if (node.dataset.version === version) return;
  node.dataset.version = version;
  node.replaceChildren(h("div", { class: "home-page" }, state.home ? renderBlocks(state.home.blocks, holder(state.home)) : empty()));
}

function holder(view) {
  const held = {};
  const key = (block, element) => `${block.block_id}/${element.action_id}`;
  return {
    value: (block, element) => held[key(block, element)] ?? initialValue(element),
    use(block, element, value, { typing = false } = {}) {
      held[key(block, element)] = value;
      if (typing || block.type === "input") return null;
      return act("click_view", { view_id: view.id, action_id: element.action_id, block_id: block.block_id, value });
    },
  };
}

const empty = () => [
  h("div", { class: "welcome-face" }, avatar(state.app.user_id, 56)),
  h("h3", {}, `${state.app.name} has nothing to show here yet`),
  h("p", {}, "What the app publishes with views.publish appears here."),
];
