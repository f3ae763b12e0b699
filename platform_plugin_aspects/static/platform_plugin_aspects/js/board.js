import { messageOf, remedies } from "./failure.js";
import { fetchGuestToken, SessionEnded } from "./fetch.js";
import { loginLink } from "./link.js";
import { make } from "./make.js";
import { loadSdk } from "./sdk.js";
import { pause, within } from "./time.js";

/** Milliseconds: for the SDK, the token and the frame together, and for the frame's first answer. */
const LOAD_MS = 30_000;
const ANSWER_MS = 10_000;
/** Milliseconds: until a board that is still to come is said to be slow, and until one without content is shown. */
const SLOW_MS = 8_000;
const CONTENT_MS = 8_000;
/** Milliseconds: between two measures, and until a frame whose size has changed has been laid out again. */
const MEASURE_MS = 1_000;
const SETTLE_MS = 200;
/** Pixels, for a board that reports nonsense. */
const MAX_HEIGHT = 12_000;

/** One dashboard in a panel of its own, loaded when the panel is first seen. */
export class Board {
  #dashboard;
  #config;
  #attempt = new AbortController();
  #content = make("div", { class: "content" });
  #notice = make("p", { class: "notice", role: "status", hidden: "" });
  #seen;

  constructor(dashboard, config) {
    this.#dashboard = dashboard;
    this.#config = config;
    this.panel = make("section", { "aria-label": dashboard.name, tabindex: "-1" }, this.#notice, this.#content);
    this.#seen = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        this.load();
      }
    });
    this.#seen.observe(this.panel);
  }

  /** Load the board, or load it anew, and say so when that fails. */
  async load() {
    this.close();
    const attempt = new AbortController();
    this.#attempt = attempt;
    const { messages } = this.#config;
    const mountPoint = make("div", { class: "frame" });
    const text = make("span", {}, messages.loading);
    const skeleton = make("div", { class: "skeleton", role: "status" }, text);
    this.#content.replaceChildren(mountPoint, skeleton);
    const slow = setTimeout(() => (text.textContent = messages.slow), SLOW_MS);
    try {
      const embedded = await within(LOAD_MS, this.#embed(mountPoint, attempt.signal));
      // The SDK is content with a blank frame: Superset down, unknown board, framing refused. Only an answer counts.
      await within(ANSWER_MS, embedded.getScrollSize());
      const frame = mountPoint.querySelector("iframe");
      await within(LOAD_MS, this.#waitForContent(embedded, frame, attempt.signal));
      skeleton.remove();
      this.#followHeight(embedded, frame, attempt.signal);
    } catch (error) {
      if (!attempt.signal.aborted) {
        this.#fail(error);
      }
    } finally {
      clearTimeout(slow);
    }
  }

  /** Stop whatever goes on, and take the board away. */
  close() {
    this.#seen.disconnect();
    this.#attempt.abort();
    this.#content.replaceChildren();
    this.#notice.hidden = true;
  }

  async #embed(mountPoint, signal) {
    const { embedDashboard } = await loadSdk(this.#config.sdkUrl);
    const embedded = await embedDashboard({
      id: this.#dashboard.uuid,
      supersetDomain: this.#config.supersetUrl,
      mountPoint,
      fetchGuestToken: () => this.#fetchToken(),
      // The page says it already.
      dashboardUiConfig: { hideTitle: true },
      iframeTitle: this.#dashboard.name,
      // Superset checks the Referer, which a page with "Referrer-Policy: same-origin" would not send.
      referrerPolicy: "strict-origin-when-cross-origin",
    });
    if (signal.aborted) {
      embedded.unmount();
    }
    signal.addEventListener("abort", embedded.unmount);
    return embedded;
  }

  /** The SDK asks at the start, and again before a token expires: a renewal that fails leaves the board as it is. */
  async #fetchToken() {
    try {
      const token = await fetchGuestToken(this.#config.guestTokenUrl, this.#config.messages);
      this.#notice.hidden = true;
      return token;
    } catch (error) {
      this.#notice.replaceChildren(error.message);
      if (error instanceof SessionEnded) {
        this.#notice.append(" ", loginLink(this.#config));
      }
      // #fail reports a board that is still to come.
      this.#notice.hidden = this.#content.querySelector(".skeleton") !== null;
      throw error;
    }
  }

  /** Say what happened, and offer what helps: to log in, or to try again. */
  #fail(error) {
    this.close();
    const message = messageOf(error, this.#config.messages.unanswered);
    const retry = () => {
      this.load();
      // The button is gone, and the focus with it.
      this.panel.focus();
    };
    const box = make("div", { class: "message", role: "alert" }, make("p", {}, message));
    box.append(...remedies(error, this.#config, retry));
    this.#content.append(box);
  }

  /**
   * Wait for the board's charts, unless nobody sees their place. Until they come, Superset's page is not higher than its
   * frame, which the stylesheet makes lower than any chart.
   */
  async #waitForContent(embedded, frame, signal) {
    for (let waited = 0; waited < CONTENT_MS && isSeen(frame) && !signal.aborted; waited += SETTLE_MS) {
      const { height } = await embedded.getScrollSize();
      if (height > frame.clientHeight) {
        frame.style.height = inPixels(height);
        return;
      }
      await pause(SETTLE_MS);
    }
  }

  async #followHeight(embedded, frame, signal) {
    const place = frame.parentElement;
    let layout;
    while (!signal.aborted) {
      if (isSeen(frame)) {
        const current = JSON.stringify([frame.clientWidth, await embedded.getActiveTabs()]);
        if (layout !== undefined && current !== layout) {
          // A page is never less high than its frame: a board that got shorter says so only in a small one. Meanwhile
          // the page around it stands still.
          place.style.minHeight = inPixels(place.clientHeight);
          frame.style.height = "";
          await pause(SETTLE_MS);
        }
        layout = current;
        frame.style.height = inPixels((await embedded.getScrollSize()).height);
        place.style.minHeight = "";
      }
      await pause(MEASURE_MS);
    }
  }
}

function isSeen(frame) {
  return !document.hidden && frame.getClientRects().length > 0;
}

function inPixels(height) {
  return `${Math.min(height, MAX_HEIGHT)}px`;
}
