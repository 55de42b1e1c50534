// Moves the map and its pin without a new page, and fills in the position of the device. The form works without this
// script: then the server moves the map. The projection is that of portal/maps.py.
(() => {
  const byId = (id) => document.getElementById(id);
  const map = byId("map");
  const [lat, long, chosen] = ["lat", "long", "chosen"].map(byId);
  const kept = (name) => map.form.elements[name];
  const near = Number(map.dataset.near);
  const view = { lat: Number(kept("map_lat").value), long: Number(kept("map_long").value), zoom: Number(kept("map_zoom").value) };
  const world = () => 256 * 2 ** view.zoom;
  const side = 288;
  const toWorld = ([east, north]) => {
    const height = Math.asinh(Math.tan((Math.max(-85, Math.min(85, north)) * Math.PI) / 180)) / Math.PI;
    return [((east + 180) / 360) * world(), ((1 - height) / 2) * world()];
  };
  const at = (right, down) => {
    const [x, y] = toWorld([view.long, view.lat]);
    const east = ((x + (right - 0.5) * side) / world()) * 360 - 180;
    const north = (Math.atan(Math.sinh(Math.PI * (1 - (2 * (y + (down - 0.5) * side)) / world()))) * 180) / Math.PI;
    return [((((east + 180) % 360) + 360) % 360) - 180, Math.max(-85, Math.min(85, north))];
  };
  const pin = () => (lat.value.trim() && long.value.trim() ? [long, lat].map(({ value }) => Number(value.replace(",", "."))) : []);
  const show = () => {
    view.zoom = Math.max(1, Math.min(19, view.zoom));
    kept("map_lat").value = view.lat.toFixed(6);
    kept("map_long").value = view.long.toFixed(6);
    kept("map_zoom").value = view.zoom;
    const address = new URL(map.src);
    const [east, north] = pin();
    const shown = { lat: view.lat.toFixed(6), long: view.long.toFixed(6), zoom: view.zoom };
    const marked = Number.isFinite(east) && Number.isFinite(north) ? { pin_lat: north, pin_long: east } : {};
    ["pin_lat", "pin_long"].forEach((name) => address.searchParams.delete(name));
    Object.entries({ ...shown, ...marked }).forEach(([name, value]) => address.searchParams.set(name, value));
    map.src = address;
  };
  const centre = ([east, north]) => Object.assign(view, { long: east, lat: north });
  // The page may say that no place was chosen. Once a place is chosen, this fault is removed.
  const forgive = () => {
    const address = byId("address_string");
    byId("address_string-fault")?.remove();
    address.removeAttribute("aria-invalid");
    address.setAttribute("aria-describedby", "address_string-hint");
    document.querySelector('#summary a[href="#address_string"]')?.closest("li").remove();
    if (!document.querySelector("#summary li")) byId("summary")?.remove();
  };
  const choose = ([east, north]) => {
    forgive();
    lat.value = north.toFixed(6);
    long.value = east.toFixed(6);
    centre([east, north]);
    chosen.textContent = `${chosen.dataset.chosen} ${lat.value}, ${long.value}`;
  };
  const moves = {
    in: () => { if (pin().length) centre(pin()); view.zoom += 1; },
    out: () => { view.zoom -= 1; },
    west: () => centre(at(0, 0.5)),
    east: () => centre(at(1, 0.5)),
    north: () => centre(at(0.5, 0)),
    south: () => centre(at(0.5, 1)),
    middle: () => choose([view.long, view.lat]),
    show: () => { if (pin().length) { choose(pin()); view.zoom = Math.max(view.zoom, near); } },
  };
  const nudge = { ArrowLeft: [0.45, 0.5], ArrowRight: [0.55, 0.5], ArrowUp: [0.5, 0.45], ArrowDown: [0.5, 0.55] };
  map.addEventListener("click", (event) => {
    event.preventDefault();
    const box = map.getBoundingClientRect();
    if (event.detail) {
      choose(at((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
      view.zoom = Math.max(view.zoom + 1, near);
    } else moves.middle();
    show();
  });
  map.addEventListener("keydown", (event) => {
    if (nudge[event.key]) choose(at(...nudge[event.key]));
    else if (event.key === "+") moves.in();
    else if (event.key === "-") moves.out();
    else return;
    event.preventDefault();
    show();
  });
  map.form.addEventListener("click", (event) => {
    const move = moves[event.target.closest("button[name=go]")?.value];
    if (!move) return;
    event.preventDefault();
    move();
    show();
  });
  byId("map-keys").hidden = false;
  map.classList.add("wide");
  map.removeAttribute("width");
  map.removeAttribute("height");

  const told = byId("located");
  const button = byId("locate");
  if (!("geolocation" in navigator)) return;
  const found = ({ coords }) => {
    told.textContent = "";
    choose([coords.longitude, coords.latitude]);
    view.zoom = Math.max(view.zoom, near);
    show();
  };
  const failed = () => { told.textContent = button.dataset.failed; };
  byId("device").hidden = false;
  button.addEventListener("click", () => {
    told.textContent = button.dataset.waiting;
    navigator.geolocation.getCurrentPosition(found, failed, { enableHighAccuracy: true, timeout: 20000 });
  });
})();
