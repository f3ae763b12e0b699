/** Milliseconds from one answer to the next question. */
const RENEW_MS = 60_000;

/** Calls `renew` a minute after `wait` was called, or as soon as people see the element again after that. */
export class Renewal {
  #renew;
  #timer;
  #due = false;
  #inView = false;
  #observer;
  #closing = new AbortController();

  constructor(element, renew) {
    this.#renew = renew;
    this.#observer = new IntersectionObserver((entries) => {
      this.#inView = entries.at(-1).isIntersecting;
      this.#run();
    });
    this.#observer.observe(element);
    document.addEventListener("visibilitychange", () => this.#run(), { signal: this.#closing.signal });
  }

  /** Start the minute, anew where it has begun. */
  wait() {
    this.stop();
    this.#timer = setTimeout(() => {
      this.#due = true;
      this.#run();
    }, RENEW_MS);
  }

  /** Stop waiting, until `wait` is called again. */
  stop() {
    clearTimeout(this.#timer);
    this.#due = false;
  }

  /** Stop for good. */
  close() {
    this.stop();
    this.#observer.disconnect();
    this.#closing.abort();
  }

  #run() {
    if (this.#due && this.#inView && !document.hidden) {
      this.stop();
      this.#renew();
    }
  }
}
