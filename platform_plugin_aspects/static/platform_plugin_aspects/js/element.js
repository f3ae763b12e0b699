import { Board } from "./board.js";
import { link } from "./link.js";
import { make } from "./make.js";
import { Tabs } from "./tabs.js";

/**
 * `<aspects-dashboards data-config="{json}">`: the Superset dashboards of a course.
 *
 * The shape of the configuration, with all its texts, is that of `embed_config` in superset/embedding.py. Everything
 * is in a shadow tree, so that the page's styles and ours leave each other alone; what the page wrote inside the
 * element is for browsers without JavaScript.
 */
export class AspectsDashboards extends HTMLElement {
  #boards = [];
  #tabs = null;

  connectedCallback() {
    const config = JSON.parse(this.dataset.config);
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    this.#boards = config.dashboards.map((dashboard) => new Board(dashboard, config));
    const panels = this.#boards.map((board) => board.panel);

    const header = make("header");
    if (panels.length > 1) {
      const names = config.dashboards.map((dashboard) => dashboard.name);
      this.#tabs = new Tabs(config.messages.tabs, names, panels);
      header.append(this.#tabs.list);
    }
    if (config.link) {
      header.append(link(config.link.url, config.link.text, { newWindow: config.messages.new_window }));
    }
    if (!panels.length) {
      panels.push(make("p", { class: "message" }, config.messages.empty));
    }
    root.replaceChildren(make("link", { rel: "stylesheet", href: config.stylesheetUrl }), header, ...panels);
  }

  disconnectedCallback() {
    for (const board of this.#boards) {
      board.close();
    }
    this.#tabs?.close();
  }
}
