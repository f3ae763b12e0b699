/** Our server did not answer as asked; `message` says why, for people, and `code` for programs ("" without one). */
export class NoAnswer extends Error {
  constructor(message, code = "") {
    super(message);
    this.code = code;
  }
}

/** It did not because nobody is logged in any more. */
export class SessionEnded extends NoAnswer {}

/**
 * Fetch JSON from our own server, which answers an object with `key`, or `{"detail", "code"}`, the detail being
 * translated and meant for people. An answer of any other form is not ours. `messages.forbidden` stands for the detail
 * of a refusal; without it people read the detail.
 */
export async function fetchJson(url, key, messages) {
  let response;
  try {
    response = await fetch(url, {
      credentials: "same-origin",
      cache: "no-store",
      headers: { Accept: "application/json" },
    });
  } catch {
    throw new NoAnswer(messages.offline);
  }
  const body = (await response.json().catch(() => null)) ?? {};
  if (response.ok && body[key]) {
    return body;
  }
  // The platform sends people whose session has ended to its login page.
  if (response.status === 401 || response.redirected) {
    throw new SessionEnded(messages.session_expired);
  }
  if (response.status === 403 && messages.forbidden) {
    throw new NoAnswer(messages.forbidden);
  }
  throw new NoAnswer((body.code && body.detail) || messages.failed, body.code);
}

/** Fetch a guest token. */
export async function fetchGuestToken(url, messages) {
  return (await fetchJson(url, "guestToken", messages)).guestToken;
}
