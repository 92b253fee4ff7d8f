"use strict";
// The app came back to this browser by a fragment, but the login did not begin here: its own page
// must be told.
const nonce = location.hash.slice(1);
if (nonce.startsWith("rn_")) {
  history.replaceState(null, "", location.pathname);
  const login = location.pathname.split("/").slice(0, 3).join("/");
  fetch(login + "/return", { method: "POST", body: new URLSearchParams({ nonce }) });
}
