// Shows the vector tiles of the city by MapLibre. Without this script, the page links to the list.
(() => {
  const box = document.getElementById("map");
  const told = document.getElementById("told");
  const data = box.dataset;
  const fail = () => { told.textContent = data.failed; box.hidden = true; };
  const blue = "#0a58b0";
  const green = "#17663a";
  const byStatus = ["match", ["get", "status"], "open", blue, green];

  const layers = [
    { id: "ground", type: "background", paint: { "background-color": "#dfe6ec" } },
    { id: "city", type: "fill", source: "city", paint: { "fill-color": "#ffffff" } },
    { id: "border", type: "line", source: "city", paint: { "line-color": "#3c4a58", "line-width": 2 } },
    { id: "areas", type: "line", source: "areas", paint: { "line-color": "#7d8b99" } },
    {
      id: "cells", type: "circle", source: "requests", "source-layer": "cells",
      paint: {
        "circle-color": blue, "circle-opacity": 0.6, "circle-stroke-color": "#ffffff", "circle-stroke-width": 1,
        "circle-radius": ["interpolate", ["linear"], ["ln", ["max", ["get", "count"], 1]], 0, 4, 12, 26],
      },
    },
    {
      id: "requests", type: "circle", source: "requests", "source-layer": "requests",
      paint: {
        "circle-color": byStatus, "circle-radius": 7, "circle-stroke-color": "#ffffff", "circle-stroke-width": 2,
      },
    },
  ];

  // Tiles come from the host of this page, also if the server has another public address.
  const here = (address) => address.replace(/^https?:\/\/[^/]+/, location.origin);

  const start = (about) => {
    const map = new maplibregl.Map({
      container: box,
      bounds: about.bounds,
      fitBoundsOptions: { padding: 20 },
      attributionControl: { compact: false },
      style: {
        version: 8,
        sources: {
          city: { type: "geojson", data: new URL(data.cities, location.href).href },
          areas: { type: "geojson", data: new URL(data.areas, location.href).href },
          requests: {
            type: "vector", tiles: about.tiles.map(here), minzoom: about.minzoom, maxzoom: about.maxzoom,
            attribution: about.attribution,
          },
        },
        layers,
      },
    });
    const services = JSON.parse(data.services);
    map.addControl(new maplibregl.NavigationControl());
    map.addControl(new maplibregl.GeolocateControl());
    map.on("click", "requests", ({ features: [{ properties }], lngLat }) => {
      const link = document.createElement("a");
      const query = data.locale ? `?locale=${encodeURIComponent(data.locale)}` : "";
      link.href = data.pages + encodeURIComponent(properties.service_request_id) + query;
      link.textContent = `${services[properties.service_code] || properties.service_code} (${data[properties.status]})`;
      new maplibregl.Popup().setLngLat(lngLat).setDOMContent(link).addTo(map);
    });
    map.on("click", "cells", ({ lngLat }) => map.easeTo({ center: lngLat, zoom: map.getZoom() + 2 }));
    for (const layer of ["requests", "cells"]) {
      map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
      map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
    }
    map.on("movestart", () => { data.state = "moving"; });
    map.on("idle", () => { data.state = "shown"; });
  };

  fetch(data.tiles)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)))
    .then(start)
    .catch(fail);
})();
