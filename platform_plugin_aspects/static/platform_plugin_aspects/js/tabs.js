import { make } from "./make.js";

/**
 * A tablist that shows one of several panels, after the ARIA Authoring Practices.
 *
 * Arrow keys, Home and End move the focus only; Enter, the space bar or a click opens the tab, for a board takes its
 * time to load and should not do so in passing.
 */
export class Tabs {
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
    this.open(0);
  }

  /** Show the panel of this tab, and hide the others. */
  open(index) {
    this.tabs.forEach((tab, position) => {
      tab.setAttribute("aria-selected", position === index);
      tab.tabIndex = position === index ? 0 : -1;
      this.panels[position].hidden = position !== index;
    });
  }

  #move(event) {
    const last = this.tabs.length - 1;
    const from = this.tabs.indexOf(event.target);
    const onward = getComputedStyle(this.list).direction === "rtl" ? -1 : 1;
    const to = { ArrowRight: from + onward, ArrowLeft: from - onward, Home: 0, End: last }[event.key];
    if (to === undefined) {
      return;
    }
    event.preventDefault();
    const target = this.tabs.at(to > last ? 0 : to);
    for (const tab of this.tabs) {
      tab.tabIndex = tab === target ? 0 : -1;
    }
    target.focus();
  }
}
