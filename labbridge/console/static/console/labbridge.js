/* Every page of a signed-in person: goes blank before the session ends, and answers to keys. Without it all works. */
(function () {
  "use strict";
  var body = document.body;
  var BLANK_AFTER = Number(body.dataset.blankAfter) * 1000;
  var ASK_AT_MOST_EVERY = 60 * 1000;
  var seen = Date.now(); /* when the service last heard of this person, in any window */
  var asked = seen;
  var over = false;
  var windows = "BroadcastChannel" in window ? new BroadcastChannel("labbridge") : null;

  /* -- going blank ------------------------------------------------------------------------------------------- */

  function tell(what) {
    if (windows) { windows.postMessage(what); }
  }

  function end() {
    if (over) { return; }
    over = true;
    var signOut = document.getElementById("sign-out");
    var note = document.createElement("p");
    note.className = "blank";
    note.setAttribute("role", "alert");
    note.textContent = "Signed out. Nothing of the page is left on this screen.";
    signOut.hidden = true;
    signOut.elements.next.value = body.dataset.signIn + "?next=" + encodeURIComponent(location.pathname + location.search);
    body.replaceChildren(note, signOut); /* first blank, then the service: the network may be away */
    signOut.submit();
  }

  function look() {
    if (Date.now() - seen >= BLANK_AFTER) {
      tell("over");
      end();
    }
  }

  function atWork() {
    if (over || Date.now() - Math.max(seen, asked) < ASK_AT_MOST_EVERY) { return; }
    look(); /* a machine that slept wakes up with a key: what it shows is too old */
    if (over) { return; }
    var now = asked = Date.now();
    fetch(body.dataset.here, { credentials: "same-origin", redirect: "manual", cache: "no-store" }).then(function (answer) {
      if (answer.ok) { seen = now; tell(now); } else { tell("over"); end(); }
    }, function () { /* the network is away: the clock goes on from the last time it was there */ });
  }

  if (windows) {
    windows.onmessage = function (event) {
      if (event.data === "over") { end(); } else { seen = Math.max(seen, Number(event.data)); }
    };
  }
  tell(seen);
  ["pointerdown", "keydown", "wheel", "touchmove"].forEach(function (name) {
    addEventListener(name, atWork, { passive: true });
  });
  setInterval(look, 1000);
  document.addEventListener("visibilitychange", look);
  addEventListener("pageshow", function (event) {
    if (event.persisted) { location.reload(); } /* a page from the browser's memory may outlive its session */
  });
  document.getElementById("sign-out").addEventListener("submit", function () { tell("over"); });

  /* -- on a phone the entries of the navigation, and tabs, stand in one line: show the one that is open ------------ */

  function showOpen() {
    document.querySelectorAll(".side a[aria-current], .tabs a[aria-current]").forEach(function (open) {
      var line = open.closest(".side, .tabs");
      line.scrollLeft += open.getBoundingClientRect().left - line.getBoundingClientRect().left - (line.clientWidth - open.offsetWidth) / 2;
    });
  }
  showOpen();
  addEventListener("resize", showOpen); /* a phone that is turned */

  /* -- news that arrive by themselves (htmx) -------------------------------------------------------------------- */

  document.addEventListener("htmx:beforeRequest", function (event) {
    /* Nobody's focus is taken away, and a window that nobody sees asks for nothing. */
    var target = event.detail.target;
    var quiet = event.detail.requestConfig.headers["X-Labbridge-Quiet"];
    if (quiet && (document.hidden || (target !== body && target.contains(document.activeElement)))) {
      event.preventDefault();
    }
  });

  /* -- keys --------------------------------------------------------------------------------------------------- */

  var list = document.getElementById("keys");
  if (!list) { return; }
  var SWITCH = "labbridge-keys";
  var button = document.querySelector("[data-keys]");
  var box = list.querySelector("[data-keys-on]");
  var waiting = false; /* for the second key after g */

  function stored() {
    try { return localStorage.getItem(SWITCH) !== "off"; } catch (error) { return true; }
  }

  button.hidden = false;
  button.addEventListener("click", function () { list.showModal(); });
  box.checked = stored();
  box.addEventListener("change", function () {
    try { localStorage.setItem(SWITCH, box.checked ? "on" : "off"); } catch (error) { /* for this page only */ }
  });

  function typing(target) {
    return target.closest("input, select, textarea, [contenteditable], dialog") !== null;
  }

  document.addEventListener("keydown", function (event) {
    if (over || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !box.checked) { return; }
    if (typing(event.target)) { return; }
    var second = waiting;
    waiting = false;
    if (second) {
      var link = document.querySelector('.side a[data-key="' + CSS.escape(event.key) + '"]');
      if (link) { event.preventDefault(); link.click(); }
    } else if (event.key === "g") {
      waiting = true;
      setTimeout(function () { waiting = false; }, 1500);
    } else if (event.key === "/") {
      var search = document.querySelector('main input[type="search"]');
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    } else if (event.key === "?") {
      event.preventDefault();
      list.showModal();
    }
  });
}());
