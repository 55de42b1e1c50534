// Keys of the pages for staff, the position of the device, and boxes on photos. The pages work without this script.
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
    next.querySelector("a, summary, button")?.focus();
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
(() => {
  // After a form was sent with a fault, go to the first faulty field, which may be far down the page.
  const field = document.querySelector("main [aria-invalid=true]");
  if (field) field.focus();
  else document.querySelector("main p.fault")?.scrollIntoView({ block: "center" });
})();
(() => {
  const button = document.getElementById("locate");
  const told = document.getElementById("located");
  if (!button || !("geolocation" in navigator)) return;
  const found = ({ coords }) => {
    document.getElementById("lat").value = coords.latitude.toFixed(6);
    document.getElementById("long").value = coords.longitude.toFixed(6);
    document.getElementById("show").click();
  };
  const failed = () => { told.textContent = button.dataset.failed; };
  button.hidden = false;
  button.addEventListener("click", () => {
    told.textContent = button.dataset.waiting;
    navigator.geolocation.getCurrentPosition(found, failed, { enableHighAccuracy: true, timeout: 20000 });
  });
})();
(() => {
  const drawing = document.getElementById("drawing");
  const boxes = document.getElementById("boxes");
  if (!drawing || !boxes) return;
  document.getElementById("boxes-drag").hidden = false;
  let start = null;
  let mark = null;
  const place = (event) => {
    const frame = drawing.getBoundingClientRect();
    const part = (at, from, size) => Math.min(100, Math.max(0, ((at - from) / size) * 100));
    return [part(event.clientX, frame.left, frame.width), part(event.clientY, frame.top, frame.height)];
  };
  const sides = ([x, y]) => [Math.min(x, start[0]), Math.min(y, start[1]), Math.max(x, start[0]), Math.max(y, start[1])];
  const draw = (event) => {
    const [left, top, right, bottom] = sides(place(event));
    Object.assign(mark.style, {
      left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`,
    });
  };
  boxes.addEventListener("input", () => drawing.querySelectorAll(".mark").forEach((one) => one.remove()));
  drawing.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    boxes.closest("details").open = true;
    start = place(event);
    mark = document.createElement("div");
    mark.className = "mark";
    drawing.append(mark);
    drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener("pointermove", (event) => { if (start) draw(event); });
  drawing.addEventListener("pointerup", (event) => {
    if (!start) return;
    const [left, top, right, bottom] = sides(place(event));
    if (right - left < 0.5 || bottom - top < 0.5) mark.remove();
    else boxes.value += `${boxes.value && !boxes.value.endsWith("\n") ? "\n" : ""}${[left, top, right, bottom].map((one) => one.toFixed(1)).join(" ")}\n`;
    start = null;
  });
})();
