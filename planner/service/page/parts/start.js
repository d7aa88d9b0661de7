// The page's event handlers, and its start.

let typing = 0;

byId("question").addEventListener("submit", (event) => event.preventDefault());
byId("policy").addEventListener("change", () => {
  const { prms } = policyRecord();
  const prm = prms.includes(byId("prm").value) ? byId("prm").value : prms[0] ?? "";
  follow({ prm, benchmark: "", difficulty: byId("difficulty").value });
  refresh();
});
byId("benchmark").addEventListener("change", () => {
  followEvidence();
  refresh();
});
for (const name of ["prm", "difficulty"]) byId(name).addEventListener("change", refresh);
byId("budget").addEventListener("input", () => {
  showBudget();
  refresh();
});
byId("target").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(refresh, 400);
});
byId("estimate").addEventListener("click", estimate);
byId("pause").addEventListener("click", () => {
  const paused = byId("pause").getAttribute("aria-pressed") !== "true";
  byId("pause").setAttribute("aria-pressed", String(paused));
  followTraffic();
});
document.addEventListener("visibilitychange", followTraffic);

async function start() {
  try {
    setControls(await (await ask("api/choices")).json(), new URLSearchParams(location.search));
  } catch (error) {
    showProblem(error.message);
    return;
  }
  followTraffic();
  await refresh();
}

start();
