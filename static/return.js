"use strict";
// The app came back to this browser by a fragment, but the login did not begin here: its own page
// must be told.
const nonce = location.hash.slice(1);
if (nonce.startsWith("rn_")) tell();

async function tell() {
  const login = location.pathname.split("/").slice(0, 3).join("/");
  for (let pause = 250; ; pause = Math.min(2 * pause, 4000)) {
    try {
      const body = new URLSearchParams({ nonce });
      const answer = await fetch(login + "/return", { method: "POST", body });
      if (answer.status < 500) break;
    } catch {
      // Nobody answered: it is told again.
    }
    await new Promise((done) => setTimeout(done, pause));
  }
  history.replaceState(null, "", location.pathname);
}
