// Bundles the browser's part, with Superset's embedding SDK inside, and notes whose code the bundle carries.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const STATIC = "platform_plugin_aspects/static/platform_plugin_aspects";
const BUNDLE = join(STATIC, "dist/aspects-dashboards.js");

const { metafile } = await build({
    entryPoints: [join(STATIC, "js/main.js")],
    outfile: BUNDLE,
    bundle: true,
    minify: true,
    // A classic script: an AMD loader on the page neither sees nor disturbs it.
    format: "iife",
    target: "es2022",
    metafile: true,
    logLevel: "warning",
});

const packages = new Set(
    Object.keys(metafile.inputs)
        .map((path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1])
        .filter(Boolean),
);
await writeFile(`${BUNDLE}.LICENSES.txt`, (await Promise.all([...packages].sort().map(note))).join("\n"));

/** Say under which license a package is, with the text if it is another than this repository's. */
async function note(name) {
    const folder = join("node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const text = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
    return `${name} ${version}: ${license}\n${text ? `\n${await readFile(join(folder, text), "utf8")}` : ""}`;
}
