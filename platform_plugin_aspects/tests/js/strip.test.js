import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, BOARDS, hangUp, MESSAGES, open, Server, until } from "./page.js";

const STRIP = { summaryUrl: "/summary" };
const MINUTE = 60_000;

const NUMBERS = [
  ["active", "Active learners", "312", "298 the week before", "Seen in seven days", "slug-0"],
  ["enrolled", "Enrolled", "1,204", "12 new, 3 left", "With an enrollment", "slug-0"],
  ["progress", "Median progress", "46%", "43% the week before", "Of all blocks", ""],
  ["grade", "Median grade", "–", "", "Of all grades", "nowhere"],
  ["at_risk", "Learners at risk", "27", "31 the week before", "Away for long", "slug-2"],
].map(([name, label, value, before_text, definition, board]) => ({
  name,
  label,
  value,
  before: "",
  before_text,
  definition,
  board,
}));

/** What the endpoint answers: all five numbers, but for what is different. */
function summary(changes = {}) {
  const common = {
    numbers: NUMBERS,
    freshness: "Last event 40 s ago.",
    reasons: [],
    generated_at: "2026-11-26T15:00:00Z",
  };
  return answer(200, { ...common, ...changes });
}

/** The numbers with this value in place of the first one's. */
function withActive(value) {
  return [{ ...NUMBERS[0], value }, ...NUMBERS.slice(1)];
}

/** A page with the strip; the server gives these answers one after the other. */
async function openStrip(answers = [summary()], { config = {}, ...options } = {}) {
  const server = await new Server().start();
  server.summaryAnswers = answers;
  const page = await open([{ ...STRIP, ...config }], { server, ...options });
  return { ...page, strip: page.root.querySelector(".strip") };
}

const texts = (root, selector) => [...root.querySelectorAll(selector)].map((element) => element.textContent);
const values = (root) => texts(root, ".tile:not([aria-hidden]) .value");
const status = (root) => root.querySelector(".strip [role=status]");
const shown = (root, value = "312") => until(() => values(root)[0] === value);
const said = (root, text) => until(() => status(root)?.textContent.startsWith(text));
const asked = (superset) => superset.asked.filter((url) => url === "/summary").length;

/** A minute has gone by, and people see the page. */
function minute({ superset }) {
  superset.hidden = false;
  superset.look();
  superset.ring(MINUTE);
}

function press(target, key) {
  const { KeyboardEvent } = target.ownerDocument.defaultView;
  const event = new KeyboardEvent("keydown", { key, bubbles: true, composed: true });
  target.dispatchEvent(event);
}

test("five numbers, each with its label, last week's and a definition that is closed", async () => {
  const { root, strip } = await openStrip();
  await shown(root);

  assert.equal(strip.getAttribute("aria-label"), "The course in numbers");
  assert.deepEqual(
    [...strip.querySelectorAll("dl > div")].map((tile) => [
      tile.querySelector("dt span").textContent,
      ...texts(tile, "dd"),
    ]),
    [
      ["Active learners", "Seen in seven days", "312", "298 the week before"],
      ["Enrolled", "With an enrollment", "1,204", "12 new, 3 left"],
      ["Median progress", "Of all blocks", "46%", "43% the week before"],
      ["Median grade", "Of all grades", "–", ""],
      ["Learners at risk", "Away for long", "27", "31 the week before"],
    ],
  );
  assert.ok([...strip.querySelectorAll(".definition")].every((definition) => definition.hidden));
  assert.equal(status(root).textContent, "Last event 40 s ago.");
  assert.equal(root.querySelector(".strip + header") !== null, true);
});

test("the numbers do not wait for Superset", async () => {
  const server = await new Server().start();
  server.answers = [() => {}];
  server.summaryAnswers = [summary()];
  const { root } = await open([STRIP], { server });
  await shown(root);
  assert.equal(root.querySelector("section:not(.strip) [role=status].skeleton").textContent, MESSAGES.loading);
});

