// The controls: filled from the server's choices, and kept in the page's address.

const SOURCES = {
  measured: ["Measured here", "Measured in this server's own store."],
  bundled: ["Measured by this project", "Recorded by this project on its own problems."],
  published: ["Published by others", "Not measured: the answer is from published figures."],
};
const LEVELS = {
  all: "Not known",
  easy: "Easy (0.50 and more)",
  medium: "Medium (0.10 to 0.50)",
  hard: "Hard (below 0.10)",
};

let known = null; // the response of api/choices

const policyRecord = () =>
  known.policies.find((one) => one.name === byId("policy").value) ??
  { name: byId("policy").value, source: "unknown", prms: known.prms, benchmarks: [] };
const budget = () => 2 ** Number(byId("budget").value);

/** Fill a list of options; keep the chosen one even if the server does not know it. */
function fill(select, options, chosen) {
  if (!options.some(([value]) => value === chosen)) {
    if (chosen) options.push([chosen, chosen]);
    else chosen = options[0][0];
  }
  select.replaceChildren(...options.map(([value, label]) => element("option", { value }, label)));
  select.value = chosen;
}

/** Fill the policies, grouped by source. */
function fillPolicies(chosen) {
  const groups = Object.entries(SOURCES).map(([source, [label]]) => {
    const own = known.policies.filter((one) => one.source === source);
    const options = own.map((one) => element("option", { value: one.name }, one.name));
    return own.length ? element("optgroup", { label }, ...options) : null;
  });
  const select = byId("policy");
  select.replaceChildren(...groups.filter(Boolean));
  if (!known.policies.some((one) => one.name === chosen)) {
    select.append(element("option", { value: chosen }, chosen));
  }
  select.value = chosen;
}

/** Fill what depends on the policy: its PRMs, its evidence, and the difficulties. */
function follow({ prm, benchmark, difficulty }) {
  const { source, prms } = policyRecord();
  byId("policy-hint").textContent = SOURCES[source]?.[1] ?? "There is no evidence on this policy here.";
  fill(byId("prm"), [["", "None"], ...prms.map((name) => [name, name])], prm);
  const own = source === "published" ? [] : [["", "What was measured"]];
  const run = policyRecord().benchmarks;
  own.push(...run.map((name) => [name, `${name}, as measured`]));
  const others = known.benchmarks.filter((name) => !run.includes(name));
  const printed = others.map((name) => [name, `${name}, as published`]);
  fill(byId("benchmark"), [...own, ...printed], benchmark);
  fill(byId("difficulty"), known.difficulties.map((name) => [name, LEVELS[name] ?? name]), difficulty);
  followEvidence();
}

/** Hide the difficulty for published figures, which are of whole benchmarks. */
function followEvidence() {
  const benchmark = byId("benchmark").value;
  const printed = benchmark !== "" && !policyRecord().benchmarks.includes(benchmark);
  if (printed) byId("difficulty").value = "all";
  byId("difficulty").disabled = printed;
  byId("difficulty-hint").textContent = printed
    ? "Published figures are of whole benchmarks."
    : "By the policy's pass@1: how often one sample of it is right.";
}

function showBudget() {
  const words = `${budget()} ${budget() === 1 ? "generation" : "generations"}`;
  byId("budget-value").textContent = words;
  byId("budget").setAttribute("aria-valuetext", `${words} a problem`);
}

/** Set the slider's ends, ticks and position. */
function setBudget({ least, most }, chosen) {
  const slider = byId("budget");
  slider.min = Math.log2(least);
  slider.max = Math.log2(most);
  slider.value = Math.round(Math.log2(chosen));
  const ticks = [];
  for (let power = Number(slider.min); power <= Number(slider.max); power += 1) {
    ticks.push(element("span", {}, power % 2 ? "·" : String(2 ** power)));
  }
  byId("budget-ticks").replaceChildren(...ticks);
  showBudget();
}

/** The target as a share; "" if there is none, NaN if it is not a number. */
function target() {
  const given = byId("target").value.trim().replace("%", "").replace(",", ".");
  return given === "" ? "" : Number(given) / 100;
}

/** The parameters of a request to the server. */
function question() {
  const asked = new URLSearchParams({ policy: byId("policy").value });
  for (const name of ["prm", "benchmark"]) {
    if (byId(name).value) asked.set(name, byId(name).value);
  }
  asked.set("difficulty", byId("difficulty").value);
  asked.set("budget", budget());
  if (target() !== "") asked.set("target_accuracy", target());
  return asked;
}

/** The command that gives the same answer; its line may break between options. */
function commandLine(asked) {
  const quoted = (value) => (/^[\w.\/:@+-]+$/.test(value) ? value : `'${value}'`);
  const options = [...asked].map(([name, value]) => `--${name.replace("_", "-")} ${quoted(value)}`);
  return ["apportion recommend", ...options].flatMap((part) => [
    element("span", { class: "option" }, part), " ",
  ]);
}

/** Set all controls from the address, or from the server's proposal. */
function setControls(choices, address) {
  known = choices;
  const policy = address.get("policy") || known.default.policy;
  fillPolicies(policy);
  const proposed = policy === known.default.policy ? known.default.prm : policyRecord().prms[0];
  follow({
    prm: address.has("policy") ? address.get("prm") ?? "" : proposed ?? "",
    benchmark: address.get("benchmark") ?? "",
    difficulty: address.get("difficulty") ?? "all",
  });
  setBudget(known.budget, Number(address.get("budget")) || 16);
  const aim = Number(address.get("target_accuracy"));
  if (aim > 0) byId("target").value = String(Number((100 * aim).toFixed(4)));
}
