// Interactive Block Kit elements. A holder knows each element's value and what using it does:
// `holder.value(block, element)`, and `holder.use(block, element, value)`.

import { base64, h, icon } from "./dom.js";
import { textObject } from "./mrkdwn.js";
import { confirm, menu } from "./overlay.js";
import { state } from "./state.js";

const label = (text) => (text ? text.text : "");

/** The name of an element for a screen reader; inside an input block its label stands beside it. */
const named = (block, element, otherwise) => (block.type === "input" ? null : label(element.placeholder) || otherwise);

/** Return what an element holds before anybody touched it, as a plain value. */
export function initialValue(element) {
  const found = Object.entries(element).find(([key]) => key.startsWith("initial_"))?.[1];
  if (Array.isArray(found)) return found.map((one) => one.value ?? one);
  const several = ["checkboxes", "file_input"].includes(element.type) || element.type.startsWith("multi_");
  return found?.value ?? found ?? (several ? [] : "");
}

/** Use an element, after the question that its `confirm` asks. */
async function use(holder, block, element, value) {
  const ask = element.confirm;
  const sure = !ask || (await confirm({
    title: label(ask.title), text: textObject(ask.text), yes: label(ask.confirm) || "Yes",
    no: label(ask.deny) || "Cancel", danger: ask.style === "danger",
  }));
  if (sure) await holder.use(block, element, value);
  return sure;
}

function button(block, element, holder) {
  const run = (event) => busy(event.currentTarget, () => use(holder, block, element));
  const attributes = { class: `button ${element.style ?? ""}`, "aria-label": element.accessibility_label };
  if (element.url) {
    return h("a", { ...attributes, href: /^https?:/.test(element.url) ? element.url : null, target: "_blank", rel: "noopener noreferrer", onclick: run }, textObject(element.text));
  }
  return h("button", { ...attributes, type: "button", onclick: run }, textObject(element.text));
}

async function busy(node, work) {
  node.setAttribute("aria-busy", "true");
  await work();
  node.removeAttribute("aria-busy");
}

function feedback(block, element, holder) {
  const one = (name, picture) => {
    const part = element[name];
    const title = part.accessibility_label ?? label(part.text);
    const press = (event) => {
      for (const other of event.currentTarget.parentNode.children) other.setAttribute("aria-pressed", "false");
      event.currentTarget.setAttribute("aria-pressed", "true");
      use(holder, block, element, part.value);
    };
    return h("button", { type: "button", class: "icon-button", title, "aria-label": title, "aria-pressed": "false", onclick: press }, icon(picture));
  };
  return h("span", { class: "feedback", role: "group" }, one("positive_button", "up"), one("negative_button", "down"));
}

function iconButton(block, element, holder) {
  const title = element.accessibility_label ?? label(element.text);
  const press = () => use(holder, block, element);
  return h("button", { type: "button", class: "icon-button", title, "aria-label": title, onclick: press }, icon("trash"));
}

function overflow(block, element, holder) {
  const choose = (option) => () => {
    if (option.url) window.open(option.url, "_blank", "noopener");
    use(holder, block, element, option.value);
  };
  const items = element.options.map((option) => ({ label: label(option.text), hint: label(option.description), run: choose(option) }));
  const open = (event) => menu(event.currentTarget, items);
  return h("button", { type: "button", class: "button overflow", "aria-label": "More actions", "aria-haspopup": "menu", onclick: open }, icon("more"));
}

// What a select offers, by the type's last words.
const people = () => [...state.people.values()].filter((one) => one.kind !== "slackbot").map((one) => [one.id, one.real_name]);
const channels = () => [...state.channels.values()].filter((one) => one.kind !== "im").map((one) => [one.id, `# ${one.name}`]);
const flat = (options = []) => options.map((option) => [option.value, label(option.text)]);

function offered(element) {
  if (element.type.includes("users")) return people();
  if (element.type.includes("channels") || element.type.includes("conversations")) return channels();
  return element.option_groups ? element.option_groups.flatMap((group) => flat(group.options)) : flat(element.options);
}

function optionNodes(element, chosen) {
  const node = ([value, text]) => h("option", { value, selected: value === chosen }, text);
  if (!element.option_groups) return offered(element).map(node);
  return element.option_groups.map((group) => h("optgroup", { label: label(group.label) }, flat(group.options).map(node)));
}

