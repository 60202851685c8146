// Plugins table: keyboard, tick all, copy. The page works without it.
(function () {
  "use strict";
  var table = document.querySelector("[data-plugin-table]");
  var search = document.querySelector("[data-search]");
  var all = document.querySelector("[data-tick-all]");
  if (all) {
    all.addEventListener("change", function () {
      document.querySelectorAll("input[name=plugin]").forEach(function (box) { box.checked = all.checked; });
    });
  }
  if (!table) { return; }
  var rows = Array.prototype.slice.call(table.querySelectorAll("tbody tr"));
  var at = -1;
  function go(to) {
    if (!rows.length) { return; }
    if (at >= 0) { rows[at].classList.remove("is-current"); }
    at = Math.max(0, Math.min(rows.length - 1, to));
    rows[at].classList.add("is-current");
    rows[at].querySelector("a").focus();
  }
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) { return; }
    if (event.key === "/" && search) { event.preventDefault(); search.focus(); }
    if (event.key === "j" || event.key === "ArrowDown") { event.preventDefault(); go(at + 1); }
    if (event.key === "k" || event.key === "ArrowUp") { event.preventDefault(); go(at - 1); }
    if (event.key === "x" && at >= 0) { var box = rows[at].querySelector("input[name=plugin]"); if (box) { box.checked = !box.checked; } }
  });
})();
