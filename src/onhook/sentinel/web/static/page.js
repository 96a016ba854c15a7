"use strict";
// Lengths of time go on, times are those of this browser's zone, and a page that hears nothing any
// more says so. Without this the page reads as it was when it was loaded.
(() => {
  const connection = document.getElementById("connection");
  const live = document.getElementById("live");
  // the page was made when its first byte came, which may be long before this runs
  const came = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart || 0);
  const ahead = Number(connection.dataset.now) - came / 1000;
  const now = () => Date.now() / 1000 + ahead;
  let heard = Date.now();
  let open = false;

  const two = (n) => String(n).padStart(2, "0");
  const length = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = whole % 60;
    return h ? `${h}:${two(m)}:${two(s)} h` : m ? `${m}:${two(s)} min` : `${s} s`;
  };
  const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const local = (date) => {
    if (date.toDateString() === new Date().toDateString()) return clock(date);
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
  };
  const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };

  const tick = () => {
    for (const element of document.querySelectorAll("[data-since]")) {
      write(element, length(now() - Number(element.dataset.since)));
    }
  };
  const localise = () => {
    for (const element of document.querySelectorAll("time[datetime]")) {
      write(element, local(new Date(element.dateTime)));
    }
  };
  const tell = (text, stale) => {
    write(connection, text);
    connection.classList.toggle("stale", stale);
  };
  const lost = () => {
    if (open) tell(`Not connected since ${clock(new Date(heard))}: what stands here may be old. Trying again.`, true);
    open = false;
  };

  live.addEventListener("htmx:sse:after:connection", () => {
    heard = Date.now();
    open = true;
    tell("Live: this page changes by itself.", false);
  });
  live.addEventListener("htmx:sse:after:message", () => { heard = Date.now(); });
  live.addEventListener("htmx:sse:close", lost);
  live.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401 || event.detail.status === 403) location.reload();
    if (!document.hidden) lost();
  });
  document.addEventListener("htmx:after:swap", () => { localise(); tick(); });

  write(document.getElementById("zone"), `the zone ${Intl.DateTimeFormat().resolvedOptions().timeZone}`);
  localise();
  tick();
  setInterval(tick, 1000);
})();
