"use strict";
// The services log out in frames. When all have answered, or one is slow about it, the browser goes on.
addEventListener("load", goOn);
const patience = setTimeout(goOn, 3000);

function goOn() {
  clearTimeout(patience);
  location.replace(document.getElementById("go-on").href);
}
