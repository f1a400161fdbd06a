"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const get = (id) => document.getElementById(id);
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#a6761d"];
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];
let sorted = { column: 0, down: true };

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else made.setAttribute(key, value);
  }
  for (const child of children) made.append(child);
  return made;
}

function number(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  const text = value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : 2);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

function fields(measure) {
  return measure === "value" ? ["value", "ci_low", "ci_high"] : [measure, measure + "_low", measure + "_high"];
}

function rowOf(label, family, split) {
  return data.board.find((row) => row.label === label && row.family === family && row.split === split);
}

function interval(row, names) {
  const [low, high] = [row[names[1]], row[names[2]]];
  return low === null || high === null ? "" : `${number(low)} to ${number(high)}`;
}

function drawBoard() {
  const split = get("split").value;
  const measure = get("measure").value;
  const names = fields(measure);
  const wanted = get("agent-filter").value.toLowerCase();
  const families = data.families.filter((family) => data.board.some((row) => row.family === family && row.split === split));
  const value = (label, family) => {
    const row = rowOf(label, family, split);
    return row === undefined || row[names[0]] === null ? null : row[names[0]];
  };
  const mean = (label) => {
    const known = families.map((family) => value(label, family)).filter((each) => each !== null);
    return known.length ? known.reduce((a, b) => a + b) / known.length : null;
  };
  const key = (label) => sorted.column === 0 ? (measure === "normalised" ? mean(label) : null) : value(label, families[sorted.column - 1]);
  const labels = data.agents.filter((label) => label.toLowerCase().includes(wanted));
  labels.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null && y === null) return a.localeCompare(b);
    if (x === null) return 1;
    if (y === null) return -1;
    return sorted.down ? y - x : x - y;
  });
  const head = element("tr");
  ["agent", ...families].forEach((title, i) => {
    const direction = sorted.column === i ? (sorted.down ? "descending" : "ascending") : "none";
    const arrow = direction === "none" ? "" : sorted.down ? " ↓" : " ↑";
    const sort = () => {
      sorted = { column: i, down: sorted.column === i ? !sorted.down : true };
      drawBoard();
      get("board").querySelectorAll("th button")[i].focus();
    };
    head.append(element("th", { scope: "col", "aria-sort": direction }, element("button", { type: "button", onclick: sort }, title + arrow)));
  });
  const body = element("tbody");
  for (const label of labels) {
    const line = element("tr", {}, element("td", {}, label));
    for (const family of families) line.append(cell(label, family, split, names, measure));
    body.append(line);
  }
  get("board").replaceChildren(element("thead", {}, head), body);
  get("board-note").textContent = data.notes[measure];
}

function cell(label, family, split, names, measure) {
  const row = rowOf(label, family, split);
  if (row === undefined || row[names[0]] === null) {
    const reason = row === undefined ? (data.reasons[label] || {})[family] || "–" : "no bound is known";
    return element("td", { class: "missing" }, reason);
  }
  const share = measure === "normalised" ? Math.max(0, Math.min(1, row[names[0]])) * 100 : 0;
  const button = element("button", { type: "button", style: `--share: ${share.toFixed(0)}%`, onclick: () => showDetail(row) }, number(row[names[0]]));
  const td = element("td", {}, button);
  const between = interval(row, names);
  if (between) td.append(element("span", { class: "interval" }, between));
  return td;
}

function showDetail(row) {
  const lines = [
    `${row.label} on ${row.family}, ${row.budget}, ${row.tasks} ${row.split} tasks` + (row.seeds ? `, ${row.seeds} training seed${row.seeds > 1 ? "s" : ""}` : ""),
    `${row.score}: ${number(row.value)} (${interval(row, fields("value")) || "no interval"})`,
  ];
  if (row.normalised !== null) lines.push(`normalised, 1 = ${row.reference}: ${number(row.normalised)} (${interval(row, fields("normalised")) || "no interval"})`);
  if (row.note) lines.push(row.note);
  const box = get("cell-detail");
  box.replaceChildren(...lines.map((line) => element("div", {}, line)));
  if (row.command) box.append(element("div", {}, "Again: ", element("code", {}, row.command)));
}

