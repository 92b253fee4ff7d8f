"use strict";
// Follows a login: by events, or by asking every second where events do not pass. The server
// renders every screen; this script changes the code and the words within one, and loads the next.
const root = document.getElementById("login");
const address = root.dataset.login;
const qr = document.getElementById("qr");
const path = root.querySelector("#qr path");
const message = document.getElementById("message");
const away = document.getElementById("away");
const query = (root.dataset.tab ? root.dataset.tab + "&" : "?") + "code=modules";
let source = null;
let timer = null;
let asking = null;
let failures = 0;
let leaving = false;
let heard = performance.now();
let tried = heard;
// Since when there is no code that is good.
let staleSince = null;

function show(state) {
  if (leaving) return;
  heard = performance.now();
  lost(false);
  if (state.screen === "finish") {
    leaving = true;
    location.replace(address + "/finish");
  } else if (state.screen === "over" && root.dataset.screen === "other-tab") {
    // It ended where this page said that it would.
    leaving = true;
    rest();
  } else if (state.screen === "renewing" && qr) {
    // The next code comes to this very page: whoever filled the screen with it keeps it so. When it takes its
    // time, the page says why, with a way on.
    qr.classList.add("stale");
    if (!staleSince) staleSince = heard;
    if (heard - staleSince > (isLarge() ? 15000 : 4000)) loadAnew();
  } else if (state.screen !== root.dataset.screen || state.heading !== root.dataset.heading) {
    // The app may have come back at this very moment: its nonce goes first.
    if (returning()) return void comeBack();
    loadAnew();
  } else {
    // The old frame stays until the new one is here: there is no blank between them.
    if (path && (state.modules || state.qr)) {
      // An earlier version's node draws it.
      path.setAttribute("d", state.modules ? drawn(state.modules) : state.qr);
      qr.classList.remove("stale");
      staleSince = null;
    }
    // A live region speaks when its text changes, so it is only changed when it differs.
    if (message && state.message && message.textContent !== state.message) {
      message.textContent = state.message;
    }
  }
}

// The code as a path: one subpath for each run of dark modules in a row. They come as bits, row by
// row; those that fill the last byte are too few for another row and column.
function drawn(modules) {
  const bytes = Array.from(atob(modules), (byte) => byte.charCodeAt(0));
  const side = Math.floor(Math.sqrt(bytes.length * 8));
  const isDark = (n) => (bytes[n >> 3] >> (7 - (n & 7))) & 1;
  let d = "";
  for (let y = 0; y < side; y++) {
    for (let x = 0, run; x < side; x += run || 1) {
      for (run = 0; x + run < side && isDark(y * side + x + run); run++);
      if (run) d += `M${x} ${y}h${run}v1h-${run}z`;
    }
  }
  return d;
}

async function ask() {
  timer = null;
  tried = performance.now();
  try {
    asking = new AbortController();
    const options = { cache: "no-store", signal: asking.signal };
    const answer = await fetch(address + "/status" + query, options);
    if (answer.ok) show(await answer.json());
    else if (answer.status === 403) loadAnew();
  } catch {
    // No network for the moment, or the server starts again: ask again.
  } finally {
    asking = null;
  }
  if (!leaving && !document.hidden && !source && !rests()) {
    // A second after the last one, and at once where the answer took longer.
    timer = setTimeout(ask, Math.max(0, 1000 - (performance.now() - tried)));
  }
}

function follow() {
  if (leaving || source || timer) return;
  if (failures > 2 || typeof EventSource === "undefined") {
    ask();
    return;
  }
  tried = performance.now();
  source = new EventSource(address + "/events" + query);
  source.onmessage = (event) => {
    failures = 0;
    show(JSON.parse(event.data));
  };
  source.onerror = broken;
}

function broken() {
  rest();
  failures += 1;
  if (rests()) return;
  timer = setTimeout(() => {
    timer = null;
    follow();
  }, 1000);
}

// The next screen. Not as an arrival: nobody pressed anything, so the app must not be opened; and
// whoever listens hears it from its heading on.
function loadAnew() {
  leaving = true;
  try {
    sessionStorage.setItem("portvakt-moved", location.pathname);
  } catch {
    // A browser that remembers nothing: the page's title is read out.
  }
  location.reload();
}
try {
  if (sessionStorage.getItem("portvakt-moved") === location.pathname) {
    sessionStorage.removeItem("portvakt-moved");
    const heading = document.querySelector("h1");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
} catch {
  // The same.
}

// Something is told every second. When nothing comes, the code on the page is soon too old to be scanned,
// and is not left there; a stream that a proxy holds back is given up for asking. Each try has its time,
// however long ago the last word was: a network may be slow.
const STALE = 2500;
const SILENT = 4500;
setInterval(() => {
  if (document.hidden || leaving || rests()) {
    heard = performance.now();
    return;
  }
  const now = performance.now();
  if (qr && now - heard > STALE) qr.classList.add("cut");
  if (now - heard > SILENT) lost(true);
  if (now - Math.max(heard, tried) <= SILENT) return;
  tried = now;
  if (source) {
    failures += 1;
    broken();
  } else if (asking) {
    asking.abort();
  }
}, 500);

function lost(isLost) {
  if (qr && !isLost) qr.classList.remove("cut");
  if (!away || away.hidden === !isLost) return;
  // A live region speaks when its text changes.
  away.textContent = isLost ? away.dataset.text : "";
  away.hidden = !isLost;
}

// A screen that has come to rest is told once, and the stream ends.
function rests() {
  return ["failed", "step-up", "over"].includes(root.dataset.screen);
}

function rest() {
  if (asking) asking.abort();
  if (source) source.close();
  source = null;
  clearTimeout(timer);
  timer = null;
}

// Whoever needs more time than there is can ask for it before it is up.
const ending = document.getElementById("ending");
if (ending) setTimeout(() => (ending.hidden = false), Math.max(0, ending.dataset.after) * 1000);

// A hidden tab follows nothing: the server goes on without it, and tells it when it is back.
document.addEventListener("visibilitychange", () => (document.hidden ? rest() : follow()));
// A page out of the browser's memory asks how things stand, and is loaded anew only when they have
// changed: a forced reload on the way back breaks the windows that native apps log in through.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  leaving = false;
  rest();
  follow();
});

