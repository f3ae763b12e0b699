/** There is no guest token; `message` says why, for people. */
export class NoToken extends Error {}

/** There is none because nobody is logged in any more. */
export class SessionEnded extends NoToken {}

/**
 * Fetch a guest token from our own server, which answers `{"guestToken"}` or `{"detail", "code"}`, the detail being
 * translated and meant for people. An answer of any other form is not ours.
 */
export async function fetchGuestToken(url, messages) {
  let response;
  try {
    response = await fetch(url, {
      credentials: "same-origin",
      cache: "no-store",
      headers: { Accept: "application/json" },
    });
  } catch {
    throw new NoToken(messages.offline);
  }
  const body = (await response.json().catch(() => null)) ?? {};
  if (response.ok && body.guestToken) {
    return body.guestToken;
  }
  // The platform sends people whose session has ended to its login page.
  if (response.status === 401 || response.redirected) {
    throw new SessionEnded(messages.session_expired);
  }
  if (response.status === 403) {
    throw new NoToken(messages.forbidden);
  }
  throw new NoToken((body.code && body.detail) || messages.failed);
}