test("without its address there is no strip", async () => {
  const { root } = await open([{}]);
  assert.equal(root.querySelector(".strip"), null);
});

test("a site without Superset shows the numbers, and misses no dashboards", async () => {
  const config = { supersetUrl: "", dashboards: [] };
  const { root, server } = await openStrip([summary()], { config });
  await shown(root);
  assert.equal(root.querySelector(".message"), null);
  assert.equal(root.querySelector("[role=alert]"), null);
  assert.equal(root.querySelector(".show"), null);
  assert.equal(server.tokens, 0);
});

test("with Superset and without dashboards, the element says so below the numbers", async () => {
  const { root } = await openStrip([summary()], { config: { dashboards: [] } });
  await shown(root);
  assert.equal(root.querySelector(".message").textContent, MESSAGES.empty);
});

test("before the numbers come, there are five places, and the status says so", async () => {
  let release;
  const { root } = await openStrip([(response) => (release = () => summary()(response))]);
  await until(() => release);
  assert.equal(root.querySelectorAll(".tile[aria-hidden=true]").length, 5);
  assert.equal(status(root).textContent, MESSAGES.numbers_loading);
  release();
  await shown(root);
  assert.equal(root.querySelector(".tile[aria-hidden]"), null);
});

test("the (i) is named after its number, and opens and closes the definition", async () => {
  const { root } = await openStrip();
  await shown(root);
  const info = root.querySelectorAll(".info")[1];
  const definition = root.getElementById(info.getAttribute("aria-controls"));
  const name = info.getAttribute("aria-labelledby").split(" ");
  assert.deepEqual(
    name.map((id) => root.getElementById(id).textContent),
    ["Enrolled", "What this number means"],
  );
  assert.equal(definition.textContent, "With an enrollment");

  const state = () => [info.getAttribute("aria-expanded"), definition.hidden];
  assert.deepEqual(state(), ["false", true]);
  info.click();
  assert.deepEqual(state(), ["true", false]);
  info.click();
  assert.deepEqual(state(), ["false", true]);
});

test("Escape closes the definition, keeps the focus there, and means nothing else", async () => {
  const { window, root } = await openStrip();
  await shown(root);
  const pressed = [];
  window.document.addEventListener("keydown", (event) => pressed.push(event.key));
  const [info] = root.querySelectorAll(".info");
  const show = root.querySelector(".show");
  info.click();
  show.focus();
  press(show, "Escape");
  assert.equal(root.querySelector(".definition").hidden, true);
  assert.equal(root.activeElement, info);
  assert.deepEqual(pressed, []);

  press(info, "Escape");
  assert.deepEqual(pressed, ["Escape"]);
});

test("a click elsewhere closes the definition, one in its tile does not", async () => {
  const { window, root } = await openStrip();
  await shown(root);
  const [first, second] = root.querySelectorAll(".definition");
  const point = (target) => target.dispatchEvent(new window.Event("pointerdown", { bubbles: true, composed: true }));
  root.querySelector(".info").click();
  point(first);
  assert.equal(first.hidden, false);
  point(second);
  assert.equal(first.hidden, true);
});

test("a focus that moves out of the tile closes the definition, one that goes nowhere does not", async () => {
  const { root } = await openStrip();
  await shown(root);
  const [first, second] = root.querySelectorAll(".info");
  const [definition] = root.querySelectorAll(".definition");
  first.focus();
  first.click();
  first.blur();
  assert.equal(definition.hidden, false);
  first.focus();
  root.querySelector(".show").focus();
  assert.equal(definition.hidden, false);
  second.focus();
  assert.equal(definition.hidden, true);
});

