// Small helpers to build and reconcile DOM.

/** Return an element: h("button", {class: "x", onclick: f}, "text", child, …). False and null are left out. */
export function h(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) set(node, key, value);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function set(node, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
  else if (key === "dataset") Object.assign(node.dataset, value);
  else if (key === "value") node.value = value;
  else node.setAttribute(key, value === true ? "" : value);
}

/** Return an SVG icon by the `d` of its strokes. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

const ICONS = {
  hash: "M8 3 6 17M14 3l-2 14M3.500 7.500h14M2.500 12.500h14",
  lock: "M5 9h10v8H5zM7 9V6a3 3 0 0 1 6 0v3",
  close: "m5 5 10 10M15 5 5 15",
  send: "M3 10h6M3 3.500l14.500 6.500L3 16.500l2-6.500z",
  plus: "M10 4v12M4 10h12",
  at: "M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0Zm0 0v1.200a2 2 0 0 0 4 0V10a7 7 0 1 0-3 5.700",
  slash: "M3.500 3.500h13v13h-13zM12 6.500l-4 7",
  reply: "M3 5.500C3 4.700 3.700 4 4.500 4h11c.8 0 1.500.7 1.500 1.500v7c0 .8-.7 1.500-1.500 1.500H9l-4 3v-3h-.5A1.500 1.500 0 0 1 3 12.500zM6.500 7.500h7M6.500 10.500h4",
  more: "M10 4.600v.1M10 10v.1M10 15.400v.1",
  smile: "M17 10a7 7 0 1 1-14 0 7 7 0 0 1 14 0ZM7 12c.7 1.200 1.800 1.800 3 1.800s2.300-.6 3-1.800M7.500 8v.1M12.500 8v.1",
  eye: "M2.500 10S5 5 10 5s7.500 5 7.500 5-2.500 5-7.500 5-7.500-5-7.500-5ZM12 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0Z",
  chevron: "m5.500 8 4.500 4.500L14.500 8",
  home: "M3.500 9.500 10 4l6.500 5.500V16h-4v-4h-5v4h-4z",
  chat: "M3 5.500C3 4.700 3.700 4 4.500 4h11c.8 0 1.500.7 1.500 1.500v7c0 .8-.7 1.500-1.500 1.500H9l-4 3v-3h-.5A1.500 1.500 0 0 1 3 12.500z",
  up: "M7 9V16.500H4.500V9zM7 9l3-6c1.300 0 2 .8 2 2l-.5 3H15c1 0 1.700.9 1.500 1.900l-1 5c-.2.9-.9 1.600-1.800 1.600H7",
  down: "M7 11V3.500H4.500V11zM7 11l3 6c1.300 0 2-.8 2-2l-.5-3H15c1 0 1.700-.9 1.500-1.900l-1-5c-.2-.9-.9-1.600-1.800-1.600H7",
  file: "M5 2.500h6.500l3.500 3.500v11.500H5zM11.500 2.500V6H15",
  people: "M10.500 7a2.700 2.700 0 1 1-5.400 0 2.700 2.700 0 0 1 5.400 0ZM2.500 16c.3-3 2.300-4.700 5.300-4.700s5 1.700 5.300 4.700zM13 5a2.400 2.400 0 0 1 0 4.700M14.500 12c1.900.5 3 1.900 3.200 4",
  bolt: "M11 2.500 4.500 11.500H9.500L8.500 17.500 15.500 8.500H10.500z",
  trash: "M4 6h12M8 6V4h4v2M5.500 6l1 10.500h7l1-10.500",
};

/** Make `container` hold one node for each item, keeping those whose key and version stayed the same. */
export function reconcile(container, items) {
  const known = new Map([...container.children].map((node) => [node.dataset.key, node]));
  let place = container.firstChild;
  for (const { key, version, render } of items) {
    let node = known.get(key);
    known.delete(key);
    if (!node || node.dataset.version !== version) {
      const fresh = render();
      fresh.dataset.key = key;
      fresh.dataset.version = version;
      if (node) {
        if (node === place) place = node.nextSibling;
        node.remove();
      }
      node = fresh;
    }
    if (node === place) place = place.nextSibling;
    else container.insertBefore(node, place);
  }
  for (const node of known.values()) node.remove();
}

/** Return the content of a file that a person chose, in base64. */
export const base64 = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(String(reader.result).split(",", 2)[1] ?? "");
  reader.onerror = reject;
  reader.readAsDataURL(file);
});

/** Keep what a person is looking at: at the bottom stay at the bottom. */
export function stickToBottom(scroller, change) {
  const near = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
  change();
  if (near) scroller.scrollTop = scroller.scrollHeight;
}
