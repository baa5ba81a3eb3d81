// The parts of the page, one of which is shown: a button of the header for each.

/**
 * @param {(part: string) => void} shown called with the id of the part that has come up
 */
export function parts(shown) {
  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("button[data-part]"));
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) {
        const part = document.getElementById(other.dataset.part ?? "");
        if (part) part.hidden = other !== button;
        if (other === button) other.setAttribute("aria-current", "page");
        else other.removeAttribute("aria-current");
      }
      shown(button.dataset.part ?? "");
    });
  }
}