function curvesOf(family, kind) {
  if (kind === "training") {
    return data.trainings.filter((each) => each.family === family).map((each) => ({ label: `${each.label}, seed ${each.seed}`, points: each.points.map(([x, y]) => ({ x, y })) }));
  }
  return data.adaptations.filter((each) => each.family === family).map((each) => ({
    label: each.label,
    points: each.mean.map((y, k) => ({ x: kind === "steps" ? (k + 1) * each.steps : k + 1, y, low: each.low[k], high: each.high[k] })),
  }));
}

const hidden = new Set();

function drawChart() {
  const family = get("family").value;
  const kind = get("kind").value;
  const curves = curvesOf(family, kind);
  const shown = curves.filter((curve) => !hidden.has(curve.label));
  get("legend").replaceChildren(...curves.map((curve, i) => legendButton(curve, i)));
  get("chart-note").textContent = data.notes[kind];
  const box = get("chart");
  const points = shown.flatMap((curve) => curve.points);
  if (!points.length) {
    box.replaceChildren(element("p", { class: "note" }, "There is nothing to draw."));
    return;
  }
  const [W, H, L, B] = [720, 320, 64, 40];
  const xs = points.map((p) => p.x);
  const ys = points.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]).filter(Number.isFinite);
  const [x0, x1] = spread(Math.min(...xs), Math.max(...xs), 0);
  const [y0, y1] = spread(Math.min(...ys), Math.max(...ys), 0.05);
  const X = (x) => L + ((x - x0) / (x1 - x0)) * (W - L - 12);
  const Y = (y) => H - B - ((y - y0) / (y1 - y0)) * (H - B - 12);
  const parts = [];
  for (const y of ticks(y0, y1)) parts.push(`<line x1="${L}" x2="${W - 12}" y1="${Y(y)}" y2="${Y(y)}" stroke="var(--line)"/><text x="${L - 6}" y="${Y(y) + 4}" text-anchor="end">${compact(y)}</text>`);
  for (const x of ticks(x0, x1)) parts.push(`<text x="${X(x)}" y="${H - B + 16}" text-anchor="middle">${compact(x)}</text>`);
  const axis = { episodes: "episode in the task", steps: "environment steps in the task", training: "environment steps of training" }[kind];
  parts.push(`<text x="${(L + W) / 2}" y="${H - 6}" text-anchor="middle">${axis}</text>`);
  parts.push(`<text x="14" y="${(H - B) / 2}" text-anchor="middle" transform="rotate(-90 14 ${(H - B) / 2})">${kind === "training" ? "training return" : "return of an episode"}</text>`);
  curves.forEach((curve, i) => {
    if (hidden.has(curve.label)) return;
    const path = curve.points.map((p, k) => `${k ? "L" : "M"}${X(p.x).toFixed(1)} ${Y(p.y).toFixed(1)}`).join("");
    if (curve.points.every((p) => Number.isFinite(p.low) && Number.isFinite(p.high))) {
      const up = curve.points.map((p, k) => `${k ? "L" : "M"}${X(p.x).toFixed(1)} ${Y(p.high).toFixed(1)}`).join("");
      const down = [...curve.points].reverse().map((p) => `L${X(p.x).toFixed(1)} ${Y(p.low).toFixed(1)}`).join("");
      parts.push(`<path d="${up}${down}Z" fill="${COLOURS[i % COLOURS.length]}" opacity="0.12"/>`);
    }
    parts.push(`<path d="${path}" fill="none" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="2" stroke-dasharray="${DASHES[Math.floor(i / COLOURS.length + i) % DASHES.length]}"/>`);
  });
  box.innerHTML = `<svg viewBox="0 0 ${W} ${H}" role="img" aria-label="${axis}">${parts.join("")}</svg>`;
  box.firstChild.addEventListener("pointermove", (event) => hover(event, box, shown, X, Y, W, H));
  box.firstChild.addEventListener("pointerleave", () => box.querySelector(".tip")?.remove());
}

