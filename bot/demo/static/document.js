// Marks the characters that the address names: #START-END, counted in code points.

const node = document.getElementById("text");
const text = node.textContent;

/** Yield [line with its line end, what it is] for each line: heading, code (fenced, indented, a table) or text. */
function* lines() {
  let fenced = false;
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const fence = /^\s*(```|~~~)/.test(line);
    if (fence || fenced || /^( {4}|\t|\s*\|)/.test(line)) yield [line, "code"];
    else yield [line, /^#{1,6} /.test(line) ? "heading" : "prose"];
    if (fence) fenced = !fenced;
  }
}

/** Return the line's characters, those from `start` to `end` in a mark. */
function marked(letters, start, end) {
  const part = (from, to) => letters.slice(Math.max(0, from), Math.max(0, to)).join("");
  const inside = part(start, end);
  if (!inside) return [letters.join("")];
  const mark = document.createElement("mark");
  mark.textContent = inside;
  return [part(0, start), mark, part(end, letters.length)];
}

function show() {
  const range = /^#(\d+)-(\d+)$/.exec(location.hash);
  const [start, end] = range ? [Number(range[1]), Number(range[2])] : [0, 0];
  const rows = [];
  let at = 0;
  for (const [line, kind] of lines()) {
    const letters = [...line];
    const row = document.createElement("span");
    row.className = kind;
    row.append(...marked(letters, start - at, end - at));
    rows.push(row);
    at += letters.length;
  }
  node.replaceChildren(...rows);
  document.getElementById("range").textContent = range ? `Characters ${start}–${end}` : "";
  node.querySelector("mark")?.scrollIntoView({ block: "center" });
}

addEventListener("hashchange", show);
show();
