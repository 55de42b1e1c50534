// Shows the vector tiles of the city by MapLibre, and lists the reports in view beside the map.
// Without this script, or without WebGL, the page has a picture of the map and the newest reports.
(() => {
  const box = document.getElementById("map");
  const told = document.getElementById("told");
  const list = document.getElementById("found");
  const nearer = document.getElementById("nearer");
  if (!box) return;
  const { words, services, background, zone, first, ...about } = JSON.parse(box.dataset.about);
  const MOST_LISTED = 25;
  const FIRST_POINT_ZOOM = 12;
  const isDark = !background.tiles && !background.style && matchMedia("(prefers-color-scheme: dark)").matches;
  const colours = isDark
    ? { ground: "#0b1219", city: "#1d2935", border: "#9fb0c0", area: "#5d6d7c", open: "#7db8ff", closed: "#7fd6a4", edge: "#0b1219" }
    : { ground: "#dfe6ec", city: "#ffffff", border: "#3c4a58", area: "#7d8b99", open: "#0a58b0", closed: "#17663a", edge: "#ffffff" };
  const dates = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeZone: zone });
  const numbers = new Intl.NumberFormat(document.documentElement.lang);
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  // Tiles come from the host of this page, also if the server has another public address.
  const here = (address) => address.replace(/^https?:\/\/[^/]+/, location.origin);
  const element = (tag, content, attributes = {}) => {
    const made = document.createElement(tag);
    made.append(...[content].flat());
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  const base = () => {
    const style = {
      version: 8, sources: {},
      layers: [{ id: "ground", type: "background", paint: { "background-color": colours.ground } }],
    };
    if (!background.tiles) return style;
    const tiles = [new URL(background.tiles, location.href).href.replaceAll("%7B", "{").replaceAll("%7D", "}")];
    style.sources.background = { type: "raster", tiles, tileSize: 256, attribution: background.attribution };
    style.layers.push({ id: "background", type: "raster", source: "background" });
    return style;
  };

  const addLayers = (map, tiles) => {
    const attribution = [tiles.attribution, background.style ? background.attribution : ""].filter(Boolean).join(" | ");
    map.addSource("city", { type: "geojson", data: new URL(about.city, location.href).href });
    map.addSource("areas", { type: "geojson", data: new URL(about.areas, location.href).href });
    map.addSource("requests", {
      type: "vector", tiles: tiles.tiles.map(here), minzoom: tiles.minzoom, maxzoom: tiles.maxzoom, attribution,
    });
    const isOpen = ["==", ["get", "status"], "open"];
    const layers = [
      { id: "border", type: "line", source: "city", paint: { "line-color": colours.border, "line-width": 2 } },
      { id: "areas", type: "line", source: "areas", paint: { "line-color": colours.area } },
      {
        id: "cells", type: "circle", source: "requests", "source-layer": "cells",
        paint: {
          "circle-color": colours.open, "circle-opacity": 0.6,
          "circle-stroke-color": colours.edge, "circle-stroke-width": 1,
          "circle-radius": ["interpolate", ["linear"], ["ln", ["max", ["get", "count"], 1]], 0, 4, 12, 26],
        },
      },
      {
        id: "requests", type: "circle", source: "requests", "source-layer": "requests",
        paint: {
          "circle-color": ["case", isOpen, colours.open, colours.edge], "circle-radius": 7,
          "circle-stroke-color": ["case", isOpen, colours.edge, colours.closed],
          "circle-stroke-width": ["case", isOpen, 2, 3],
        },
      },
      {
        id: "cut", type: "circle", source: "requests", "source-layer": "cut",
        paint: { "circle-opacity": 0, "circle-radius": 1 },
      },
    ];
    if (!background.tiles && !background.style) {
      layers.unshift({ id: "city", type: "fill", source: "city", paint: { "fill-color": colours.city } });
    }
    layers.forEach((layer) => map.addLayer(layer));
  };

  const entry = ({ service_request_id: id, service_code: code, status, updated }) => {
    const query = about.locale ? `?locale=${encodeURIComponent(about.locale)}` : "";
    const link = element("a", services[code] || code, { href: about.pages + encodeURIComponent(id) + query });
    const badge = element("span", words[status], { class: `badge ${status}` });
    return [link, " ", badge, element("p", filled(words.changed, { day: dates.format(new Date(updated)) }))];
  };

  const start = (tiles) => {
    const needsPoints = tiles.minzoom > 0;
    box.hidden = false;
    const map = new maplibregl.Map({
      container: box,
      style: background.style || base(),
      ...(needsPoints && first ? { center: first, zoom: FIRST_POINT_ZOOM + 1 } : {
        bounds: tiles.bounds, fitBoundsOptions: { padding: 20 },
      }),
      hash: "at",
      attributionControl: { compact: false },
      cooperativeGestures: matchMedia("(pointer: coarse)").matches,
      locale: {
        "Map.Title": words.map, "NavigationControl.ZoomIn": words.zoomIn, "NavigationControl.ZoomOut": words.zoomOut,
        "GeolocateControl.FindMyLocation": words.locate, "GeolocateControl.LocationNotAvailable": words.noPlace,
        "Popup.Close": words.close, "CooperativeGesturesHandler.MobileHelpText": words.touch,
      },
    });
    document.getElementById("picture").hidden = true;
    document.getElementById("keys").hidden = false;
    list.replaceChildren();
    let popup = null;
    let opener = ""; // the id of the report whose button has opened the popup

    const close = () => { popup?.remove(); popup = null; };
    const open = (features, id = "") => {
      close();
      opener = id;
      const shown = features.slice(0, 5).map(({ properties }) => element("li", entry(properties)));
      popup = new maplibregl.Popup({ maxWidth: "18rem" }).setLngLat(features[0].geometry.coordinates)
        .setDOMContent(element("ul", shown, { class: "services" })).addTo(map);
    };
    const buttonOf = (id) => [...list.querySelectorAll("button")].find((one) => one.dataset.id === id);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !popup) return;
      close();
      (buttonOf(opener) || map.getCanvas()).focus();
    });

    const inView = () => {
      const known = new Map();
      for (const feature of map.queryRenderedFeatures({ layers: ["requests"] })) {
        known.set(feature.properties.service_request_id, feature);
      }
      return [...known.values()].sort((one, other) => (one.properties.updated < other.properties.updated ? 1 : -1));
    };
    const follow = () => {
      const focused = document.activeElement?.dataset?.id;
      const found = inView();
      const cells = map.queryRenderedFeatures({ layers: ["cells"] });
      const inCells = cells.reduce((sum, cell) => sum + cell.properties.count, 0);
      const count = numbers.format(found.length || inCells);
      list.replaceChildren(...found.slice(0, MOST_LISTED).map((feature) => {
        const id = feature.properties.service_request_id;
        const button = element("button", words.show, { type: "button", class: "plain small", "data-id": id });
        button.addEventListener("click", () => {
          open([feature], id);
          map.panTo(feature.geometry.coordinates);
        });
        const item = element("li", entry(feature.properties));
        item.lastChild.append(" ", button);
        return item;
      }));
      if (focused) buttonOf(focused)?.focus();
      const isCut = map.queryRenderedFeatures({ layers: ["cut"] }).length > 0;
      const sentence = cells.length ? words.far
        : needsPoints && map.getZoom() < FIRST_POINT_ZOOM ? words.tooFar
          : found.length > MOST_LISTED ? words.many : found.length ? words.few : words.none;
      const text = filled(sentence, { count }) + (isCut ? ` ${words.cut}` : "");
      if (told.textContent !== text) told.textContent = text;
      nearer.hidden = !cells.length;
      nearer.onclick = () => {
        const most = cells.reduce((one, other) => (other.properties.count > one.properties.count ? other : one));
        map.easeTo({ center: most.geometry.coordinates, zoom: Math.max(FIRST_POINT_ZOOM, map.getZoom() + 2) });
      };
    };

    map.on("load", () => addLayers(map, tiles));
    map.addControl(new maplibregl.NavigationControl({ showCompass: false }));
    map.addControl(new maplibregl.GeolocateControl());
    map.on("click", "requests", ({ features }) => {
      const known = new Map(features.map((one) => [one.properties.service_request_id, one]));
      open([...known.values()]);
    });
    map.on("click", "cells", ({ lngLat }) => map.easeTo({ center: lngLat, zoom: map.getZoom() + 2 }));
    for (const layer of ["requests", "cells"]) {
      map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
      map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
    }
    map.on("movestart", () => { box.dataset.state = "moving"; });
    map.on("idle", () => {
      if (!map.getLayer("requests")) return;
      follow();
      box.dataset.state = "shown";
    });
    // After the form with the filters is sent, the page shows the same part of the map.
    document.querySelector("main form").addEventListener("submit", ({ target }) => {
      target.action = target.action.split("#")[0] + location.hash;
    });
  };

  const fail = () => {
    box.hidden = true;
    document.getElementById("picture").hidden = false;
    document.getElementById("keys").hidden = true;
    told.prepend(element("strong", words.failed), " ");
    box.dataset.state = "failed";
  };

  fetch(about.tiles)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)))
    .then(start)
    .catch(fail);
})();
