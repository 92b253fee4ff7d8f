"use strict";
document.getElementById("bounce").submit();
