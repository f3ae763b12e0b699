import { NoAnswer, SessionEnded } from "./fetch.js";
import { isFramed, loginLink } from "./link.js";
import { make } from "./make.js";

/** What to tell people about an error: our server's own words, or `otherwise`. */
export function messageOf(error, otherwise) {
  return error instanceof NoAnswer ? error.message : otherwise;
}

/** What helps after an error: the way to the login page, or a button that tries again by `retry`, or both. */
export function remedies(error, config, retry) {
  const ended = error instanceof SessionEnded;
  const found = ended ? [loginLink(config)] : [];
  // A login out of a frame happens in another window.
  if (!ended || isFramed()) {
    const button = make("button", { type: "button" }, config.messages.retry);
    button.addEventListener("click", retry);
    found.push(button);
  }
  return found;
}
