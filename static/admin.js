// What a page of the administration does better with scripts. Nothing needs them.

// A button that copies what stands in a box.
for (const box of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy quiet";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(box.textContent);
      button.textContent = "Copied";
    } catch {
      // Where the clipboard is not ours to write to, it is marked to be copied by hand.
      getSelection().selectAllChildren(box);
      button.textContent = "Marked";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  box.after(button);
}

// Refused requests as they come: the part of the page is fetched again while somebody looks at it.
const live = document.querySelector("[data-live]");
if (live) {
  const again = async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = await answer.text();
    const begin = page.indexOf(`<section aria-labelledby="failures-heading"`);
    const end = page.indexOf("</section>", begin);
    if (begin < 0 || end < 0) return;
    const text = page.slice(begin, end);
    if (live.dataset.seen !== undefined && live.dataset.seen !== text) location.reload();
    live.dataset.seen = text;
  };
  // A form that somebody has begun to fill in is not taken from them.
  let touched = false;
  document.addEventListener("input", () => (touched = true));
  setInterval(() => touched || again().catch(() => {}), 5000);
}
