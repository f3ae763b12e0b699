// A page with the built script, served over HTTP with the guest tokens, in jsdom.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after } from "node:test";
import { JSDOM } from "jsdom";

const BUNDLE = new URL("../../static/platform_plugin_aspects/dist/aspects-dashboards.js", import.meta.url);
const SDK = new URL("sdk.js", import.meta.url);
export const MESSAGES = {
  tabs: "Dashboards",
  empty: "Nothing to show",
  loading: "Loading",
  slow: "Longer than usual",
  unanswered: "It did not load",
  failed: "It failed",
  offline: "Nobody there",
  session_expired: "Your session has ended",
  forbidden: "Not for you",
  retry: "Try again",
  log_in: "Log in",
  new_window: "(opens in a new window)",
  numbers: "The course in numbers",
  numbers_loading: "Loading the numbers",
  numbers_failed: "There are no numbers",
  numbers_show: "Show the dashboard “{name}”",
  definition: "What this number means",
  copy: "Copy",
  copied: "Copied",
};
export const BOARDS = ["Course", "Learners", "At risk"].map((name, index) => ({
  name,
  uuid: `uuid-${index}`,
  slug: `slug-${index}`,
}));

/**
 * Answers of the addresses of the token and of the numbers, oldest first: the last one stays. Each is what `answer`
 * makes.
 */
export class Server {
  tokens = 0;
  answers = [answer(200, { guestToken: "a token" })];
  summaries = 0;
  summaryAnswers = [];

  async start() {
    const files = { "/bundle.js": await readFile(BUNDLE), "/sdk.js": await readFile(SDK) };
    this.http = createServer((request, response) => {
      if (request.url === "/token") {
        this.tokens += 1;
        next(this.answers)(response);
      } else if (request.url === "/summary") {
        this.summaries += 1;
        next(this.summaryAnswers)(response);
      } else if (request.url in files) {
        response.setHeader("Content-Type", "text/javascript").end(files[request.url]);
      } else {
        response.setHeader("Content-Type", "text/html").end("<!doctype html>");
      }
    });
    await new Promise((resolve) => this.http.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.http.address().port}`;
    return this;
  }
}

function next(answers) {
  return answers.length > 1 ? answers.shift() : answers[0];
}

/** An answer with this status: JSON for an object, HTML for text. */
export function answer(status, body, headers = {}) {
  return (response) => {
    const json = typeof body !== "string";
    response.writeHead(status, { "Content-Type": json ? "application/json" : "text/html", ...headers });
    response.end(json ? JSON.stringify(body) : body);
  };
}

/** No answer at all. */
export function hangUp(response) {
  response.destroy();
}

/** What matchMedia answers: `change` says whether the page is narrow from now on. */
class Media extends EventTarget {
  matches = false;

  change(matches) {
    this.matches = matches;
    this.dispatchEvent(new Event("change"));
  }
}

/** Whether the element, or one around it, is hidden. */
function isHidden(element) {
  const { host } = element.getRootNode();
  return element.closest("[hidden]") !== null || (host !== undefined && isHidden(host));
}

/** Open a page with one element for each configuration; what is missing in one has a default. */
export async function open(configs, { server = null, prepare = () => {}, scripts = 1, path = "/" } = {}) {
  server ??= await new Server().start();
  const errors = [];
  const { window } = await JSDOM.fromURL(server.url + path, {
    resources: "usable",
    runScripts: "dangerously",
    beforeParse(window) {
      const { setTimeout, clearTimeout } = window;
      const timers = new Map();
      window.setTimeout = (action, milliseconds) => {
        const id = setTimeout(action, milliseconds / window.superset.haste);
        timers.set(milliseconds, { action, id });
        return id;
      };
      window.clearTimeout = (id) => {
        clearTimeout(id);
        timers.forEach((timer, milliseconds) => timer.id === id && timers.delete(milliseconds));
      };
      Object.defineProperty(window.document, "hidden", { get: () => window.superset.hidden });
      window.narrow = new Media();
      window.matchMedia = () => window.narrow;
      // jsdom loads no stylesheets in shadow trees.
      const { attachShadow } = window.Element.prototype;
      window.Element.prototype.attachShadow = function (options) {
        const root = attachShadow.call(this, options);
        const load = () => root.querySelector("link").dispatchEvent(new window.Event(window.superset.styles));
        new window.MutationObserver(load).observe(root, { childList: true });
        return root;
      };
      // jsdom has none of these; it lays nothing out, so everything is in view that is not hidden.
      window.fetch = (url, options) => {
        window.superset.asked.push(url);
        return fetch(new URL(url, server.url), options);
      };
      const observers = new Set();
      const look = () => observers.forEach((observer) => observer.look());
      window.IntersectionObserver = class {
        constructor(callback) {
          this.callback = callback;
        }
        observe(target) {
          this.target = target;
          observers.add(this);
        }
        look() {
          const { target, seen } = this;
          this.seen = target.isConnected && !isHidden(target);
          if (this.seen !== seen) {
            this.callback([{ isIntersecting: this.seen, target }]);
          }
        }
        disconnect() {
          observers.delete(this);
        }
      };
      window.setInterval(look, 1);
      // `haste`: how much faster time goes. `hidden`: whether people see another page. `styles`:
      // the event of the stylesheet. `asked`: the addresses that were asked. `look`: observers of what is in view look
      // now, as they do all the time. `ring` ends the last wait of so many milliseconds at once.
      const ring = (milliseconds) => {
        const { action, id } = timers.get(milliseconds);
        window.clearTimeout(id);
        action();
      };
      window.superset = { boards: [], answers: true, haste: 1, hidden: true, styles: "load", asked: [], look, ring };
      window.addEventListener("error", (event) => errors.push(event.message));
      prepare(window);
    },
  });
  after(() => {
    window.close();
    server.http.closeAllConnections();
    server.http.close();
  });
  const elements = configs.map((config) => add(window, config));
  for (let count = 0; count < scripts; count += 1) {
    const script = window.document.createElement("script");
    script.src = "/bundle.js";
    window.document.head.append(script);
    await new Promise((resolve) => script.addEventListener("load", resolve));
  }
  return { window, server, elements, errors, superset: window.superset, root: elements[0]?.shadowRoot };
}

/** Add an element to the page. */
export function add(window, config) {
  const element = window.document.createElement("aspects-dashboards");
  element.dataset.config = JSON.stringify({
    supersetUrl: "http://superset.invalid/",
    summaryUrl: "",
    guestTokenUrl: "/token",
    dashboards: BOARDS,
    loginUrl: "/login?a=b",
    link: null,
    sdkUrl: "/sdk.js",
    stylesheetUrl: "/dashboards.css",
    messages: MESSAGES,
    ...config,
  });
  window.document.body.append(element);
  return element;
}

/** Wait until `condition` returns something that is true, and return that. */
export async function until(condition) {
  for (;;) {
    const found = condition();
    if (found) {
      return found;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
