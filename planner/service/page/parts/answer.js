// The recommendation and its figures, asked for anew whenever something else is chosen.

const FIGURES_AFTER = 150; // ms without another move: plots take longer than words
const SPOKEN_AFTER = 600; // a screen reader is not to read every step of the slider

let wanted = null; // what is under way: an AbortController
let figuresTimer = 0;
let spokenTimer = 0;

function speak(words) {
  clearTimeout(spokenTimer);
  spokenTimer = setTimeout(() => (byId("spoken").textContent = words), SPOKEN_AFTER);
}

/** Say what is wrong where the answer would be, and show nothing that does not belong to it. */
function showProblem(message) {
  const parts = sentence(message).split(/(--[\w-]+)/); // options do not break at their hyphens
  byId("problem").replaceChildren(
    ...parts.map((part, i) => (i % 2 ? element("span", { class: "whole" }, part) : part)),
  );
  byId("problem").hidden = false;
  byId("answer-body").replaceChildren();
  byId("figures").replaceChildren();
  byId("same").hidden = true;
  clearTimeout(spokenTimer); // an alert speaks for itself
}

function showAnswer(html, asked) {
  byId("problem").hidden = true;
  byId("answer-body").innerHTML = html; // made by the server, which escapes all names
  byId("command").replaceChildren(...commandLine(asked));
  byId("as-json").href = `api/recommend?${asked}`;
  byId("same").hidden = false;
  const said = [...byId("answer-body").querySelectorAll(".card > p:not(:has(code))")].slice(0, 2);
  speak(said.map((one) => one.textContent).join(" "));
}

/** The tables and plots; what was unfolded stays so, and a table keeps the focus. */
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

/** Ask for what is chosen; an answer that was overtaken is dropped. */
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

/** The difficulty of a pasted problem; choosing it is choosing that difficulty. */
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
