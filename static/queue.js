"use strict";
// Tries again by itself after some seconds: not everyone at the same moment.
const again = document.getElementById("try-again");
document.querySelector(".wait").hidden = false;
const timer = setTimeout(() => {
  if (!again.disabled) again.click();
}, 4000 + Math.random() * 4000);
// Whoever goes back to the service is on their way there.
addEventListener("submit", () => clearTimeout(timer));
