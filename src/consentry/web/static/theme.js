// Loaded in the head, before anything is painted: no flash of the wrong colours.
(function () {
  var choice = "auto";
  try { choice = localStorage.getItem("consentry-theme") || "auto"; } catch (error) { /* private mode */ }
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    var value = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
    document.documentElement.setAttribute("data-bs-theme", value);
    document.documentElement.setAttribute("data-theme-choice", choice);
    window.dispatchEvent(new CustomEvent("consentry:theme", { detail: value }));
  }
  dark.addEventListener("change", apply);
  window.consentryTheme = function (value) {
    choice = value;
    try { localStorage.setItem("consentry-theme", value); } catch (error) { /* private mode */ }
    apply();
  };
  apply();
})();
