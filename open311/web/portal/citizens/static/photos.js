// Tells before sending if chosen photos are too many, too large or no photos. The form works without this script.
(() => {
  const field = document.getElementById("media");
  const told = document.getElementById("media-told");
  if (!field || !told) return;
  const { most, each, together, many, large, all, other } = field.dataset;
  const fault = () => {
    const files = [...field.files];
    const size = files.reduce((sum, file) => sum + file.size, 0);
    const wrong = files.find((file) => file.type && !file.type.startsWith("image/"));
    const heavy = files.find((file) => file.size > Number(each));
    if (files.length > Number(most)) return many;
    if (wrong) return `${other} ${wrong.name}`;
    if (heavy) return `${large} ${heavy.name}`;
    return size > Number(together) ? all : "";
  };
  const check = () => {
    const text = fault();
    told.textContent = text;
    field.setAttribute("aria-invalid", String(Boolean(text)));
    return text;
  };
  field.addEventListener("change", check);
  field.form.addEventListener("submit", (event) => {
    if (event.submitter?.value !== "send" || !check()) return;
    event.preventDefault();
    field.focus();
  });
})();
