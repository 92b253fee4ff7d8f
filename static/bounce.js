"use strict";
const form = document.getElementById("bounce");
form.submit();
// What a form takes along is good once: a press while it is on its way would use it twice.
form.querySelector("button").disabled = true;
