/* Loads a DataPage's content by AJAX, as Caspio does since 13.0, and says DataPageReady after each rendering. */
(function () {
  "use strict";
  var place = document.getElementById("datapage");
  var appKey = place.getAttribute("data-app-key");

  function run(old) { /* a script that came by AJAX runs only when it is made anew */
    var script = document.createElement("script");
    script.src = old.src;
    old.replaceWith(script);
  }

  function load() {
    fetch("/dp/" + appKey + "/content" + location.search).then(function (answer) {
      return answer.text();
    }).then(function (html) {
      place.replaceChildren(document.createRange().createContextualFragment(html));
      Array.prototype.forEach.call(place.querySelectorAll("script[src]"), run);
      document.dispatchEvent(new CustomEvent("DataPageReady", { detail: { appKey: appKey } }));
    });
  }

  document.getElementById("refresh").addEventListener("click", load);
  load();
}());