test("a number leads to its dashboard: the tab opens, and has the focus", async () => {
  const { root } = await openStrip();
  await shown(root);
  const buttons = [...root.querySelectorAll(".show")];
  assert.deepEqual(
    buttons.map((button) => button.textContent),
    [
      "Active learners Show the dashboard “Course”",
      "Enrolled Show the dashboard “Course”",
      "Learners at risk Show the dashboard “At risk”",
    ],
  );
  buttons[2].click();
  const tabs = root.querySelectorAll("[role=tab]");
  assert.equal(tabs[2].getAttribute("aria-selected"), "true");
  assert.equal(root.activeElement, tabs[2]);
});

test("with one dashboard there is no tab, and its panel has the focus", async () => {
  const { root } = await openStrip([summary()], { config: { dashboards: BOARDS.slice(2) } });
  await shown(root);
  const [button, ...others] = root.querySelectorAll(".show");
  assert.equal(others.length, 0);
  button.click();
  assert.equal(root.activeElement, root.querySelector("section:not(.strip)"));
});

test("of two dashboards with one slug, a number leads to the first", async () => {
  const dashboards = [BOARDS[1], BOARDS[2], { ...BOARDS[0], slug: "slug-2" }];
  const { root } = await openStrip([summary()], { config: { dashboards } });
  await shown(root);
  root.querySelector(".show").click();
  assert.equal(root.activeElement.textContent, "At risk");
});

test("after a minute the numbers are renewed, and what people do there goes on", async () => {
  const later = summary({ numbers: withActive("313"), freshness: "Last event 2 s ago." });
  const page = await openStrip([summary(), later]);
  const { root, server } = page;
  await shown(root);
  assert.equal(status(root).getAttribute("aria-live"), "polite");
  const info = root.querySelector(".info");
  info.focus();
  info.click();
  minute(page);
  await shown(root, "313");
  assert.equal(server.summaries, 2);
  assert.equal(root.activeElement, info);
  assert.equal(root.querySelector(".definition").hidden, false);
  assert.equal(status(root).textContent, "Last event 2 s ago.");
  // Nobody wants to hear that each minute.
  assert.equal(status(root).getAttribute("aria-live"), "off");

  minute(page);
  await until(() => server.summaries === 3);
});

test("a renewal with other numbers or other dashboards' slugs draws the tiles anew", async () => {
  const page = await openStrip([summary(), summary({ numbers: NUMBERS.slice(2) })]);
  await shown(page.root);
  minute(page);
  await until(() => values(page.root).length === 3);
  assert.deepEqual(values(page.root), ["46%", "–", "27"]);
});

test("a strip that is out of sight is renewed when it comes back", async () => {
  const page = await openStrip([summary(), summary({ numbers: withActive("313") })]);
  const { window, root, superset } = page;
  await shown(root);
  window.document.body.hidden = true;
  superset.look();
  minute(page);
  assert.equal(asked(superset), 1);
  window.document.body.hidden = false;
  superset.look();
  await shown(root, "313");
});

test("a page that nobody sees renews nothing until somebody does", async () => {
  const { window, root, superset } = await openStrip([summary(), summary({ numbers: withActive("313") })]);
  await shown(root);
  superset.look();
  superset.ring(MINUTE);
  window.document.dispatchEvent(new window.Event("visibilitychange"));
  assert.equal(asked(superset), 1);

  superset.hidden = false;
  window.document.dispatchEvent(new window.Event("visibilitychange"));
  assert.equal(asked(superset), 2);
  // Not again before the next minute is over.
  window.document.dispatchEvent(new window.Event("visibilitychange"));
  assert.equal(asked(superset), 2);
  await shown(root, "313");
});

test("a renewal that fails leaves the numbers, and says so until one succeeds", async () => {
  const page = await openStrip([summary(), hangUp, hangUp, summary({ numbers: withActive("313") })]);
  const { root, server } = page;
  await shown(root);
  minute(page);
  await said(root, MESSAGES.offline);
  assert.equal(values(root)[0], "312");
  assert.equal(status(root).getAttribute("aria-live"), "polite");
  assert.equal(status(root).querySelector("button").textContent, "Try again");

  minute(page);
  await until(() => server.summaries === 3 && status(root).getAttribute("aria-live") === "off");
  assert.equal(root.querySelector(".tile[aria-hidden]"), null);

  minute(page);
  await shown(root, "313");
  assert.equal(status(root).textContent, "Last event 40 s ago.");
});

