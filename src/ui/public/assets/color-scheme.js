// Sets the colour scheme before anything is painted, so that a dark page doesn't flash white first.
// A file of its own, not inline, so that a content security policy needn't allow inline scripts.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem("narthex.color-scheme");
  } catch {
    // Storage is closed to us: follow the system.
  }
  if (chosen !== "light" && chosen !== "dark") {
    chosen = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }
  document.documentElement.setAttribute("data-mantine-color-scheme", chosen);
})();
