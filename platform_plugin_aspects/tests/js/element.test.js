import assert from "node:assert/strict";
import { test } from "node:test";
import { add, answer, BOARDS, hangUp, MESSAGES, open, Server, until } from "./page.js";

const ONE = { dashboards: BOARDS.slice(0, 1) };

const loaded = (root) =>
  until(() => !root.querySelector("section:not([hidden]) .skeleton") && root.querySelector("iframe"));
const failure = (root) => until(() => root.querySelector("[role=alert] p")?.textContent);

function press(root, key, modifiers = {}) {
  const { KeyboardEvent } = root.ownerDocument.defaultView;
  root.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...modifiers }),
  );
  return root.activeElement.textContent;
}

test("one dashboard needs no tabs", async () => {
  const { root, superset } = await open([ONE]);
  await loaded(root);

  assert.equal(root.querySelector("[role=tablist]"), null);
  assert.equal(root.querySelector("section").getAttribute("aria-label"), "Course");
  assert.equal(root.querySelector("iframe").title, "Course");
  const [board] = superset.boards;
  assert.equal(board.id, "uuid-0");
  assert.equal(board.supersetDomain, "http://superset.invalid/");
  assert.equal(board.token, "a token");
  assert.equal(board.referrerPolicy, "strict-origin-when-cross-origin");
});

test("without dashboards, the element says so", async () => {
  const { root } = await open([{ dashboards: [] }]);
  assert.equal(root.querySelector(".message").textContent, MESSAGES.empty);
});

test("tabs name and show their panels", async () => {
  const { root } = await open([{}]);
  const tabs = [...root.querySelectorAll("[role=tab]")];
  const panels = [...root.querySelectorAll("[role=tabpanel]")];

  assert.equal(root.querySelector("[role=tablist]").getAttribute("aria-label"), MESSAGES.tabs);
  assert.deepEqual(
    tabs.map((tab) => tab.textContent),
    BOARDS.map((board) => board.name),
  );
  tabs.forEach((tab, index) => {
    assert.equal(tab.getAttribute("aria-controls"), panels[index].id);
    assert.equal(panels[index].getAttribute("aria-labelledby"), tab.id);
  });
  tabs[1].click();
  assert.deepEqual(
    tabs.map((tab) => tab.getAttribute("aria-selected")),
    ["false", "true", "false"],
  );
  assert.deepEqual(
    tabs.map((tab) => tab.tabIndex),
    [-1, 0, -1],
  );
  assert.deepEqual(
    panels.map((panel) => panel.hidden),
    [true, false, true],
  );
});

test("a board loads when its tab is first opened, and stays", async () => {
  const { root, superset } = await open([{}]);
  const tabs = root.querySelectorAll("[role=tab]");
  await loaded(root);
  assert.deepEqual(
    superset.boards.map((board) => board.id),
    ["uuid-0"],
  );

  tabs[2].click();
  await until(() => superset.boards.length === 2);
  assert.equal(superset.boards[1].id, "uuid-2");

  tabs[0].click();
  tabs[1].click();
  await until(() => superset.boards.length === 3);
  assert.equal(superset.boards[2].id, "uuid-1");
  assert.ok(superset.boards.every((board) => board.mounted));
});

test("keys move the focus along the tabs, around their ends, and open nothing", async () => {
  const { root } = await open([{}]);
  root.querySelector("[role=tab]").focus();

  const keys = ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "Home", "End", "ArrowLeft"];
  assert.deepEqual(
    keys.map((key) => press(root, key)),
    ["Learners", "At risk", "Course", "At risk", "Course", "At risk", "Learners"],
  );
  assert.equal(press(root, "x"), "Learners");
  assert.equal(root.activeElement.tabIndex, 0);
  assert.equal(root.querySelectorAll("[tabindex='0']").length, 1);
  assert.equal(root.querySelector("[aria-selected=true]").textContent, "Course");
});

