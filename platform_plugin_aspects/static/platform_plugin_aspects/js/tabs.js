import { make } from "./make.js";

/** Where the tabs stand in a column. */
const NARROW = "(max-width: 40rem)";

/**
 * A tablist that shows one of several panels, after the ARIA Authoring Practices.
 *
 * Arrow keys, Home and End move the focus only; Enter, the space bar or a click opens the tab, because a board takes its
 * time to load and should not do so in passing. The Tab key comes back to the open tab.
 */
export class Tabs {
  #open = 0;
  #narrow = matchMedia(NARROW);
  #closing = new AbortController();

  constructor(label, names, panels) {
    this.panels = panels;
    this.tabs = names.map((name, index) => {
      const tab = make("button", {
        type: "button",
        role: "tab",
        id: `tab-${index}`,
        "aria-controls": `panel-${index}`,
      });
      tab.textContent = name;
      tab.addEventListener("click", () => this.open(index));
      Object.assign(panels[index], { id: `panel-${index}`, role: "tabpanel" });
      panels[index].setAttribute("aria-labelledby", tab.id);
      return tab;
    });
    this.list = make("div", { role: "tablist", "aria-label": label }, ...this.tabs);
    this.list.addEventListener("keydown", (event) => this.#move(event));
    this.list.addEventListener("focusout", (event) => {
      if (!this.tabs.includes(event.relatedTarget)) {
        this.#reachByTabKey(this.#open);
      }
    });
    this.#narrow.addEventListener("change", () => this.#orient(), { signal: this.#closing.signal });
    this.#orient();
    this.open(0);
  }

  /** Show the panel of this tab, and hide the others. */
  open(index) {
    this.#open = index;
    this.tabs.forEach((tab, position) => {
      tab.setAttribute("aria-selected", position === index);
      this.panels[position].hidden = position !== index;
    });
    this.#reachByTabKey(index);
  }

  /** Open this tab, and move the focus there. */
  go(index) {
    this.open(index);
    this.tabs[index].focus();
  }

  /** Stop following the width of the page. */
  close() {
    this.#closing.abort();
  }

  /** The stylesheet follows the attribute. */
  #orient() {
    this.list.setAttribute("aria-orientation", this.#narrow.matches ? "vertical" : "horizontal");
  }

  #reachByTabKey(index) {
    this.tabs.forEach((tab, position) => {
      tab.tabIndex = position === index ? 0 : -1;
    });
  }

  #move(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    const last = this.tabs.length - 1;
    const from = this.tabs.indexOf(event.target);
    const to = { ...this.#arrows(from), Home: 0, End: last }[event.key];
    if (to === undefined) {
      return;
    }
    event.preventDefault();
    const index = (to + this.tabs.length) % this.tabs.length;
    this.#reachByTabKey(index);
    this.tabs[index].focus();
  }

  #arrows(from) {
    if (this.#narrow.matches) {
      return { ArrowDown: from + 1, ArrowUp: from - 1 };
    }
    const onward = getComputedStyle(this.list).direction === "rtl" ? -1 : 1;
    return { ArrowRight: from + onward, ArrowLeft: from - onward };
  }
}
