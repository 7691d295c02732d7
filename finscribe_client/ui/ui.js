// Replaces the parts of a page that have changed on the server, every few seconds, while a run goes on.
"use strict";
const SECONDS = 5;

async function refresh() {
  const live = document.querySelector("[data-live]");
  if (!live) return;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (response.ok) {
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const part of document.querySelectorAll("[data-part]")) {
        const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
        // What somebody works in stays as it is.
        if (other && other.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
          part.replaceChildren(...other.childNodes);
        }
      }
      if (!fresh.querySelector("[data-live]")) live.removeAttribute("data-live");
    } else if (response.status === 401) {
      location.reload(); // the page says how to get in again
    }
  } catch {
    // The server has ended, or the network: the next attempt shows it.
  }
  setTimeout(refresh, SECONDS * 1000);
}

setTimeout(refresh, SECONDS * 1000);