test("in a column, the arrow keys are those that point up and down", async () => {
  const { window, root } = await open([{}], { prepare: (window) => window.narrow.change(true) });
  const list = root.querySelector("[role=tablist]");
  assert.equal(list.getAttribute("aria-orientation"), "vertical");
  root.querySelector("[role=tab]").focus();
  assert.equal(press(root, "ArrowDown"), "Learners");
  assert.equal(press(root, "ArrowUp"), "Course");
  assert.equal(press(root, "ArrowUp"), "At risk");
  assert.equal(press(root, "ArrowRight"), "At risk");

  window.narrow.change(false);
  assert.equal(list.getAttribute("aria-orientation"), "horizontal");
  assert.equal(press(root, "ArrowDown"), "At risk");
  assert.equal(press(root, "ArrowLeft"), "Learners");
});

test("keys with which browsers do something else are left to them", async () => {
  const { root } = await open([{}]);
  root.querySelector("[role=tab]").focus();
  for (const modifier of ["altKey", "ctrlKey", "metaKey", "shiftKey"]) {
    assert.equal(press(root, "ArrowRight", { [modifier]: true }), "Course");
  }
});

test("the Tab key comes back to the tab that is open", async () => {
  const { root } = await open([{}]);
  const tabs = [...root.querySelectorAll("[role=tab]")];
  tabs[0].focus();
  press(root, "ArrowRight");
  press(root, "ArrowRight");
  assert.deepEqual(
    tabs.map((tab) => tab.tabIndex),
    [-1, -1, 0],
  );
  tabs[2].blur();
  assert.deepEqual(
    tabs.map((tab) => tab.tabIndex),
    [0, -1, -1],
  );
});

test("right to left, the arrow keys change places", async () => {
  const prepare = (window) => {
    window.getComputedStyle = () => ({ direction: "rtl" });
  };
  const { root } = await open([{}], { prepare });
  root.querySelector("[role=tab]").focus();
  assert.equal(press(root, "ArrowLeft"), "Learners");
  assert.equal(press(root, "ArrowRight"), "Course");
});

test("the link to Superset is there when it is wanted", async () => {
  const link = { url: "http://superset.invalid/login/openedxsso", text: "View" };
  const { elements } = await open([{ link }, {}]);
  const found = elements.map((element) => element.shadowRoot.querySelector("a"));
  assert.equal(found[0].href, link.url);
  assert.equal(found[0].textContent, "View (opens in a new window)");
  assert.equal(found[0].target, "_blank");
  assert.equal(found[0].rel, "noopener");
  assert.equal(found[1], null);
});

test("names and messages are text", async () => {
  const name = "<img src=x onerror=alert(1)>";
  const { root } = await open([{ dashboards: [BOARDS[0], { name, uuid: "uuid-x" }] }]);
  assert.equal(root.querySelectorAll("[role=tab]")[1].textContent, name);
  assert.equal(root.querySelector("img"), null);
});

for (const [what, reply, message] of [
  ["our own error", answer(503, { detail: "Come back later", code: "superset_unavailable" }), "Come back later"],
  ["no permission", answer(403, { detail: "x", code: "permission_denied" }), MESSAGES.forbidden],
  ["another's error page", answer(502, "<h1>Bad gateway at 10.0.0.1</h1>"), MESSAGES.failed],
  ["another's JSON", answer(500, { detail: "Traceback" }), MESSAGES.failed],
  ["no token", answer(200, {}), MESSAGES.failed],
  ["JSON null", answer(200, null), MESSAGES.failed],
  ["a server that is gone", hangUp, MESSAGES.offline],
]) {
  test(`${what}: a message, and a button that tries again`, async () => {
    const server = await new Server().start();
    server.answers.unshift(reply);
    const { root, superset } = await open([ONE], { server });

    assert.equal(await failure(root), message);
    assert.equal(root.querySelector("iframe"), null);
    assert.equal(root.querySelector(".notice").hidden, true);
    root.querySelector("[role=alert] button").click();
    assert.equal(root.activeElement, root.querySelector("section"));
    await loaded(root);
    assert.equal(root.querySelector("[role=alert]"), null);
    assert.equal(superset.boards.length, 1);
  });
}

