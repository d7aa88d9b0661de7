// Requests and shows the recommendation and its figures whenever the choice changes.

const FIGURES_AFTER = 150; // ms without another change: plots take longer than text
const SPOKEN_AFTER = 600; // ms: a screen reader must not read every step of the slider

let wanted = null; // AbortController of the running request
let figuresTimer = 0;
let spokenTimer = 0;

function speak(words) {
  clearTimeout(spokenTimer);
  spokenTimer = setTimeout(() => (byId("spoken").textContent = words), SPOKEN_AFTER);
}

/** Show an error in place of the answer, and hide all that belongs to an earlier answer. */
function showProblem(message) {
  const parts = sentence(message).split(/(--[\w-]+)/); // an option must not be broken at its hyphens
  byId("problem").replaceChildren(
    ...parts.map((part, i) => (i % 2 ? element("span", { class: "whole" }, part) : part)),
  );
  byId("problem").hidden = false;
  byId("answer-body").replaceChildren();
  byId("figures").replaceChildren();
  byId("same").hidden = true;
  clearTimeout(spokenTimer); // a screen reader reads the alert anyway
}

function showAnswer(html, asked) {
  byId("problem").hidden = true;
  byId("answer-body").innerHTML = html; // the server made it, and escapes all names
  byId("command").replaceChildren(...commandLine(asked));
  byId("as-json").href = `api/recommend?${asked}`;
  byId("same").hidden = false;
  const said = [...byId("answer-body").querySelectorAll(".card > p:not(:has(code))")].slice(0, 2);
  speak(said.map((one) => one.textContent).join(" "));
}

/** Show the tables and plots; unfolded parts stay unfolded, and a table keeps the focus. */
function showFigures(html) {
  const figures = byId("figures");
  const open = [...figures.querySelectorAll("details[open]")].map((one) => one.querySelector("summary").id);
  const focused = figures.contains(document.activeElement) ? document.activeElement : null;
  const label = focused?.id || focused?.getAttribute("aria-labelledby");
  figures.innerHTML = html;
  for (const id of open) document.getElementById(id)?.parentElement.setAttribute("open", "");
  if (label) (figures.querySelector(`[aria-labelledby="${label}"][tabindex]`) ?? byId(label))?.focus();
  figures.classList.remove("stale");
}

/** Request the answer to the present choice; drop an answer to an earlier choice. */
async function refresh() {
  const asked = question();
  history.replaceState(null, "", `?${asked}`);
  wanted?.abort();
  clearTimeout(figuresTimer);
  const own = (wanted = new AbortController());
  const wrong = Number.isNaN(target()) || target() <= 0 || target() > 1;
  const bad = target() !== "" && wrong;
  byId("target").setAttribute("aria-invalid", String(bad));
  if (bad) {
    showProblem(`target accuracy ${byId("target").value}: must be a percentage above 0 and at most 100`);
    return;
  }
  byId("figures").classList.add("stale");
  byId("answer-body").setAttribute("aria-busy", "true");
  try {
    const answer = await (await ask(`page/answer?${asked}`, { signal: own.signal })).text();
    if (own.signal.aborted) return;
    showAnswer(answer, asked);
    figuresTimer = setTimeout(() => draw(asked, own), FIGURES_AFTER);
  } catch (error) {
    if (error.name !== "AbortError") showProblem(error.message);
  } finally {
    if (own === wanted) byId("answer-body").removeAttribute("aria-busy");
  }
}

async function draw(asked, own) {
  try {
    const figures = await (await ask(`page/figures?${asked}`, { signal: own.signal })).text();
    if (!own.signal.aborted) showFigures(figures);
  } catch (error) {
    if (error.name !== "AbortError") showProblem(error.message);
  }
}

/** Estimate the difficulty of a pasted problem, and offer to choose it. */
async function estimate() {
  const text = byId("text").value.trim();
  const told = byId("estimated");
  if (!text) {
    told.replaceChildren(element("p", { class: "hint" }, "Paste a problem first."));
    return;
  }
  byId("estimate").disabled = true;
  try {
    const body = JSON.stringify({ text });
    const headers = { "Content-Type": "application/json" };
    const found = await (await ask("api/difficulty", { method: "POST", body, headers })).json();
    const chances = Object.entries(found.probabilities)
      .map(([level, chance]) => `${level} ${(100 * chance).toFixed(0)} %`)
      .join(", ");
    const [low, high] = found.interval.map((end) => end.toFixed(2));
    told.replaceChildren(
      element("p", {}, element("strong", {}, `Most probably ${found.difficulty}`), ` for ${found.policy}: ${chances}.`),
      element("p", { class: "hint" }, `Pass@1 within ${low} to ${high}. ${found.quality}`),
    );
    if (!byId("difficulty").disabled) {
      byId("difficulty").value = found.difficulty;
      refresh();
    }
  } catch (error) {
    told.replaceChildren(element("p", { class: "hint" }, sentence(error.message)));
  } finally {
    byId("estimate").disabled = false;
  }
}