// The app came back to this very tab: only the fragment of its address changed. Until that is
// heard, nothing that the events say may overtake it, and a phone that wakes up may have no network.
let telling = false;
function returning() {
  return location.hash.startsWith("#rn_");
}
async function comeBack() {
  // Whatever this page was on its way to, the nonce goes first.
  if (telling || !returning()) return;
  const nonce = location.hash.slice(1);
  telling = true;
  leaving = true;
  rest();
  for (let pause = 250; ; pause = Math.min(2 * pause, 4000)) {
    try {
      const answer = await fetch(address + "/return", {
        method: "POST",
        body: new URLSearchParams({ nonce }),
      });
      if (answer.ok) {
        location.replace((await answer.json()).next);
        return;
      }
      if (answer.status < 500) break;
    } catch {
      // Nobody answered: the nonce stays in the address, and is told again.
    }
    await new Promise((done) => setTimeout(done, pause));
  }
  // It is no return of this login. It goes on as it was.
  history.replaceState(null, "", location.pathname);
  telling = false;
  leaving = false;
  follow();
}
addEventListener("hashchange", comeBack);
comeBack();

// A page that came in another language is still the one that was there: nobody asked for the app again.
document.addEventListener("submit", (event) => {
  if (event.target.id !== "in-language") return;
  try {
    sessionStorage.setItem("translated", address);
  } catch {
    // A browser that keeps nothing opens the app once more.
  }
});
// Asked by every page, so that what one leaves behind is not found by a later one.
let onlyTranslated = false;
try {
  onlyTranslated = sessionStorage.getItem("translated") === address;
  sessionStorage.removeItem("translated");
} catch {
  // The same.
}

// The app is opened once, for a page that has just come by a press of the person's: never again by a
// reload or by the back button, or the app and the browser would send each other back and forth.
const link = document.getElementById("open-app");
if (link) {
  const arrived = performance.getEntriesByType("navigation")[0];
  const pressed = arrived && arrived.type === "navigate" && !onlyTranslated;
  if (link.dataset.start !== undefined && pressed && !document.hidden) {
    link.click();
  }
  // Nobody tells a page that no app was opened. If it is still looked at, something may be wrong.
  const help = () =>
    setTimeout(() => {
      if (!leaving && !document.hidden) document.getElementById("not-started").hidden = false;
    }, 5000);
  link.addEventListener("click", help);
  help();
}

// The code fills the screen when it is activated, and Escape brings the page back, with the focus
// where it was. A browser that fills its screen with nothing but films gets a code as large as its window.
const isLarge = () => qr.classList.contains("large");
function makeLarge(large) {
  qr.classList.toggle("large", large);
  qr.setAttribute("aria-label", large ? qr.dataset.shrink : qr.dataset.enlarge);
  // What is behind the code cannot be reached.
  for (const one of document.querySelectorAll(".top, .foot, #login > :not(#qr)")) one.inert = large;
}
function shrink() {
  if (document.fullscreenElement) document.exitFullscreen();
  makeLarge(false);
  qr.focus();
  look();
}
async function enlarge() {
  makeLarge(true);
  try {
    await qr.requestFullscreen();
  } catch {
    // It fills the window, then.
  }
  look();
}

// Whoever sees a part of the screen at a time cannot know whether the code is cut: they are told,
// once each time that it changes, and never by the seconds.
const seen = document.getElementById("seen");
function look() {
  const box = qr.firstElementChild.getBoundingClientRect();
  const view = window.visualViewport;
  const [left, top] = view ? [view.offsetLeft, view.offsetTop] : [0, 0];
  const [width, height] = view ? [view.width, view.height] : [innerWidth, innerHeight];
  // Half a pixel is lost to rounding when a page is enlarged.
  const whole =
    box.left >= left - 1 &&
    box.top >= top - 1 &&
    box.right <= left + width + 1 &&
    box.bottom <= top + height + 1;
  const says = whole ? seen.dataset.whole : seen.dataset.part;
  seen.classList.toggle("unseen", whole);
  if (seen.textContent !== says) seen.textContent = says;
}
if (qr) {
  qr.disabled = false;
  qr.addEventListener("click", () => (isLarge() ? shrink() : enlarge()));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isLarge()) shrink();
  });
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) shrink();
  });
  qr.scrollIntoView({ block: "nearest" });
  new IntersectionObserver(look, { threshold: [0, 0.25, 0.5, 0.75, 0.99, 1] }).observe(qr);
  if (window.visualViewport) {
    visualViewport.addEventListener("resize", look);
    visualViewport.addEventListener("scroll", look);
  }
}

// A form of the person's own goes first: what the events say on its way must not overtake it. One
// that led nowhere in the time that BankID may take leaves the page as it was.
document.addEventListener("submit", () => {
  leaving = true;
  rest();
  setTimeout(() => {
    leaving = false;
    follow();
  }, 20000);
});

if (!document.hidden) follow();
