"use strict";
// The phone works without this script; with it, codes appear by themselves and a camera can read.
const people = document.querySelectorAll("input[name=person][type=radio]");
for (const radio of people) {
  radio.addEventListener("change", () => {
    for (const select of document.querySelectorAll("[data-person]")) select.value = radio.value;
  });
}

// Looks for codes on screens, and shows new ones unless the person is writing.
const codes = document.getElementById("codes");
if (codes) {
  const shown = [...codes.querySelectorAll("button")].map((b) => b.value).sort().join();
  // What the person presses goes first.
  let pressed = false;
  document.addEventListener("submit", () => {
    pressed = true;
  });
  setInterval(async () => {
    if (document.hidden || pressed) return;
    const written = [...document.querySelectorAll("#text, #link")].some((input) => input.value);
    if (written) return;
    try {
      const codes = await (await fetch("/api/screens", { cache: "no-store" })).json();
      const now = codes.map((code) => code.screen).sort().join();
      if (now !== shown && !pressed) {
        const chosen = document.querySelector("input[name=person]:checked").value;
        location.replace("/?person=" + chosen);
      }
    } catch {
      // The simulator may be starting again.
    }
  }, 1000);
}

// The camera, where the browser can read codes.
const camera = document.getElementById("camera");
if (camera && "BarcodeDetector" in window && navigator.mediaDevices) {
  camera.hidden = false;
  camera.querySelector("button").addEventListener("click", async () => {
    const video = camera.querySelector("video");
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.hidden = false;
    await video.play();
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    const look = setInterval(async () => {
      const [code] = await detector.detect(video);
      if (!code || !code.rawValue.startsWith("bankid.")) return;
      clearInterval(look);
      document.getElementById("text").value = code.rawValue;
      document.getElementById("scan").submit();
    }, 250);
  });
}
