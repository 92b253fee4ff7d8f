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

// Refused requests as they come, while somebody looks at the page.
const live = document.querySelector("[data-live]");
if (live) {
  const list = live.querySelector("ol");
  const element = (name, text, kind) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const item = (failure) => {
    const when = element("p", "", "when");
    when.append(
      element("time", failure.at),
      " ",
      element("code", failure.endpoint),
      " ",
      element("code", failure.code),
      " ",
    );
    if (failure.times > 1) when.append(element("strong", `${failure.times} times`), " ");
    when.append(element("small", `reference ${failure.reference}`));
    const what = element("p");
    what.append(element("strong", failure.what));
    const made = element("li");
    made.append(when, what);
    if (failure.difference) made.append(element("p", failure.difference, "difference"));
    made.append(element("p", failure.remedy));
    return made;
  };
  let seen;
  const look = async () => {
    if (document.hidden) return;
    const answer = await fetch(live.dataset.live);
    // Whoever is not logged in any more is led away, and the page stays as it is.
    if (!answer.ok || answer.redirected) return;
    const text = await answer.text();
    if (text === seen) return;
    seen = text;
    const failures = JSON.parse(text);
    live.querySelector("[data-none]")?.toggleAttribute("hidden", failures.length > 0);
    list.replaceChildren(...failures.map(item));
  };
  setInterval(() => look().catch(() => {}), 3000);
}
