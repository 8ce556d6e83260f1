/* Labbridge on a Caspio DataPage: <a data-labbridge-order data-patient="KEY">Order labs</a>
 *
 * The patient's key is better read from another element, so that Caspio puts it into the page as text and never into
 * a script: data-patient-from="#element". So are the others: data-tests, data-protocol ("ID,ID" and "ID"), and
 * data-back, the address to come back to; without it that is this page, without what follows its "?".
 * Only keys go into the address; names, e-mails and birthdays never do.
 */
(function () {
  "use strict";
  var ADDRESS = "__ORDER_ADDRESS__";
  var LINKS = "a[data-labbridge-order]";
  if (window.labbridgeOrder === ADDRESS) { return; } /* the same page may load this for several DataPages */
  window.labbridgeOrder = ADDRESS;

  function valueOf(link, name) {
    var from = link.getAttribute("data-" + name + "-from");
    var source = from ? (link.parentNode.querySelector(from) || document.querySelector(from)) : null;
    var value = source ? source.value || source.textContent : link.getAttribute("data-" + name);
    value = (value || "").trim();
    /* A placeholder that Caspio did not fill in, such as [@field:Patient_ID], is no value. */
    return value.indexOf("[@") === -1 ? value : "";
  }

  function set(link, name, value) {
    if (link.getAttribute(name) === value) { return; }
    if (value === null) { link.removeAttribute(name); } else { link.setAttribute(name, value); }
  }

  function prepare(link) {
    var patient = valueOf(link, "patient");
    set(link, "role", patient ? null : "link");
    set(link, "aria-disabled", patient ? null : "true");
    set(link, "title", patient ? null : "This record has no patient key yet.");
    if (!patient) { set(link, "href", null); return; }
    var parts = ["patient=" + encodeURIComponent(patient)];
    ["tests", "protocol"].forEach(function (name) {
      var value = valueOf(link, name);
      if (value) { parts.push(name + "=" + encodeURIComponent(value)); }
    });
    if (!link.hasAttribute("data-no-back")) {
      parts.push("back=" + encodeURIComponent(valueOf(link, "back") || location.origin + location.pathname));
    }
    set(link, "rel", "noreferrer");
    if (!link.target) { set(link, "target", "_top"); }
    set(link, "href", ADDRESS + "?" + parts.join("&"));
  }

  /* <a data-labbridge-checkout data-url-from=".element" hidden>: shown while there is a checkout to go to. */
  function prepareCheckout(link) {
    var address = valueOf(link, "url");
    var usable = /^https?:\/\//.test(address);
    set(link, "href", usable ? address : null);
    set(link, "rel", "noreferrer");
    if (link.hidden === usable) { link.hidden = !usable; }
  }

  function prepareAll() {
    Array.prototype.forEach.call(document.querySelectorAll(LINKS), prepare);
    Array.prototype.forEach.call(document.querySelectorAll("a[data-labbridge-checkout]"), prepareCheckout);
  }

  /* DataPages render again by AJAX and say so each time (caspio-api.md 5.3); preparing twice changes nothing. */
  document.addEventListener("DataPageReady", prepareAll);
  /* Where they do not say so, or another script fills values in. */
  new MutationObserver(prepareAll).observe(document.documentElement, { childList: true, subtree: true });
  ["click", "focusin"].forEach(function (name) {
    document.addEventListener(name, function (event) {
      var link = event.target && event.target.closest ? event.target.closest(LINKS) : null;
      if (link) { prepare(link); }
    }, true);
  });
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", prepareAll);
  } else {
    prepareAll();
  }
}());
