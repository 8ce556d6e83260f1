/* The demo's page for rupa-js: a key from Labbridge, an intent made by the browser, Rupa's own button. */
(function () {
  "use strict";
  var form = document.getElementById("rupa-js");
  var said = document.getElementById("said");

  function getPublishableKey() {
    var headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
    return fetch(form.dataset.keys, { method: "POST", credentials: "same-origin", headers: headers })
      .then(function (answer) { return answer.json(); })
      .then(function (answer) {
        if (!answer.publishable_key) { throw new Error(answer.detail || "No key."); }
        return answer.publishable_key;
      });
  }

  var rupa = new window.Rupa(getPublishableKey, { sandbox: true });

  form.addEventListener("submit", function (event) {
    event.preventDefault();
    said.textContent = "Asking Rupa…";
    rupa.orderIntents.create({
      return_url: form.dataset.back,
      patient: form.dataset.patient,
      lab_tests: Array.prototype.map.call(form.querySelectorAll("input:checked"), function (one) { return one.value; })
    }).then(function (answer) {
      if (answer.status !== "success") {
        said.textContent = "Rupa said " + answer.error.code + ".";
        return;
      }
      said.textContent = "The order intent " + answer.orderIntent.id + " is ready.";
      form.querySelector("button").disabled = true;
      rupa.elements.create("orderButton", { orderIntent: answer.orderIntent }).mount("#button");
    });
  });
}());