function legendButton(curve, i) {
  const pressed = !hidden.has(curve.label);
  const swatch = element("span");
  swatch.innerHTML = `<svg width="28" height="8" aria-hidden="true"><line x1="0" x2="28" y1="4" y2="4" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="3" stroke-dasharray="${DASHES[Math.floor(i / COLOURS.length + i) % DASHES.length]}"/></svg>`;
  const flip = () => {
    if (pressed) hidden.add(curve.label);
    else hidden.delete(curve.label);
    drawChart();
  };
  return element("button", { type: "button", "aria-pressed": String(pressed), onclick: flip }, swatch, curve.label);
}

function hover(event, box, curves, X, Y, W, H) {
  const frame = box.getBoundingClientRect();
  const [x, y] = [((event.clientX - frame.left) / frame.width) * W, ((event.clientY - frame.top) / frame.height) * H];
  let best = null;
  for (const curve of curves) {
    for (const point of curve.points) {
      const distance = Math.hypot(X(point.x) - x, Y(point.y) - y);
      if (best === null || distance < best.distance) best = { distance, curve, point };
    }
  }
  box.querySelector(".tip")?.remove();
  if (best === null) return;
  const { curve, point } = best;
  const between = Number.isFinite(point.low) && Number.isFinite(point.high) ? ` (${number(point.low)} to ${number(point.high)})` : "";
  const tip = element("div", { class: "tip" }, `${curve.label}: ${number(point.y)}${between} at ${compact(point.x)}`);
  box.append(tip);
  const left = (X(point.x) / W) * frame.width;
  tip.style.left = `${Math.max(0, Math.min(left + 8, frame.width - tip.offsetWidth))}px`;
  tip.style.top = `${Math.max(0, (Y(point.y) / H) * frame.height - tip.offsetHeight - 6)}px`;
}

function spread(low, high, part) {
  if (low === high) return [low - 1, high + 1];
  return [low - part * (high - low), high + part * (high - low)];
}

function ticks(low, high) {
  const raw = (high - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((each) => each * unit).find((each) => each >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9 * step; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

function compact(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  return String(+value.toPrecision(4));
}

function drawCards() {
  const wanted = get("run-filter").value.toLowerCase();
  const chosen = data.cards.filter((card) => card.name.toLowerCase().includes(wanted));
  get("run-count").textContent = `${chosen.length} of ${data.cards.length}`;
  get("cards").replaceChildren(...chosen.map((card) => {
    const told = element("div", {}, element("p", {}, "Again: ", element("code", {}, card.command)));
    told.append(element("pre", {}, JSON.stringify(card.told, null, 1)));
    return element("details", {}, element("summary", {}, `${card.name}: ${card.summary}`), told);
  }));
}

function drawFigures() {
  const names = ["figure", "wanted", "value", "interval", "n", "reached", "command"];
  if (!data.figures.length) {
    get("figure-table").replaceChildren(element("tbody", {}, element("tr", {}, element("td", {}, "This suite lists no figures."))));
    return;
  }
  const head = element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name))));
  const body = element("tbody", {}, ...data.figures.map((row) => element("tr", {}, ...names.map((name) => element("td", {}, name === "command" ? element("code", {}, row[name]) : row[name])))));
  get("figure-table").replaceChildren(head, body);
}

function drawGallery() {
  if (!data.pictures.length) {
    get("gallery").append(element("p", { class: "note" }, "No family here draws pictures, or no agent of it is at hand."));
    return;
  }
  for (const each of data.pictures) {
    get("gallery").append(element("figure", {}, element("img", { src: each.source, alt: each.title, loading: "lazy" }), element("figcaption", {}, each.title)));
  }
}

for (const split of data.splits) get("split").append(element("option", { value: split }, split));
if (data.splits.includes("test")) get("split").value = "test";
const drawn = data.families.filter((family) => curvesOf(family, "episodes").length || curvesOf(family, "training").length);
for (const family of drawn) get("family").append(element("option", { value: family }, family));
for (const id of ["agent-filter", "split", "measure"]) get(id).addEventListener("input", drawBoard);
for (const id of ["family", "kind"]) get(id).addEventListener("input", drawChart);
get("run-filter").addEventListener("input", drawCards);
drawBoard();
drawChart();
drawGallery();
drawFigures();
drawCards();
