// Drag d: the ten sums of the toy problem at the best point of a random subspace, and the law of what is left.
"use strict";
explorable("toy", (box, numbers) => {
  let d = 5, draw = 0;
  const sums = element("svg", { viewBox: "0 0 400 230", role: "img" });
  const law = element("svg", { viewBox: "0 0 400 230", role: "img" });
  const said = element("output", { "aria-live": "polite" });

  function show() {
    const now = numbers.by_d[d - 1], values = now.sums[draw], share = now.shares[draw];
    const up = (v) => 182 - 15 * Math.max(v, -1.8);
    const bars = values.map((v, k) => element("rect", { class: "bar", x: 28 + 37 * k, width: 24, y: Math.min(up(v), up(0)), height: Math.abs(up(v) - up(0)) + 0.5 }));
    const targets = values.map((_, k) => element("line", { class: "target", x1: 24 + 37 * k, x2: 56 + 37 * k, y1: up(k + 1), y2: up(k + 1) }));
    const names = values.map((_, k) => element("text", { class: "middle", x: 40 + 37 * k, y: 222 }, String(k + 1)));
    sums.replaceChildren(element("text", { x: 8, y: 14 }, "sum of each group, and its target"), ...bars, ...targets, ...names,
      element("line", { class: "axis", x1: 20, x2: 396, y1: up(0), y2: up(0) }));
    sums.setAttribute("aria-label", `ten sums: ${values.map((v) => v.toFixed(2)).join(", ")}; targets 1 to 10`);

    const top = Math.max(2, ...now.law.slice(3, -3)), across = (x) => 20 + 370 * x, high = (y) => 200 - 165 * Math.min(1.05, y / top);
    const counts = new Array(20).fill(0);
    now.shares.forEach((x) => { counts[Math.min(19, Math.floor(20 * x))] += 1; });
    const drawn = counts.map((n, i) => element("rect", { class: "drawn", x: across(i / 20) + 1, width: 16.5,
      y: high(n / 5), height: 200 - high(n / 5) })); // a hundred draws in bins of 1/20: density n / 5
    const curve = numbers.grid.map((x, i) => `${across(x).toFixed(1)},${high(now.law[i]).toFixed(1)}`).join(" ");
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((x) => element("text", { class: "middle", x: across(x), y: 222 }, String(x)));
    law.replaceChildren(element("text", { x: 8, y: 14 }, "share of the loss that is left: law, 100 draws, this draw"), ...drawn,
      ...(d < 10 ? [element("polyline", { class: "law", points: curve })] : []), ...ticks,
      element("line", { class: "axis", x1: 20, x2: 390, y1: 200, y2: 200 }),
      element("line", { class: "present", x1: across(share), x2: across(share), y1: 24, y2: 204 }));
    law.setAttribute("aria-label", `share of the loss left: ${share}; mean of the law ${now.mean}`);
    said.textContent = `d = ${d}: this subspace leaves ${decimals(share, 3)} of the loss. ` +
      (d < 10 ? `Beta(${(10 - d) / 2}, ${d / 2}) says ${now.mean.toFixed(1)} on average.` : "From d = s = 10 on every subspace holds a solution.");
    Object.assign(box.dataset, { d, share, draw, mean: now.mean });
  }
  const drag = slider("d", 1, 15, d, (v) => { d = v; show(); });
  const again = button("another draw of P", () => { draw = (draw + 1) % 20; show(); });
  box.append(element("div", { class: "pair" }, sums, law), element("div", { class: "controls" }, drag.label, again), said);
  show();
});
