// Marks the characters that the address names: #START-END, counted in code points.

const node = document.getElementById("text");
const letters = [...node.textContent];

/** Return text with its heading lines in bold. */
function lines(text) {
  return text.split(/(^#{1,6} .*$)/m).map((part, index) => {
    if (index % 2 === 0) return part;
    const heading = document.createElement("span");
    heading.className = "heading";
    heading.textContent = part;
    return heading;
  });
}

function show() {
  const range = /^#(\d+)-(\d+)$/.exec(location.hash);
  const [start, end] = range ? [Number(range[1]), Number(range[2])] : [0, 0];
  const mark = document.createElement("mark");
  mark.textContent = letters.slice(start, end).join("");
  node.replaceChildren(...lines(letters.slice(0, start).join("")), mark, ...lines(letters.slice(end).join("")));
  document.getElementById("range").textContent = range ? `Characters ${start}–${end}` : "";
  mark.scrollIntoView({ block: "center" });
}

addEventListener("hashchange", show);
show();
