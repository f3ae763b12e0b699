// In place of Superset's SDK, as ASPECTS_SUPERSET_SDK_URL may name one: jsdom has no message channels between frames.
// `superset` in the page says what it was asked for, and how its boards behave.
(function (factory) {
  if (typeof define === "function" && define.amd) {
    define([], factory);
  } else {
    globalThis.supersetEmbeddedSdk = factory();
  }
})(function () {
  return {
    async embedDashboard(asked) {
      const { superset } = globalThis;
      const frame = document.createElement("iframe");
      frame.title = asked.iframeTitle;
      asked.mountPoint.replaceChildren(frame);
      const board = { ...asked, token: await asked.fetchGuestToken(), mounted: true };
      superset.boards.push(board);
      return {
        getScrollSize: () => (superset.answers ? Promise.resolve({ width: 800, height: 900 }) : new Promise(() => {})),
        getActiveTabs: async () => [],
        unmount() {
          board.mounted = false;
        },
      };
    },
  };
});
