/* Labbridge on a Caspio DataPage: <a data-labbridge-order data-patient="KEY">Order labs</a>
 *
 * The patient's key may also be read from another element, so that Caspio puts it into the page as text and never
 * into a script: data-patient-from="#element". Optional: data-tests="ID,ID", data-protocol="ID".
 * Only keys go into the address; names, e-mails and birthdays never do.
 */
(function () {
  "use strict";
  var ADDRESS = "__ORDER_ADDRESS__";

  function valueOf(link, name) {
    var from = link.getAttribute("data-" + name + "-from");
    var source = from ? document.querySelector(from) : null;
    var value = source ? source.value || source.textContent : link.getAttribute("data-" + name);
    value = (value || "").trim();
    /* A placeholder that Caspio did not fill in, such as [@field:Patient_ID], is no value. */
    return value.indexOf("[@") === -1 ? value : "";
  }

  function prepare(link) {
    var patient = valueOf(link, "patient");
    if (!patient) {
      link.removeAttribute("href");
      link.setAttribute("aria-disabled", "true");
      link.title = "This record has no patient key yet.";
      return;
    }
    var parts = ["patient=" + encodeURIComponent(patient)];
    ["tests", "protocol"].forEach(function (name) {
      var value = valueOf(link, name);
      if (value) { parts.push(name + "=" + encodeURIComponent(value)); }
    });
    if (!link.hasAttribute("data-no-back")) {
      /* Without its query, which may hold what the page was searched for. */
      parts.push("back=" + encodeURIComponent(location.origin + location.pathname));
    }
    link.removeAttribute("aria-disabled");
    link.removeAttribute("title");
    link.rel = "noreferrer";
    link.target = link.target || "_top";
    link.href = ADDRESS + "?" + parts.join("&");
  }

  function prepareAll() {
    Array.prototype.forEach.call(document.querySelectorAll("a[data-labbridge-order]"), prepare);
  }

  /* DataPages render again by AJAX and say so each time (caspio-api.md 5.3); preparing twice changes nothing. */
  document.addEventListener("DataPageReady", prepareAll);
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", prepareAll);
  } else {
    prepareAll();
  }
  /* Values may be filled in later, by the page's own script. */
  document.addEventListener("click", function (event) {
    var link = event.target.closest ? event.target.closest("a[data-labbridge-order]") : null;
    if (link) { prepare(link); }
  }, true);
}());
