// Keys of the pages for staff. The pages work without this script.
(() => {
  const rows = [...document.querySelectorAll("[data-row]")];
  const choice = document.getElementById("keys-on");
  const stored = () => { try { return localStorage.getItem("desk-keys"); } catch { return null; } };
  if (choice) {
    document.getElementById("keys-choice").hidden = false;
    choice.checked = stored() !== "off";
    choice.addEventListener("change", () => {
      try { localStorage.setItem("desk-keys", choice.checked ? "on" : "off"); } catch { /* for this page only */ }
    });
  }
  const step = (by) => {
    if (!rows.length) return;
    const now = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.min(rows.length - 1, Math.max(0, now < 0 ? 0 : now + by))];
    next.querySelector("a").focus();
  };
  const click = (id) => document.getElementById(id)?.click();
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    x: () => document.activeElement.closest("[data-row]")?.querySelector("input[type=checkbox]")?.click(),
    q: () => click("go-queue"),
    w: () => click("go-work"),
    "/": () => document.getElementById("find")?.focus(),
    "?": () => {
      const list = document.querySelector(".keys");
      list.open = true;
      list.querySelector("summary").focus();
    },
  };
  document.addEventListener("keydown", (event) => {
    if (!choice?.checked || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select")) return;
    event.preventDefault();
    keys[event.key]();
  });
})();
