// Tells before sending what is wrong with photos or the e-mail address. The form works without this script.
(() => {
  const email = document.getElementById("email");
  const photos = document.getElementById("media");
  const told = (field) => document.getElementById(`${field.id}-told`);
  const faultOfEmail = () => {
    const text = email.value.trim();
    return text && (!text.includes("@") || text.includes(" ")) ? told(email).dataset.fault : "";
  };
  const faultOfPhotos = () => {
    const { most, each, together, many, large, all, other } = photos.dataset;
    const files = [...photos.files];
    const wrong = files.find((file) => file.type && !file.type.startsWith("image/"));
    const heavy = files.find((file) => file.size > Number(each));
    if (files.length > Number(most)) return many;
    if (wrong) return `${other} ${wrong.name}`;
    if (heavy) return `${large} ${heavy.name}`;
    return files.reduce((sum, file) => sum + file.size, 0) > Number(together) ? all : "";
  };
  const checks = [[photos, faultOfPhotos], [email, faultOfEmail]].filter(([field]) => field);
  const isWrong = ([field, fault]) => {
    const text = fault();
    told(field).textContent = text;
    field.setAttribute("aria-invalid", String(Boolean(text)));
    return Boolean(text);
  };
  // While the reader types, no new fault is shown, but a fault that is shown goes away when it is corrected. If it went
  // away only when the reader leaves the field to press the button, the button would move away from the pointer.
  photos?.addEventListener("change", () => isWrong([photos, faultOfPhotos]));
  email.addEventListener("input", () => { if (told(email).textContent) isWrong([email, faultOfEmail]); });
  email.form.addEventListener("submit", (event) => {
    const [first] = event.submitter?.value === "send" ? checks.filter(isWrong) : [];
    if (!first) return;
    event.preventDefault();
    first[0].focus();
  });
})();
