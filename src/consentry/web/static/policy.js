// The builder's long lists: a filter field leaves what matches it and what is chosen. The field is no part of the policy, so it neither
// saves nor asks for a trial. Lists come and go with the conditions; the page listens for all of them.
const isFilter = (event) => event.target.matches("[data-narrows]");

document.addEventListener("input", (event) => {
  if (!isFilter(event)) { return; }
  const list = event.target.closest("[data-choices]");
  const wanted = event.target.value.trim().toLowerCase();
  const labels = [...list.querySelectorAll("label")];
  for (const label of labels) {
    label.hidden = !label.querySelector("input").checked && !label.textContent.toLowerCase().includes(wanted);
  }
  const shown = labels.filter((label) => !label.hidden).length;
  list.querySelector("[role='status']").textContent = wanted ? `${shown} of ${labels.length} shown` : "";
});
document.addEventListener("change", (event) => { if (isFilter(event)) { event.stopPropagation(); } }, true);
document.addEventListener("keydown", (event) => { if (isFilter(event) && event.key === "Enter") { event.preventDefault(); } });