for (const [what, reply, message] of [
  ["our own error", answer(503, { detail: "Come back later", code: "reports_unavailable" }), "Come back later"],
  ["no permission", answer(403, { detail: "Not you", code: "permission_denied" }), "Not you"],
  ["another's refusal", answer(403, "<h1>Forbidden by 10.0.0.1</h1>"), MESSAGES.numbers_failed],
  ["no such course", answer(404, { detail: "No such course", code: "not_found" }), "No such course"],
  ["another's error page", answer(502, "<h1>Bad gateway at 10.0.0.1</h1>"), MESSAGES.numbers_failed],
  ["another's JSON", answer(500, { detail: "Traceback" }), MESSAGES.numbers_failed],
  ["an answer without numbers", answer(200, {}), MESSAGES.numbers_failed],
  ["a server that is gone", hangUp, MESSAGES.offline],
]) {
  test(`no numbers, ${what}: a message, and a button that tries again`, async () => {
    const { root, strip } = await openStrip([reply, summary()]);
    await said(root, message);
    assert.equal(status(root).textContent, `${message}Try again`);
    assert.equal(root.querySelector(".tile"), null);
    status(root).querySelector("button").click();
    assert.equal(root.activeElement, strip);
    assert.equal(status(root).textContent, MESSAGES.numbers_loading);
    await shown(root);
  });
}

test("numbers that never come: a message", async () => {
  const { window, root } = await openStrip([() => {}]);
  await said(root, MESSAGES.numbers_loading);
  window.superset.ring(30_000);
  await said(root, MESSAGES.numbers_failed);
});

test("numbers that did not come are asked for again after a minute", async () => {
  const page = await openStrip([hangUp, summary()]);
  await said(page.root, MESSAGES.offline);
  minute(page);
  await shown(page.root);
});

for (const [what, reply] of [
  ["a session that has ended", answer(401, { detail: "x", code: "not_authenticated" })],
  ["the login page", answer(302, "", { Location: "/login" })],
]) {
  test(`no numbers, ${what}: the way to the login page, and no further questions`, async () => {
    const page = await openStrip([reply], { path: "/courses/a" });
    const { root, server } = page;
    await said(root, MESSAGES.session_expired);
    assert.equal(status(root).querySelector("button"), null);
    assert.equal(status(root).querySelector("a").href, `${server.url}/login?a=b&next=%2Fcourses%2Fa`);
    assert.throws(() => minute(page));
  });
}

test("a session that has ended meanwhile ends the questions, too", async () => {
  const page = await openStrip([hangUp, answer(401, {})]);
  const { root } = page;
  await said(root, MESSAGES.offline);
  status(root).querySelector("button").click();
  await said(root, MESSAGES.session_expired);
  assert.throws(() => minute(page));
});

test("where reports are off, there is no strip, and the dashboards are there", async () => {
  const { root, superset } = await openStrip([answer(404, { detail: "x", code: "reports_off" })]);
  await until(() => !root.querySelector(".strip"));
  await until(() => superset.boards.length);
  assert.equal(root.querySelectorAll("[role=tab]").length, 3);
  assert.throws(() => superset.ring(MINUTE));
});

const REASONS = [
  { text: "Nobody has been here.", command: "" },
  { text: "It was never published.", command: "manage.py cms dump --ids <a>" },
];

