import { messageOf, remedies } from "./failure.js";
import { fetchJson, SessionEnded } from "./fetch.js";
import { make } from "./make.js";
import { reasonItems } from "./reasons.js";
import { Renewal } from "./renewal.js";
import { Tile } from "./tile.js";
import { within } from "./time.js";

/** Milliseconds for an answer. */
const LOAD_MS = 30_000;
/** How many numbers the endpoint sends. */
const NUMBERS = 5;

/**
 * The course in numbers, above the dashboards: from our own endpoint at `config.summaryUrl`, so that it stands there
 * whatever Superset does.
 *
 * `boards` maps the slug of each dashboard of the page to `{name, show}`. The numbers are renewed each minute, but not
 * while nobody sees them.
 */
export class Strip {
  #config;
  #boards;
  #numbers = make("dl", { class: "numbers" });
  #reasons = make("ul", { class: "reasons" });
  #status = make("p", { class: "status", role: "status" });
  #tiles = new Map();
  #reasonsShown = "";
  #renewal;
  #attempt = 0;

  constructor(config, boards) {
    this.#config = config;
    this.#boards = boards;
    this.section = make(
      "section",
      { class: "strip", "aria-label": config.messages.numbers, tabindex: "-1" },
      this.#numbers,
      this.#reasons,
      this.#status,
    );
    this.#renewal = new Renewal(this.section, () => this.#fetch());
    this.#load();
  }

  /** Stop whatever goes on. */
  close() {
    this.#attempt += 1;
    this.#renewal.close();
    this.#tiles.forEach((tile) => tile.close());
  }

  /** Fetch, and say so. Numbers to come have their places before, so that nothing moves when they come. */
  #load() {
    if (!this.#tiles.size) {
      this.#numbers.replaceChildren(...Array.from({ length: NUMBERS }, place));
    }
    this.#enter("waiting", this.#config.messages.numbers_loading);
    this.#fetch();
  }

  /** Fetch the numbers and show them, or say why there are none. */
  async #fetch() {
    const attempt = ++this.#attempt;
    const { summaryUrl, messages } = this.#config;
    let show;
    try {
      // The message of a refusal is about dashboards.
      const ours = { ...messages, failed: messages.numbers_failed, forbidden: "" };
      const summary = await within(LOAD_MS, fetchJson(summaryUrl, "numbers", ours));
      show = () => this.#show(summary);
    } catch (error) {
      show = () => this.#fail(error);
    }
    if (attempt === this.#attempt) {
      show();
    }
  }

  #show({ numbers, freshness, reasons }) {
    if (!numbers.length || numbers.map(({ name }) => name).join() !== [...this.#tiles.keys()].join()) {
      this.#makeTiles(numbers);
    }
    numbers.forEach((number) => this.#tiles.get(number.name).update(number));
    this.#showReasons(reasons);
    this.#enter("shown", freshness);
    this.#renewal.wait();
  }

  #makeTiles(numbers) {
    const { messages } = this.#config;
    const tiles = numbers.map((number) => new Tile(number, this.#boards.get(number.board), messages));
    this.#tiles.forEach((tile) => tile.close());
    this.#tiles = new Map(tiles.map((tile) => [tile.name, tile]));
    this.#numbers.replaceChildren(...tiles.map((tile) => tile.element));
  }

  /** Reasons that stay are left alone: a button among them may have the focus. */
  #showReasons(reasons) {
    const shown = JSON.stringify(reasons);
    if (shown !== this.#reasonsShown) {
      this.#reasons.replaceChildren(...reasonItems(reasons, this.#config.messages));
      this.#reasonsShown = shown;
    }
  }

  /** Say what happened: below the numbers that are there already, or in their place. */
  #fail(error) {
    if (error.code === "reports_off") {
      this.close();
      this.section.remove();
      return;
    }
    if (!this.#tiles.size) {
      this.#numbers.replaceChildren();
    }
    const retry = () => {
      this.#renewal.stop();
      this.#load();
      // The button is gone, and the focus with it.
      this.section.focus();
    };
    const message = messageOf(error, this.#config.messages.numbers_failed);
    this.#enter("failed", make("span", {}, message), ...remedies(error, this.#config, retry));
    if (!(error instanceof SessionEnded)) {
      this.#renewal.wait();
    }
  }

  /**
   * Enter this state, which the stylesheet follows, and say this. Screen readers say it when the state is another:
   * nobody wants to hear each minute how old the last event is.
   */
  #enter(state, ...said) {
    const { dataset } = this.section;
    this.#status.setAttribute("aria-live", dataset.state === state ? "off" : "polite");
    dataset.state = state;
    this.#status.replaceChildren(...said);
  }
}

/** The place of a number to come. */
function place() {
  const parts = [make("dt"), make("dd", { class: "value" }), make("dd", { class: "before" })];
  return make("div", { class: "tile", "aria-hidden": "true" }, ...parts);
}
