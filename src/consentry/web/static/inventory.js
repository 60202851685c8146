// Tables of plugins and alerts: keyboard, ticks and the bar for what is ticked. The pages work without it.
(function () {
  "use strict";
  var table = document.querySelector("[data-tick-table]");
  var search = document.querySelector("[data-search]");
  if (!table) { return; }
  var noun = table.dataset.tickTable;
  var all = document.querySelector("[data-tick-all]");
  var bar = document.querySelector("[data-bulk]");
  var boxes = Array.prototype.slice.call(table.querySelectorAll("input[name=" + noun + "]"));
  function count() {
    if (!bar) { return; }
    var ticked = boxes.filter(function (box) { return box.checked; }).length;
    bar.hidden = ticked === 0;
    bar.querySelector("[data-ticked]").textContent = ticked + " " + noun + (ticked === 1 ? "" : "s") + " ticked";
    if (all) { all.checked = ticked > 0 && ticked === boxes.length; all.indeterminate = ticked > 0 && ticked < boxes.length; }
  }
  if (all) {
    all.addEventListener("change", function () { boxes.forEach(function (box) { box.checked = all.checked; }); count(); });
  }
  boxes.forEach(function (box) { box.addEventListener("change", count); });
  window.addEventListener("pageshow", count);
  if (bar) {
    bar.addEventListener("keydown", function (event) { // several buttons could be meant
      if (event.key === "Enter" && event.target.matches("[data-no-enter]")) { event.preventDefault(); }
    });
  }
  count();
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
    if (event.ctrlKey || event.metaKey || event.altKey || /TEXTAREA|SELECT/.test(event.target.tagName)) { return; }
    if (event.target.tagName === "INPUT" && event.target.type !== "checkbox") { return; }
    if (event.target.closest(".dropdown-menu")) { return; }
    if (event.key === "/" && search) { event.preventDefault(); search.focus(); }
    if (event.key === "j") { event.preventDefault(); go(at + 1); }
    if (event.key === "k") { event.preventDefault(); go(at - 1); }
    if (event.key === "x" && at >= 0) { var box = rows[at].querySelector("input[name=" + noun + "]"); if (box) { box.checked = !box.checked; count(); } }
  });
})();
