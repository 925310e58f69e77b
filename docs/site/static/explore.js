// What the explorables share. A box holds a still picture and its numbers; a script puts a moving one in its place.
"use strict";
const NS = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const made = ["svg", "g", "path", "line", "circle", "rect", "text", "polygon", "polyline"].includes(tag)
    ? document.createElementNS(NS, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function slider(words, low, high, value, changed) {
  const input = element("input", { type: "range", min: low, max: high, step: 1, value });
  const label = element("label", {}, element("span", {}, words), input);
  input.addEventListener("input", () => changed(Number(input.value)));
  return { label, input };
}

function button(words, pressed) {
  const made = element("button", { type: "button" }, words);
  made.addEventListener("click", pressed);
  return made;
}

function choice(words, options, changed) {
  const select = element("select", {}, ...options.map(([value, name]) => element("option", { value }, name)));
  select.addEventListener("change", () => changed(Number(select.value)));
  return { label: element("label", {}, element("span", {}, words), select), select };
}

// start(box, numbers) fills the box
function explorable(name, start) {
  document.addEventListener("DOMContentLoaded", () => {
    for (const box of document.querySelectorAll(`.explore-${name}`)) {
      const numbers = JSON.parse(box.querySelector(".numbers").textContent);
      box.querySelectorAll(".still, a.image-reference").forEach((still) => still.remove());
      start(box, numbers);
      box.dataset.ready = "yes";
    }
  });
}

const decimals = (x, n) => (Math.abs(x) < 1e-12 ? "0" : Math.abs(x) < 0.5 * 10 ** -n ? x.toExponential(0) : x.toFixed(n));
