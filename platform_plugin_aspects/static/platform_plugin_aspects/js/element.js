import { Board } from "./board.js";
import { link } from "./link.js";
import { make } from "./make.js";
import { Strip } from "./strip.js";
import { Tabs } from "./tabs.js";

/**
 * `<aspects-dashboards data-config="{json}">`: a course in numbers, and its Superset dashboards. Either may be missing.
 *
 * The shape of the configuration, with all its texts, is that of `embed_config` in dashboards/pages/embedding.py.
 * Everything is in a shadow tree, so that the page's styles and ours leave each other alone; what the page wrote inside
 * the element is for browsers without JavaScript.
 */
export class AspectsDashboards extends HTMLElement {
  #boards = [];
  #tabs = null;
  #strip = null;

  connectedCallback() {
    const config = JSON.parse(this.dataset.config);
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    this.#boards = config.dashboards.map((dashboard) => new Board(dashboard, config));
    const parts = this.#boards.map((board) => board.panel);

    const header = make("header");
    if (parts.length > 1) {
      const names = config.dashboards.map((dashboard) => dashboard.name);
      this.#tabs = new Tabs(config.messages.tabs, names, [...parts]);
      header.append(this.#tabs.list);
    }
    if (config.link) {
      header.append(link(config.link.url, config.link.text, { newWindow: config.messages.new_window }));
    }
    if (!parts.length && (config.supersetUrl || !config.summaryUrl)) {
      parts.push(make("p", { class: "message" }, config.messages.empty));
    }
    parts.unshift(header);
    if (config.summaryUrl) {
      this.#strip = new Strip(config, this.#boardsBySlug(config.dashboards));
      parts.unshift(this.#strip.section);
    }
    const content = make("div", { hidden: "" }, ...parts);
    const styles = make("link", { rel: "stylesheet", href: config.stylesheetUrl });
    // Without styles for a moment, everything would jump.
    for (const event of ["load", "error"]) {
      styles.addEventListener(event, () => (content.hidden = false));
    }
    root.replaceChildren(styles, content);
  }

  disconnectedCallback() {
    for (const board of this.#boards) {
      board.close();
    }
    this.#tabs?.close();
    this.#strip?.close();
  }

  /** Slug -> the dashboard's name, and how to show it and move the focus there. */
  #boardsBySlug(dashboards) {
    const entries = dashboards.map(({ slug, name }, index) => {
      const show = () => (this.#tabs ? this.#tabs.go(index) : this.#boards[index].panel.focus());
      return [slug, { name, show }];
    });
    // The first of two with one slug wins.
    return new Map(entries.reverse());
  }
}