function select(block, element, holder) {
  const chosen = holder.value(block, element);
  const pick = (event) => use(holder, block, element, event.target.value);
  return h("select", { class: "select", "aria-label": named(block, element, "Choose"), onchange: pick },
    h("option", { value: "", disabled: !holder.optional?.(block), selected: !chosen }, label(element.placeholder) || "Select an option"),
    optionNodes(element, chosen));
}

function multiSelect(block, element, holder) {
  const all = new Map(offered(element));
  const box = h("div", { class: "multi" });
  const draw = (values) => {
    const drop = (value) => set(values.filter((one) => one !== value));
    const chip = (value) => h("span", { class: "chip" }, all.get(value) ?? value,
      h("button", { type: "button", "aria-label": `Remove ${all.get(value)}`, onclick: () => drop(value) }, icon("close")));
    const rest = [...all].filter(([value]) => !values.includes(value));
    const full = element.max_selected_items && values.length >= element.max_selected_items;
    box.replaceChildren(...values.map(chip), h("select", { "aria-label": label(element.placeholder) || "Add", disabled: full, onchange: (event) => set([...values, event.target.value]) },
      h("option", { value: "" }, values.length ? "Add…" : label(element.placeholder) || "Select options"),
      rest.map(([value, text]) => h("option", { value }, text))));
  };
  const set = (values) => { draw(values); use(holder, block, element, values); };
  draw(holder.value(block, element) || []);
  return box;
}

let groups = 0;

function choices(block, element, holder, kind) {
  const name = `choice-${(groups += 1)}`;
  const held = [].concat(holder.value(block, element) || []);
  const pick = (event) => {
    const on = [...event.currentTarget.querySelectorAll("input:checked")].map((input) => input.value);
    use(holder, block, element, kind === "checkbox" ? on : on[0]);
  };
  return h("fieldset", { class: "choices", onchange: pick }, element.options.map((option) =>
    h("label", {}, h("input", { type: kind, name, value: option.value, checked: held.includes(option.value) }),
      h("span", {}, textObject(option.text), option.description && h("small", {}, textObject(option.description))))));
}

const typedInput = (type, extra = () => ({})) => (block, element, holder) =>
  h("input", {
    type, class: "input", value: holder.value(block, element), placeholder: label(element.placeholder),
    "aria-label": named(block, element, null), autofocus: element.focus_on_load, ...extra(element),
    oninput: (event) => holder.use(block, element, event.target.value, { typing: true }),
  });

function textInput(block, element, holder) {
  const attributes = {
    class: "input", placeholder: label(element.placeholder), maxlength: element.max_length,
    autofocus: element.focus_on_load, value: holder.value(block, element),
    oninput: (event) => holder.use(block, element, event.target.value, { typing: true }),
  };
  return element.multiline ? h("textarea", { ...attributes, rows: 5 }) : h("input", { ...attributes, type: "text" });
}

function picker(type) {
  return (block, element, holder) =>
    h("input", { type, class: "input picker", value: holder.value(block, element), "aria-label": named(block, element, type),
      onchange: (event) => use(holder, block, element, event.target.value) });
}

function fileInput(block, element, holder) {
  const kept = h("small", {}, (holder.value(block, element) || []).map((file) => file.name).join(", "));
  const take = async (event) => {
    const chosen = [...event.target.files];
    kept.textContent = "";
    await use(holder, block, element, await Promise.all(chosen.map(async (file) => ({ name: file.name, content: await base64(file) }))));
  };
  const accept = element.filetypes?.map((one) => `.${one}`).join(",");
  return h("span", {}, h("input", { type: "file", class: "input", accept, multiple: element.max_files !== 1, onchange: take }), kept);
}

const RENDER = {
  button, overflow, feedback_buttons: feedback, icon_button: iconButton, workflow_button: button,
  checkboxes: (...given) => choices(...given, "checkbox"),
  radio_buttons: (...given) => choices(...given, "radio"),
  plain_text_input: textInput, rich_text_input: textInput,
  number_input: typedInput("number", (one) => ({ min: one.min_value, max: one.max_value, step: one.is_decimal_allowed ? "any" : 1 })),
  email_text_input: typedInput("email"), url_text_input: typedInput("url"),
  datepicker: picker("date"), timepicker: picker("time"), datetimepicker: picker("datetime-local"),
  file_input: fileInput,
  image: (_block, { image_url, alt_text }) => h("img", { class: "accessory", src: image_url, alt: alt_text, title: alt_text }),
};

/** Return the node of an element. */
export function renderElement(block, element, holder) {
  const render = RENDER[element.type] ?? (element.type.startsWith("multi_") ? multiSelect : select);
  return render(block, element, holder);
}
