// Makes the page live: parts arrive as they change. Without this script the page shows the moment it was opened.
"use strict";
(() => {
  const lost = document.getElementById("lost");
  let heard = Date.now();
  const alive = () => { heard = Date.now(); lost.hidden = true; };

  const put = (id, html) => {
    const part = document.getElementById(id);
    if (!part) return;
    // What was opened stays open, what has the keyboard keeps it.
    const open = [...part.querySelectorAll("details[open]")].map((d) => d.dataset.key);
    const at = document.activeElement;
    const held = at && part.contains(at) ? at.closest("details")?.dataset.key : undefined;
    part.innerHTML = html;
    for (const details of part.querySelectorAll("details")) {
      if (open.includes(details.dataset.key)) details.open = true;
      if (held !== undefined && details.dataset.key === held) details.querySelector("summary").focus();
    }
  };

  if (window.EventSource) {
    const parts = document.body.dataset.path === "/" ? ["clock", "now", "alarms", "band", "recent", "today", "machine"] : ["clock"];
    const live = new EventSource("/live");
    for (const id of parts) live.addEventListener(id, (message) => { alive(); put(id, message.data); });
    live.addEventListener("state", (message) => { document.body.dataset.state = message.data; });
    setInterval(() => { if (Date.now() - heard > 8000) lost.hidden = false; }, 2000);
    addEventListener("pagehide", () => live.close());
  }

  // Pressed once is enough.
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    if (event.target.method === "post") event.target.dataset.sent = "1";
  });
  addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });

  const stop = document.getElementById("stop");
  if (stop) document.addEventListener("keydown", (event) => { if (event.key === "Escape") stop.open = false; });
})();
