// Fills in the position of the device, if the reader wants it. The form works without this script.
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
