import { make } from "./make.js";

/**
 * One number of the strip: label, value, what it was before, and its definition, which a button opens and closes.
 *
 * `number` is one of the endpoint's `numbers`. `board` is `{name, show}` where the number leads to a dashboard of this
 * page, or undefined. A renewal changes the texts and leaves the elements, because one of them may have the focus.
 */
export class Tile {
  #value = make("dd", { class: "value" });
  #before = make("dd", { class: "before" });
  #definition;
  #info;
  #open = new AbortController();

  constructor(number, board, messages) {
    this.name = number.name;
    const label = make("span", { id: `label-${number.name}` }, number.label);
    this.#definition = make("dd", { class: "definition", id: `definition-${number.name}`, hidden: "" });
    this.#info = make(
      "button",
      {
        type: "button",
        class: "info",
        "aria-expanded": "false",
        "aria-controls": this.#definition.id,
        "aria-labelledby": `${label.id} info-${number.name}`,
      },
      make("span", { class: "hint", id: `info-${number.name}` }, messages.definition),
    );
    this.#info.addEventListener("click", () => this.#toggle(this.#definition.hidden));
    const term = make("dt", {}, board ? leadingTo(board, label, messages) : label, this.#info);
    // The definition follows its button, for screen readers; the stylesheet places it below the tile.
    this.element = make("div", { class: "tile" }, term, this.#definition, this.#value, this.#before);
    this.element.addEventListener("keydown", (event) => this.#closeByKey(event));
    this.element.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !this.element.contains(relatedTarget)) {
        this.close();
      }
    });
    this.update(number);
  }

  /** Show these values of the same number. */
  update({ value, before_text: before, definition }) {
    this.#value.textContent = value;
    this.#before.textContent = before;
    this.#definition.textContent = definition;
  }

  /** Close the definition. */
  close() {
    this.#toggle(false);
  }

  #toggle(open) {
    this.#open.abort();
    this.#info.setAttribute("aria-expanded", open);
    this.#definition.hidden = !open;
    if (open) {
      this.#open = new AbortController();
      document.addEventListener("pointerdown", (event) => this.#closeFromOutside(event), { signal: this.#open.signal });
    }
  }

  #closeFromOutside(event) {
    if (!event.composedPath().includes(this.element)) {
      this.close();
    }
  }

  #closeByKey(event) {
    if (event.key === "Escape" && !this.#definition.hidden) {
      this.close();
      this.#info.focus();
      // It was meant for the definition, not for what is around the strip.
      event.stopPropagation();
    }
  }
}

/** The label as a button that shows the dashboard. */
function leadingTo(board, label, messages) {
  const hint = make("span", { class: "hint" }, ` ${messages.numbers_show.replace("{name}", () => board.name)}`);
  const button = make("button", { type: "button", class: "show" }, label, hint);
  button.addEventListener("click", board.show);
  return button;
}
