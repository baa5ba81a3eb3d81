// The tabs of the page: a button in the header for each panel, of which one is shown.

/**
 * @param {(panel: string) => void} shown called with the id of the panel that is shown now
 */
export function tabs(shown) {
  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("button[data-panel]"));
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) {
        const panel = document.getElementById(other.dataset.panel ?? "");
        if (panel) panel.hidden = other !== button;
        if (other === button) other.setAttribute("aria-current", "page");
        else other.removeAttribute("aria-current");
      }
      shown(button.dataset.panel ?? "");
    });
  }
}
