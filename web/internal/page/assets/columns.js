// The page of a column: a line plot that reads finer points as one looks closer, a histogram and
// figures, each from the interface in JSON.
import { one, make, request, say } from "./dom.js";

const column = one("#column");
const { api, type } = column.dataset;
const length = Number(column.dataset.length);

const ask = async (parameters) =>
  (
    await request("GET", api + (api.includes("?") ? "&" : "?") + new URLSearchParams(parameters))
  ).json();

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
const count = new Intl.NumberFormat();
const shown = (x) => (typeof x === "number" ? number.format(x) : String(x));

const labels = {
  nulls: "Nulls",
  nan: "NaN",
  infinite: "Infinite",
  distinct: "Distinct",
  min: "Smallest",
  p25: "First quartile",
  p50: "Median",
  p75: "Third quartile",
  max: "Largest",
  mean: "Mean",
  std: "Standard deviation",
  shortest: "Shortest (bytes)",
  longest: "Longest (bytes)",
};

async function summary() {
  const figures = await ask({ view: "summary" });
  const list = one("#summary");
  for (const [name, label] of Object.entries(labels)) {
    const value = figures[name];
    if (value == null || (value === 0 && ["nulls", "nan", "infinite"].includes(name))) continue;
    const about = name === "distinct" && figures.distinct_estimated ? "about " : "";
    list.append(
      make(
        "div",
        { id: `summary-${name}` },
        make("dt", {}, label),
        make("dd", {}, about + shown(value)),
      ),
    );
  }
  list.hidden = !list.childElementCount;
}

async function histogram() {
  const { histogram: bins = [] } = await ask({ view: "histogram", bins: 20 });
  if (!bins.length) return;
  const most = Math.max(...bins.map((bin) => bin.count));
  one("#histogram tbody").append(
    ...bins.map((bin) =>
      make(
        "tr",
        {},
        make("td", {}, shown(bin.from)),
        make("td", {}, shown(bin.to)),
        make("td", { class: "number" }, count.format(bin.count)),
        make(
          "td",
          { class: "bar-cell" },
          make("progress", {
            max: most,
            value: bin.count,
            "aria-label": `${count.format(bin.count)} of at most ${count.format(most)}`,
          }),
        ),
      ),
    ),
  );
  one("#histogram").hidden = false;
}

/** Draws the elements from a number up to another. */
function plot() {
  const box = one("#plot");
  const range = { from: 0, to: length };
  let chart = null;
  let latest = 0;

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const options = () => ({
    width: Math.max(box.clientWidth - 18, 200),
    height: Math.max(260, Math.min(420, innerHeight * 0.5)),
    scales: { x: { time: false } },
    cursor: { drag: { x: true, y: false, setScale: false } },
    axes: ["x", "y"].map((scale) => ({
      scale,
      size: scale === "y" ? 70 : 40,
      stroke: color("--soft"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { stroke: color("--line"), width: 1 },
    })),
    series: [
      { label: "Number" },
      {
        label: "Value",
        stroke: color("--accent"),
        width: 1.5,
        points: { show: range.to - range.from <= 200 },
      },
    ],
    hooks: {
      setSelect: [
        (u) => {
          if (u.select.width < 4) return;
          const at = [u.select.left, u.select.left + u.select.width].map((x) => u.posToVal(x, "x"));
          u.setSelect({ width: 0, height: 0, left: 0, top: 0 }, false);
          show(Math.floor(at[0]), Math.ceil(at[1]) + 1);
        },
      ],
    },
  });

  async function show(from, to) {
    const width = Math.min(Math.max(to - from, 2), length);
    range.from = Math.min(Math.max(from, 0), length - width);
    range.to = range.from + width;
    const mine = ++latest;
    box.setAttribute("aria-busy", "true");
    try {
      const line = await ask({
        view: "plot",
        points: Math.min(4000, 4 * Math.max(200, box.clientWidth)),
        from: range.from,
        to: range.to,
      });
      if (mine === latest) draw(line);
    } catch (e) {
      say(e.message);
      if (mine === latest) one("#plot-range").textContent = e.message;
    } finally {
      if (mine === latest) box.removeAttribute("aria-busy");
    }
  }

  function draw(line) {
    chart?.destroy();
    chart = new uPlot(options(), [line.x, line.y], box);
    const notes = [
      `${count.format(range.from)} to ${count.format(range.to - 1)} of ${count.format(length)}`,
    ];
    if (line.bucket > 1) notes.push(`extremes of ${count.format(line.bucket)} each`);
    if (line.sampled) notes.push("sampled");
    if (line.gaps) notes.push(`${count.format(line.gaps)} without a value`);
    one("#plot-range").textContent = notes.join(", ");
    for (const id of ["all", "out"]) one(`#plot-${id}`).disabled = range.to - range.from >= length;
    one("#plot-left").disabled = range.from <= 0;
    one("#plot-right").disabled = range.to >= length;
    one("#plot-in").disabled = range.to - range.from <= 2;
  }

  const on = (id, change) => one(id).addEventListener("click", () => change(range.to - range.from));
  on("#plot-all", () => show(0, length));
  on("#plot-left", (width) =>
    show(range.from - Math.ceil(width / 2), range.to - Math.ceil(width / 2)),
  );
  on("#plot-right", (width) =>
    show(range.from + Math.ceil(width / 2), range.to + Math.ceil(width / 2)),
  );
  on("#plot-in", (width) =>
    show(range.from + Math.floor(width / 4), range.to - Math.floor(width / 4)),
  );
  on("#plot-out", (width) =>
    show(range.from - Math.ceil(width / 2), range.to + Math.ceil(width / 2)),
  );
  box.addEventListener("dblclick", () => show(0, length));

  let timer = 0;
  const again = () => {
    clearTimeout(timer);
    timer = setTimeout(() => show(range.from, range.to), 200);
  };
  let width = box.clientWidth;
  new ResizeObserver(() => {
    if (box.clientWidth !== width) again();
    width = box.clientWidth;
  }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  show(0, length);
}

if (length > 0) {
  if (one("#plot")) plot();
  summary().catch((e) => say(e.message));
  histogram().catch((e) => say(e.message));
}