test("reasons are sentences, with a command to copy where there is one", async () => {
  const copied = [];
  const { root } = await openStrip([summary({ reasons: REASONS })], {
    prepare: (window) =>
      Object.defineProperty(window.navigator, "clipboard", { value: { writeText: async (text) => copied.push(text) } }),
  });
  await shown(root);
  const items = root.querySelectorAll(".reasons li");
  assert.deepEqual(
    [...items].map((item) => item.firstChild.textContent),
    ["Nobody has been here.", "It was never published."],
  );
  assert.deepEqual(texts(root, ".reasons code"), ["manage.py cms dump --ids <a>"]);
  assert.equal(items[0].querySelector("code"), null);
  assert.equal(root.querySelector("code").dir, "ltr");

  const button = items[1].querySelector("button");
  assert.equal(button.textContent, "Copy");
  button.click();
  await until(() => button.textContent === "Copied");
  assert.deepEqual(copied, ["manage.py cms dump --ids <a>"]);
  assert.equal(items[1].querySelector("[role=status]").textContent, "Copied");
});

test("where browsers have no clipboard, the command stands there without a button", async () => {
  const { root } = await openStrip([summary({ reasons: REASONS })]);
  await shown(root);
  assert.equal(root.querySelectorAll(".reasons code").length, 1);
  assert.equal(root.querySelector(".reasons button"), null);
});

test("a renewal leaves reasons that stay, and takes away those that are gone", async () => {
  const page = await openStrip([
    summary({ reasons: REASONS }),
    summary({ reasons: REASONS, freshness: "Second." }),
    summary({ freshness: "Third." }),
  ]);
  const { root } = page;
  await shown(root);
  const item = root.querySelector(".reasons li");
  minute(page);
  await said(root, "Second.");
  assert.equal(root.querySelector(".reasons li"), item);
  minute(page);
  await said(root, "Third.");
  assert.equal(root.querySelector(".reasons li"), null);
});

test("where there are no numbers at all, the reasons stand alone", async () => {
  const page = await openStrip([summary({ numbers: [], reasons: REASONS }), summary()]);
  const { root } = page;
  await said(root, "Last event");
  assert.equal(root.querySelector(".tile"), null);
  assert.equal(root.querySelectorAll(".reasons li").length, 2);
  minute(page);
  await shown(root);
});

test("texts of the endpoint are text", async () => {
  const html = "<img src=x onerror=alert(1)>";
  const numbers = [
    { name: "active", label: html, value: html, before: html, before_text: html, definition: html, board: "slug-0" },
  ];
  const { root } = await openStrip([summary({ numbers, freshness: html, reasons: [{ text: html, command: html }] })], {
    config: { dashboards: [{ ...BOARDS[0], name: "$&<img>" }, BOARDS[1]] },
  });
  await shown(root, html);
  assert.equal(root.querySelector("img"), null);
  assert.equal(root.querySelector(".show").textContent, `${html} Show the dashboard “$&<img>”`);
});

test("an element that is taken away asks no more, and may come back", async () => {
  let release;
  const first = (response) => (release = () => summary()(response));
  const page = await openStrip([first, summary({ numbers: withActive("313") })]);
  const { window, elements, root, server, superset } = page;
  await until(() => release);
  elements[0].remove();
  release();
  // Later than the answer.
  await until(() => server.tokens);
  await (await fetch(`${server.url}/token`)).text();
  assert.deepEqual(values(root), []);
  assert.throws(() => superset.ring(MINUTE));

  window.document.body.append(elements[0]);
  await shown(root, "313");
  assert.equal(server.summaries, 2);
  elements[0].remove();
  assert.throws(() => superset.ring(MINUTE));
});

for (const styles of ["load", "error"]) {
  test(`nothing is shown before the stylesheet's ${styles}`, async () => {
    const { root } = await openStrip([summary()], { prepare: (window) => (window.superset.styles = "x") });
    await shown(root);
    assert.equal(root.querySelector("div").hidden, true);
    const { Event } = root.ownerDocument.defaultView;
    root.querySelector("link").dispatchEvent(new Event(styles));
    assert.equal(root.querySelector("div").hidden, false);
  });
}
