import { make } from "./make.js";
import { loadSdk } from "./sdk.js";
import { fetchGuestToken, NoToken } from "./token.js";

/** Milliseconds: for the SDK, the token and the frame together, and for the frame's first answer. */
const LOAD_MS = 30_000;
const ANSWER_MS = 10_000;
/** Milliseconds: between two measures, and until a frame whose size has changed has been laid out again. */
const MEASURE_MS = 1_000;
const SETTLE_MS = 200;
/** Pixels, for a board that reports nonsense. The least height is in the stylesheet. */
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
    const skeleton = make("div", { class: "skeleton", role: "status" }, make("span", {}, messages.loading));
    this.#content.replaceChildren(mountPoint, skeleton);
    try {
      const embedded = await within(LOAD_MS, this.#embed(mountPoint, attempt.signal));
      // The SDK is content with a blank frame: Superset down, unknown board, framing refused. Only an answer counts.
      await within(ANSWER_MS, embedded.getScrollSize());
      skeleton.remove();
      this.#followHeight(embedded, mountPoint.querySelector("iframe"), attempt.signal);
    } catch (error) {
      if (!attempt.signal.aborted) {
        this.#fail(error instanceof NoToken ? error.message : messages.unanswered);
      }
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
      this.#notice.textContent = error.message;
      // Of a board that is still to come, #fail speaks.
      this.#notice.hidden = this.#content.querySelector(".skeleton") !== null;
      throw error;
    }
  }

  #fail(message) {
    this.close();
    const retry = make("button", { type: "button" }, this.#config.messages.retry);
    retry.addEventListener("click", () => {
      this.load();
      // The button is gone, and the focus with it.
      this.panel.focus();
    });
    this.#content.append(make("div", { class: "message", role: "alert" }, make("p", {}, message), retry));
  }

  async #followHeight(embedded, frame, signal) {
    let layout;
    while (!signal.aborted) {
      if (!document.hidden && frame.getClientRects().length) {
        const current = JSON.stringify([frame.clientWidth, await embedded.getActiveTabs()]);
        if (current !== layout) {
          layout = current;
          // A page is never less high than its frame: a board that got shorter says so only in a small one.
          frame.style.height = "";
          await pause(SETTLE_MS);
        }
        const { height } = await embedded.getScrollSize();
        frame.style.height = `${Math.min(height, MAX_HEIGHT)}px`;
      }
      await pause(MEASURE_MS);
    }
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** What the promise brings, or an error when that takes longer. */
function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Nothing came within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
