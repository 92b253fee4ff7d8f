"use strict";
// Tries again by itself after some seconds: not everyone at the same moment.
const again = document.getElementById("try-again");
setTimeout(() => {
  if (!again.disabled) again.click();
}, 4000 + Math.random() * 4000);
