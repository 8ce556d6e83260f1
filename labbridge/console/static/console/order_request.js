/* A request that waits: look every ten seconds whether it stands otherwise, and show it then. */
(function () {
  "use strict";
  var shown = document.querySelector("[data-state]");
  if (!shown) { return; }
  setInterval(function () {
    var quiet = { "X-Labbridge-Quiet": "1" }; /* no activity of a person: the session may idle */
    fetch(location.href, { credentials: "same-origin", headers: quiet }).then(function (answer) {
      return answer.ok ? answer.text() : "";
    }).then(function (text) {
      var now = text && new DOMParser().parseFromString(text, "text/html").querySelector("[data-state]");
      if (now && now.getAttribute("data-state") !== shown.getAttribute("data-state")) { location.reload(); }
    }).catch(function () { /* away for a moment: the next look tells */ });
  }, 10000);
}());
