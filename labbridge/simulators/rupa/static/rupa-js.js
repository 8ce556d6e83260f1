/* STAND-IN for rupa-js 0.1.2, Rupa's library for browsers, which cannot be loaded here. It is not Rupa's code: it has
 * the documented constructor and calls, and makes the documented HTTP request (rupa-api.md 9). Of the order button only
 * the text is kept; the real one loads a font from elsewhere.
 */
(function () {
  "use strict";
  var BASE = new URL(document.currentScript.src).origin;
  var CODES = { 400: "RupaValidationError", 401: "RupaNotAuthenticatedError", 403: "RupaPermissionDeniedError",
    404: "RupaNotFoundError" };

  function Rupa(getPublishableKey) {
    if (typeof getPublishableKey !== "function") { throw new Error("getPublishableKey must be a function."); }
    var key = null;

    function keyFor(again) {
      if (again || !key) { key = getPublishableKey(); }
      return key;
    }

    function send(data, again) {
      return keyFor(again).then(function (known) {
        return fetch(BASE + "/order-intents/", {
          method: "POST",
          headers: { "Authorization": "Bearer " + known, "Content-Type": "application/json",
            "X-Rupa-User-Agent": "RupaJS/stand-in" },
          body: JSON.stringify(data)
        });
      }).then(function (answer) {
        if (!again && (answer.status === 401 || answer.status === 403)) { return send(data, true); }
        return answer.json().then(function (body) {
          if (answer.status === 200 || answer.status === 201) { return { status: "success", orderIntent: body }; }
          var code = body.code || CODES[answer.status] || "RupaUnknownError";
          return { status: "error", error: { code: code, message: body.message, fields: body.fields } };
        });
      }).catch(function (problem) {
        return { status: "error", error: { code: "RupaUnknownError", message: String(problem), nativeError: problem } };
      });
    }

    this.orderIntents = { create: function (data) { return send(data, false); } };
    this.elements = {
      create: function (kind, options) {
        if (kind !== "orderButton") { throw new Error("Unknown element " + kind); }
        return {
          mount: function (selector) {
            var link = document.createElement("a");
            link.href = options.orderIntent.redirect_url;
            link.textContent = options.text || "Order with Rupa";
            document.querySelector(selector).attachShadow({ mode: "open" }).appendChild(link);
          }
        };
      }
    };
  }
  window.Rupa = Rupa;
}());