for (const [what, reply] of [
  ["a session that has ended", answer(401, { detail: "x", code: "not_authenticated" })],
  ["the login page", answer(302, "", { Location: "/login" })],
]) {
  test(`${what}: a message, and the way to the login page and back`, async () => {
    const server = await new Server().start();
    server.answers.unshift(reply);
    const { root } = await open([ONE], { server, path: "/courses/a?b=c#view-aspects" });

    assert.equal(await failure(root), MESSAGES.session_expired);
    assert.equal(root.querySelector("[role=alert] button"), null);
    const link = root.querySelector("[role=alert] a");
    assert.equal(link.textContent, "Log in");
    assert.equal(link.target, "");
    assert.equal(link.href, `${server.url}/login?a=b&next=%2Fcourses%2Fa%3Fb%3Dc%23view-aspects`);
  });
}

test("in a frame, the login page opens in another window, and one can try again", async () => {
  const server = await new Server().start();
  server.answers.unshift(answer(401, {}));
  const { root } = await open([ONE], {
    server,
    prepare: (window) => Object.defineProperty(window, "self", { value: null }),
  });
  assert.equal(await failure(root), MESSAGES.session_expired);
  const link = root.querySelector("[role=alert] a");
  assert.equal(link.textContent, "Log in (opens in a new window)");
  assert.equal(link.target, "_blank");
  assert.equal(link.href, `${server.url}/login?a=b`);
  root.querySelector("[role=alert] button").click();
  await loaded(root);
});

test("a dashboard that takes longer than usual says so, and may still come", async () => {
  const server = await new Server().start();
  let release;
  server.answers.unshift((response) => {
    release = () => answer(200, { guestToken: "late" })(response);
  });
  const { window, root } = await open([ONE], { server });
  const status = await until(() => root.querySelector("[role=status].skeleton"));
  assert.equal(status.textContent, MESSAGES.loading);
  window.superset.ring(8_000);
  await until(() => status.textContent === MESSAGES.slow);
  await until(() => release);
  release();
  await loaded(root);
  assert.equal(status.isConnected, false);
});

test("a frame that does not answer: a message, and a button that tries again", async () => {
  const { root, superset } = await open([ONE], {
    prepare: (window) => Object.assign(window.superset, { answers: false, haste: 200 }),
  });

  assert.equal(await failure(root), MESSAGES.unanswered);
  assert.equal(superset.boards[0].mounted, false);
  assert.equal(root.querySelector("iframe"), null);
  Object.assign(superset, { answers: true, haste: 1 });
  root.querySelector("[role=alert] button").click();
  await loaded(root);
  assert.equal(superset.boards[1].mounted, true);
});

test("a token that never comes: a message", async () => {
  const server = await new Server().start();
  server.answers = [() => {}];
  const { root } = await open([ONE], { server, prepare: (window) => (window.superset.haste = 200) });
  assert.equal(await failure(root), MESSAGES.unanswered);
});

test("a renewal that fails leaves the board, with a notice until one succeeds", async () => {
  const { root, server, superset } = await open([ONE]);
  await loaded(root);
  const [board] = superset.boards;
  const notice = root.querySelector(".notice");

  server.answers.unshift(answer(401, {}));
  await assert.rejects(board.fetchGuestToken());
  assert.equal(notice.hidden, false);
  assert.equal(notice.textContent, `${MESSAGES.session_expired} ${MESSAGES.log_in}`);
  assert.equal(new URL(notice.querySelector("a").href).pathname, "/login");
  assert.ok(root.querySelector("iframe"));
  assert.equal(root.querySelector("[role=alert]"), null);

  assert.equal(await board.fetchGuestToken(), "a token");
  assert.equal(notice.hidden, true);
});

