// Small glue between htmx, Tabler's panels and the page. No inline handlers: everything is found by data attributes.
(function () {
  "use strict";

  function all(selector, root) { return Array.prototype.slice.call((root || document).querySelectorAll(selector)); }

  // Times in the person's own zone
  var full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  var day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  var relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  function ago(moment) {
    var seconds = (moment.getTime() - Date.now()) / 1000;
    var steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];
    for (var i = 0; i < steps.length; i += 1) {
      if (Math.abs(seconds) < steps[i][1]) { return relative.format(Math.round(seconds), steps[i][0]); }
      seconds /= steps[i][1];
    }
    return "";
  }
  function showTimes(root) {
    all("time[data-time]", root).forEach(function (element) {
      var moment = new Date(element.getAttribute("datetime"));
      if (isNaN(moment)) { return; }
      var style = element.dataset.time;
      element.textContent = style === "ago" ? ago(moment) : style === "date" ? day.format(moment) : full.format(moment);
      element.title = full.format(moment) + " (" + moment.toISOString().slice(0, 16).replace("T", " ") + " UTC)";
    });
  }

  // Colours
  function markTheme() {
    var choice = document.documentElement.getAttribute("data-theme-choice") || "auto";
    all("[data-theme-choice]").forEach(function (button) {
      if (button !== document.documentElement) { button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice)); }
    });
  }

  // Notes
  var toasts = document.getElementById("toasts");
  function note(text, level, link) {
    var box = document.createElement("div");
    box.className = "note note-" + (level || "info");
    box.setAttribute("data-note", "");
    var span = document.createElement("span");
    span.className = "note-text";
    span.textContent = text;
    if (link) {
      var anchor = document.createElement("a");
      anchor.href = link.url; anchor.target = "_blank"; anchor.rel = "noopener noreferrer"; anchor.textContent = link.text;
      span.append(" ", anchor);
    }
    var close = document.createElement("button");
    close.type = "button"; close.className = "btn-close"; close.setAttribute("aria-label", "Close message"); close.setAttribute("data-dismiss-note", "");
    if (link) { box.dataset.until = "settled"; }
    box.append(span, close);
    toasts.append(box);
    age(box);
  }
  function age(box) {
    var wait = box.classList.contains("note-error") || box.querySelector("a") ? 20000 : 7000;
    setTimeout(function () { if (!box.matches(":hover, :focus-within")) { box.remove(); } else { age(box); } }, wait);
  }

  // Panels and dialogs, filled by htmx
  function surface(id) {
    var element = document.getElementById(id);
    if (!element || !window.tabler) { return null; }
    var kind = id === "panel" ? window.tabler.Offcanvas : window.tabler.Modal;
    return kind ? kind.getOrCreateInstance(element) : null;
  }
  function hide(id) { var open = surface(id); if (open) { open.hide(); } }

  // The answer to "Authorize" names Microsoft's address. The click still counts as the person's own when it is there,
  // so the new tab is not held for a pop-up; where it is, the note's link does the same.
  document.addEventListener("consentry:authorise", function (event) {
    var tab = window.open(event.detail.url, "_blank");
    if (tab) { tab.opener = null; }
    hide("panel"); hide("dialog");
    note(tab ? "Finish at Microsoft in the new tab." : "The browser held back the new tab.", tab ? "info" : "warning",
      { url: event.detail.url, text: tab ? "Open it again" : "Open Microsoft" });
  });
  document.addEventListener("consentry:note", function (event) { note(event.detail.text, event.detail.level); });
  document.addEventListener("consentry:settled", function () { all("[data-until='settled']").forEach(function (box) { box.remove(); }); });
  document.addEventListener("inventory-changed", function () { if (document.querySelector("[data-first-inventory]")) { window.location.reload(); } });
  document.addEventListener("consentry:close", function () { hide("panel"); hide("dialog"); });

  // A row that asks for itself waits while its menu is open
  document.addEventListener("htmx:beforeRequest", function (event) {
    if (event.detail.elt.matches("tr") && event.detail.elt.querySelector(".dropdown-menu.show")) { event.preventDefault(); }
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    showTimes(event.detail.target);
    if (event.detail.target.id === "panel-content" && event.detail.target.childElementCount) { hide("dialog"); var panel = surface("panel"); if (panel) { panel.show(); } }
    if (event.detail.target.id === "dialog-content" && event.detail.target.childElementCount) { var dialog = surface("dialog"); if (dialog) { dialog.show(); } }
  });
  document.addEventListener("htmx:load", function (event) { showTimes(event.detail.elt); });
  // Forms come back with 422 and their errors: they are shown, not dropped.
  document.addEventListener("htmx:beforeSwap", function (event) {
    if (event.detail.xhr.status === 422) { event.detail.shouldSwap = true; event.detail.isError = false; }
  });
  document.addEventListener("htmx:responseError", function (event) {
    var status = event.detail.xhr.status;
    if (status === 401) { window.location.reload(); return; }
    note(status === 403 ? "Your role does not allow this." : status === 404 ? "This is not there any more. Load the page again." : "That did not work. Load the page and try again.", "error");
  });
  var silent = false;
  document.addEventListener("htmx:sendError", function () {
    if (silent) { return; }
    silent = true;
    note("The console does not answer. It is tried again by itself.", "error");
    setTimeout(function () { silent = false; }, 15000);
  });

  document.addEventListener("click", function (event) {
    var target = event.target.closest("[data-theme-choice], [data-dismiss-note], [data-copy], [data-close]");
    if (!target || target === document.documentElement) { return; }
    if (target.dataset.themeChoice) { window.consentryTheme(target.dataset.themeChoice); markTheme(); }
    if (target.hasAttribute("data-dismiss-note")) { target.closest("[data-note]").remove(); }
    if (target.dataset.copy && navigator.clipboard) {
      navigator.clipboard.writeText(target.dataset.copy).then(function () { note("Copied.", "success"); });
    }
    if (target.hasAttribute("data-close")) { hide("panel"); hide("dialog"); }
  });
  // A select or checkbox may show and hide a part of its form.
  document.addEventListener("change", function (event) {
    var name = event.target.dataset && event.target.dataset.reveals;
    if (name) { all("[data-revealed-by='" + name + "']").forEach(function (part) { part.hidden = part.dataset.value !== event.target.value; }); }
  });

  markTheme();
  showTimes(document);
  all("[data-note]").forEach(age);
  if (toasts) { toasts.dataset.ready = "true"; }
})();
