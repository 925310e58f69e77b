// Drag d on the digits: the curve, what the network says of twenty digits, its first weights, and the size of its file.
"use strict";
explorable("digits", (box, numbers) => {
  let at = numbers.by_d.findIndex((x) => x.d >= 100);
  const curve = element("svg", { viewBox: "0 0 400 230", role: "img" });
  const said = element("output", { "aria-live": "polite" });
  const shown = element("div", { class: "shown" }), weights = element("canvas", { width: 8 * 9 * 3, height: 4 * 9 * 3, role: "img" });

  const first = Math.log(numbers.by_d[0].d), last = Math.log(numbers.by_d[numbers.by_d.length - 1].d);
  const across = (d) => 36 + 350 * (Math.log(d) - first) / (last - first), up = (p) => 200 - 175 * p;

  const fit = numbers.curve; // the estimator's own, trusted where it is near
  const line = (from, to) => fit.d.slice(from, to).map((d, i) => `${across(d)},${up(fit.p[from + i])}`).join(" ");

  function tile(image, says, label) {
    const canvas = element("canvas", { width: 8, height: 8, "aria-hidden": "true" }), to = canvas.getContext("2d");
    image.forEach((v, i) => { const g = 255 - 17 * v; to.fillStyle = `rgb(${g},${g},${g})`; to.fillRect(i % 8, Math.floor(i / 8), 1, 1); });
    return element("figure", { class: says === label ? "right" : "wrong" }, canvas,
      element("figcaption", {}, says === label ? String(says) : `${says} ✗`));
  }

  function paint(units) { // 32 units of 8×8, blue below zero and orange above
    const to = weights.getContext("2d");
    to.clearRect(0, 0, weights.width, weights.height);
    units.forEach((unit, u) => unit.forEach((w, i) => {
      const a = Math.abs(w) / 127;
      to.fillStyle = w < 0 ? `rgb(${255 - 255 * a},${255 - 141 * a},${255 - 77 * a})` : `rgb(${255 - 42 * a},${255 - 161 * a},${255 - 255 * a})`;
      to.fillRect(((u % 8) * 9 + i % 8) * 3, (Math.floor(u / 8) * 9 + Math.floor(i / 8)) * 3, 3, 3);
    }));
  }

  function show() {
    const now = numbers.by_d[at], parts = [];
    if (Number.isFinite(numbers.low) && Number.isFinite(numbers.high))
      parts.push(element("rect", { class: "interval", x: across(numbers.low), width: across(numbers.high) - across(numbers.low), y: 14, height: 186 }));
    parts.push(element("line", { class: "target", x1: 36, x2: 386, y1: up(numbers.threshold), y2: up(numbers.threshold) }),
      element("polyline", { class: "law beyond", points: line(0, fit.d.length) }),
      element("polyline", { class: "law", points: line(fit.near.indexOf(true), fit.near.lastIndexOf(true) + 1) }));
    for (const x of numbers.by_d) for (const p of x.runs) parts.push(element("circle", { class: "run", cx: across(x.d), cy: up(p), r: 2.5 }));
    for (const d of [5, 10, 20, 50, 100, 200, 400]) parts.push(element("text", { class: "middle", x: across(d), y: 218 }, String(d)));
    for (const p of [0, 0.5, 1]) parts.push(element("text", { x: 8, y: up(p) + 4 }, p.toFixed(1)));
    parts.push(element("line", { class: "axis", x1: 36, x2: 386, y1: 200, y2: 200 }),
      element("line", { class: "present", x1: across(now.d), x2: across(now.d), y1: 14, y2: 204 }),
      element("circle", { class: "here", cx: across(now.d), cy: up(now.accuracy), r: 5 }));
    curve.replaceChildren(...parts);
    curve.setAttribute("aria-label", `test accuracy against d; at d = ${now.d} it is ${now.accuracy}. ${numbers.summary}`);
    shown.replaceChildren(...numbers.images.map((image, i) => tile(image, now.says[i], numbers.labels[i])));
    paint(now.weights);
    weights.setAttribute("aria-label", `weights of the 32 units of the first layer at d = ${now.d}`);
    const right = now.says.filter((c, i) => c === numbers.labels[i]).length;
    said.textContent = `d = ${now.d} of D = ${numbers.D.toLocaleString("en")}: ${(100 * now.accuracy).toFixed(1)} % of the test digits are right, ` +
      `${right} of these 20. The network is a file of ${now.bytes.toLocaleString("en")} bytes instead of ${(4 * numbers.D).toLocaleString("en")}.`;
    drag.input.setAttribute("aria-valuetext", `d = ${now.d}`);
    Object.assign(box.dataset, { d: now.d, accuracy: now.accuracy, bytes: now.bytes, right });
  }
  const drag = slider("d", 0, numbers.by_d.length - 1, at, (v) => { at = v; show(); });
  box.append(element("div", { class: "controls" }, drag.label), said,
    element("div", { class: "pair" }, element("div", {}, curve, element("p", { class: "legend" }, numbers.summary)),
      element("div", {}, shown, element("p", { class: "legend" }, "What the network says. Below: what each of its 32 units looks for."), weights)));
  show();
});