test("an element that is taken away takes its boards along, and may come back", async () => {
  const { window, root, elements, superset } = await open([{}]);
  await loaded(root);
  elements[0].remove();
  assert.equal(superset.boards[0].mounted, false);

  window.document.body.append(elements[0]);
  await until(() => superset.boards.length === 2);
  assert.equal(superset.boards[1].mounted, true);
});

test("an element that is taken away while it loads leaves nothing behind", async () => {
  const server = await new Server().start();
  let release;
  server.answers.unshift((response) => {
    release = () => answer(200, { guestToken: "late" })(response);
  });
  const { elements, superset } = await open([ONE], { server });
  await until(() => release);
  elements[0].remove();
  release();
  await until(() => superset.boards[0]?.mounted === false);
});

test("elements of one page are independent of each other", async () => {
  const { elements, errors, superset } = await open(
    [ONE, { dashboards: BOARDS.slice(1, 2), guestTokenUrl: "/token" }],
    {
      scripts: 2,
    },
  );
  await Promise.all(elements.map((element) => loaded(element.shadowRoot)));
  elements[0].remove();
  assert.deepEqual(superset.boards.map((board) => [board.id, board.mounted]).sort(), [
    ["uuid-0", false],
    ["uuid-1", true],
  ]);
  assert.deepEqual(errors, []);
});

test("an element that comes after the script works too", async () => {
  const { window, superset } = await open([]);
  add(window, ONE);
  await until(() => superset.boards.length);
});

test("a section that the page does not show loads nothing until it does", async () => {
  const { window, server, root } = await open([ONE], {
    prepare: (window) => window.addEventListener("DOMContentLoaded", () => (window.document.body.hidden = true)),
  });
  assert.ok(root.querySelector("section"));
  assert.equal(server.tokens, 0);
  window.document.body.hidden = false;
  await loaded(root);
});

test("the script adds nothing to the page's globals", async () => {
  let before;
  const { window } = await open([{ ...ONE, sdkUrl: "" }], { prepare: (window) => (before = Object.keys(window)) });
  assert.deepEqual(
    Object.keys(window).filter((name) => !before.includes(name)),
    [],
  );
});

test("with an AMD loader on the page, the SDK comes through it", async () => {
  const prepare = (window) => {
    window.define = (_dependencies, factory) => (window.defined = factory);
    window.define.amd = {};
    window.require = ([url], resolve, reject) => {
      const script = window.document.createElement("script");
      script.src = url;
      script.addEventListener("load", () => resolve(window.defined()));
      script.addEventListener("error", reject);
      window.document.head.append(script);
    };
  };
  const { window, root, superset } = await open([ONE], { prepare });
  await loaded(root);
  assert.equal(superset.boards.length, 1);
  assert.equal(window.supersetEmbeddedSdk, undefined);
});

test("an AMD loader on the page is not asked for the SDK in the bundle", async () => {
  const calls = [];
  const prepare = (window) => {
    window.define = Object.assign(() => calls.push("define"), { amd: {} });
    window.require = () => calls.push("require");
  };
  const { window, server } = await open([{ ...ONE, sdkUrl: "" }], { prepare });
  // The SDK asks for the token.
  await until(() => server.tokens);
  assert.deepEqual(calls, []);
  assert.equal(window.supersetEmbeddedSdk, undefined);
});

test("an SDK that cannot be loaded: a message, long before time is up", { timeout: 20_000 }, async () => {
  const { root } = await open([{ ...ONE, sdkUrl: "http://127.0.0.1:1/sdk.js" }], {
    prepare: (window) => (window.superset.haste = 0.001),
  });
  assert.equal(await failure(root), MESSAGES.unanswered);
});
