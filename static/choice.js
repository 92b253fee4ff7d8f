"use strict";
// Says that scripts run, and lets one click be one click.
document.querySelector("[data-scripts]").value = "on";
// An iPad calls itself a Macintosh, but no Macintosh takes several fingers; a tablet with Android may call itself a
// computer with Linux, for which there is no BankID.
if (navigator.maxTouchPoints > 1) {
  document.querySelector("[data-touch]").value = "yes";
  const byTouch = document.querySelector("[data-by-touch]");
  if (byTouch) byTouch.hidden = false;
}
const form = document.querySelector("form.choices");
if (!navigator.cookieEnabled) document.getElementById("no-cookies").hidden = false;
// Whoever needs more time than there is can ask for it before it is up.
const ending = document.getElementById("ending");
setTimeout(() => (ending.hidden = false), Math.max(0, ending.dataset.after) * 1000);
form.addEventListener("submit", () => {
  // After the form's data has been taken, or the pressed button's value would be lost.
  setTimeout(() => disable(true));
  // One that led nowhere in the time that BankID may take can be pressed again.
  setTimeout(() => disable(false), 20000);
});
// The back button may show this page as it was left.
addEventListener("pageshow", () => disable(false));

function disable(disabled) {
  for (const button of form.querySelectorAll("button")) button.disabled = disabled;
}
