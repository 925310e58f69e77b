// A random flat θ_0 + P θ_d meets, or misses, the flat of solutions A θ = b. Three dimensions, seen from anywhere.
"use strict";
explorable("plane", (box, numbers) => {
  const SIZE = 1, SHAPE = { 1: "line", 2: "plane" };
  let turn = -0.7, tilt = 0.35, d = 2, s = 1, seed = 3, step = 60;

  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const plus = (a, b, c = 1) => a.map((x, i) => x + c * b[i]);
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const unit = (a) => a.map((x) => x / Math.sqrt(dot(a, a)));

  function seen([x, y, z]) { // turned about the upright axis, then tilted; a little perspective
    const [u, v] = [x * Math.cos(turn) - y * Math.sin(turn), x * Math.sin(turn) + y * Math.cos(turn)];
    const [h, depth] = [z * Math.cos(tilt) - v * Math.sin(tilt), z * Math.sin(tilt) + v * Math.cos(tilt)];
    const near = 6 / (6 + depth);
    return [200 + 118 * near * u, 170 - 118 * near * h];
  }
  const points = (list) => list.map((p) => seen(p).map((x) => x.toFixed(1)).join(",")).join(" ");

  function basisOf(columns) { // Gram–Schmidt
    const q = unit(columns[0]);
    if (columns.length === 1) return [q];
    return [q, unit(plus(columns[1], q, -dot(q, columns[1])))];
  }

  function flat(point, basis, kind) {
    if (basis.length === 1)
      return element("polyline", { class: `flat line ${kind}`, points: points([-SIZE, SIZE].map((c) => plus(point, basis[0], c))) });
    const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([a, b]) => plus(plus(point, basis[0], a * SIZE), basis[1], b * SIZE));
    return element("polygon", { class: `flat plane ${kind}`, points: points(corners) });
  }

  const picture = element("svg", { viewBox: "0 -10 400 350", tabindex: "0", role: "img" });
  const said = element("output", { "aria-live": "polite" });

  function draw() {
    const now = numbers.draws.find((x) => x.d === d && x.s === s && x.seed === seed);
    const A = numbers.A.slice(0, s), b = numbers.b.slice(0, s);
    const last = now.path[now.path.length - 1], here = now.path[step];
    let solution = last; // the one next to where descent ends
    A.forEach((row, k) => { solution = plus(solution, row, b[k] - dot(row, last)); });
    const other = basisOf([cross(A[0], [0.3, 1, 0.2]), cross(A[0], cross(A[0], [0.3, 1, 0.2]))]);
    const solutions = s === 1 ? other : [unit(cross(A[0], A[1]))];
    const random = basisOf(now.P[0].map((_, j) => now.P.map((row) => row[j])));
    const parts = [flat(solution, solutions, "solutions"), flat(last, random, "random")];
    if (d === 2 && s === 1) {
      const along = unit(cross(A[0], cross(random[0], random[1])));
      parts.push(element("polyline", { class: "meeting", points: points([-SIZE, SIZE].map((c) => plus(last, along, c))) }));
    }
    parts.push(element("polyline", { class: "gap", points: points([here, plus(solution, plus(here, last, -1), 0)]) }));
    parts.push(element("polyline", { class: "path", points: points(now.path.slice(0, step + 1)) }));
    const [x0, y0] = seen(numbers.theta_0), [x, y] = seen(here);
    parts.push(element("circle", { class: "start", cx: x0, cy: y0, r: 5 }), element("circle", { class: "here", cx: x, cy: y, r: 6 }));
    parts.push(element("text", { x: x0 + 9, y: y0 + 4 }, "θ_0"), element("text", { x: x + 9, y: y + 4 }, step ? "θ" : ""));
    picture.replaceChildren(...parts);
    const verdict = d >= s ? "meets" : "misses";
    picture.setAttribute("aria-label", `A random ${SHAPE[d]} ${verdict} a ${SHAPE[3 - s]} of solutions. Arrow keys turn the picture.`);
    said.textContent = `A random ${SHAPE[d]} (d = ${d}) ${verdict} a ${SHAPE[3 - s]} of solutions (s = ${s}). ` +
      `Step ${step} of gradient descent on θ_d: L = ${decimals(now.loss[step], 4)}`;
    Object.assign(box.dataset, { loss: now.loss[step], seed, d, s, step, turn: turn.toFixed(3) });
  }

  let held = null;
  picture.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; picture.setPointerCapture(event.pointerId); });
  picture.addEventListener("pointerup", () => { held = null; });
  picture.addEventListener("pointermove", (event) => {
    if (!held) return;
    turn += (event.clientX - held[0]) / 120;
    tilt = Math.max(-1.4, Math.min(1.4, tilt + (event.clientY - held[1]) / 150));
    held = [event.clientX, event.clientY];
    draw();
  });
  const KEYS = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
  picture.addEventListener("keydown", (event) => {
    if (!(event.key in KEYS)) return;
    event.preventDefault();
    turn += KEYS[event.key][0];
    tilt = Math.max(-1.4, Math.min(1.4, tilt + KEYS[event.key][1]));
    draw();
  });

  const random = choice("random subspace", [[2, "plane, d = 2"], [1, "line, d = 1"]], (v) => { d = v; draw(); });
  const wanted = choice("solutions", [[1, "a plane, s = 1"], [2, "a line, s = 2"]], (v) => { s = v; draw(); });
  const steps = slider("descent", 0, 60, step, (v) => { step = v; draw(); });
  const again = button("another random subspace", () => { seed = (seed + 1) % 12; draw(); });
  const legend = element("p", { class: "legend" },
    element("span", { class: "key solutions" }, "solutions"), element("span", { class: "key random" }, "θ_0 + P θ_d"));
  box.append(picture, legend, element("div", { class: "controls" }, random.label, wanted.label, steps.label, again), said);
  draw();
});
