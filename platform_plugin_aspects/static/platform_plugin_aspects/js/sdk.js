import * as bundled from "@superset-ui/embedded-sdk";
import { make } from "./make.js";

/** Superset's embedding SDK: ours, or the UMD file at `url` (ASPECTS_SUPERSET_SDK_URL). */
export function loadSdk(url) {
  if (!url) {
    return Promise.resolve(bundled);
  }
  return globalThis.define?.amd ? loadWithAmd(url) : loadWithScript(url);
}

/** With an AMD loader on the page, a UMD file is an anonymous module, which only that loader can name. */
function loadWithAmd(url) {
  return new Promise((resolve, reject) => {
    globalThis.require([url], resolve, reject);
  });
}

function loadWithScript(url) {
  return new Promise((resolve, reject) => {
    const script = make("script", { src: url });
    script.addEventListener("load", () => resolve(globalThis.supersetEmbeddedSdk));
    script.addEventListener("error", () => reject(new Error(`The SDK at ${url} cannot be loaded`)));
    document.head.append(script);
  });
}
