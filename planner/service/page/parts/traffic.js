// The live traffic, requested every few seconds while the page is visible.

const EVERY = 3000; // ms
let trafficTimer = 0;

const whole = (number) => Math.round(number).toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

function duration(seconds) {
  if (seconds < 120) return `${whole(seconds)} s`;
  if (seconds < 7200) return `${whole(seconds / 60)} min`;
  return seconds < 172800 ? `${whole(seconds / 3600)} h` : `${whole(seconds / 86400)} days`;
}

/** A table of counts with bars for their shares; further columns have names. */
function counted(caption, heading, counts, further = {}) {
  const rows = Object.entries(counts);
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  const head = [heading, "Count", "Share", ...Object.keys(further)];
  const body = rows.map(([name, count]) => {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${total ? (100 * count) / total : 0}%`;
    const more = Object.values(further).map((column) =>
      element("td", {}, name in column ? percent(column[name]) : "–"));
    return element("tr", {}, element("th", { scope: "row" }, name, bar),
      element("td", {}, whole(count)), element("td", {}, total ? percent(count / total) : "–"), ...more);
  });
  if (!rows.length) body.push(element("tr", {}, element("td", { class: "word", colspan: head.length }, "None yet")));
  return element("table", {}, element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head.map((one, place) =>
      element("th", place ? { scope: "col" } : { scope: "col", class: "word" }, one)))),
    element("tbody", {}, ...body));
}

/** The live mix beside the profile's, by all levels of either, in the server's order. */
function difficulties({ difficulties: live, expected }) {
  const order = [...known.difficulties, ...Object.keys(live)];
  const levels = [...new Set(order)].filter((one) => one in live || one in expected);
  const counts = Object.fromEntries(levels.map((one) => [one, live[one] ?? 0]));
  const profiled = Object.keys(expected).length ? { "In the profile": expected } : {};
  return counted("Difficulty of queries", "Difficulty", counts, profiled);
}

/** A summary of the traffic in a sentence or two. */
function inWords(now) {
  const up = (Date.now() - Date.parse(now.started)) / 1000;
  const { p50, p90 } = now.seconds;
  const speed = p50 == null ? "" :
    ` Half of the last answers took at most ${p50.toPrecision(2)} s, nine in ten ${p90.toPrecision(2)} s.`;
  const drift = Object.entries(now.drift).map(([name, { statistic, limit }]) =>
    `${name} ${statistic.toPrecision(3)} (more than chance from ${limit.toPrecision(3)})`);
  return `Up for ${duration(up)}. ${whole(now.running)} running, ${whole(now.waiting)} waiting ` +
    `(${whole(now.places)} places), ${whole(now.cancelled)} cancelled; ` +
    `${whole(now.answers_last_minute)} answers in the last minute.${speed}` +
    (drift.length ? ` Distance from the profile: ${drift.join(", ")}.` : "");
}

function showTraffic(now) {
  byId("traffic-state").textContent = inWords(now);
  const warnings = byId("traffic-warnings");
  if (warnings.textContent !== now.warnings.join("")) {
    warnings.replaceChildren(...now.warnings.map((one) => element("p", { class: "alert" }, one)));
  }
  byId("traffic-body").replaceChildren(
    counted("Requests", "Status", now.requests),
    counted("Strategies", "Strategy", now.strategies),
    difficulties(now),
    counted("Tokens", "Kind", now.tokens),
  );
}

async function followTraffic() {
  clearTimeout(trafficTimer);
  if (byId("pause").getAttribute("aria-pressed") === "true" || document.hidden) return;
  try {
    showTraffic(await (await ask("api/traffic")).json());
    byId("pause").hidden = false;
  } catch (error) {
    byId("traffic-state").textContent = sentence(error.message);
    byId("traffic-body").replaceChildren();
    if (error.status === 404) return; // this server has no traffic
  }
  trafficTimer = setTimeout(followTraffic, EVERY);
}
