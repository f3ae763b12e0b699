import { make } from "./make.js";

/** A link; one that opens a new window says so. */
export function link(url, text, { newWindow = "" } = {}) {
  if (!newWindow) {
    return make("a", { href: url }, text);
  }
  const hint = make("span", { class: "hint" }, ` ${newWindow}`);
  return make("a", { href: url, target: "_blank", rel: "noopener" }, text, hint);
}

/** Whether this page is in a frame, such as a unit of a course. */
export function isFramed() {
  return globalThis.self !== globalThis.top;
}

/**
 * The way to the login page, which leads back here. Out of a frame, where sites do not show their login page, it opens a
 * new window.
 */
export function loginLink({ loginUrl, messages }) {
  const url = new URL(loginUrl, location.href);
  if (isFramed()) {
    return link(url, messages.log_in, { newWindow: messages.new_window });
  }
  url.searchParams.set("next", location.pathname + location.search + location.hash);
  return link(url, messages.log_in);
}
