import js from "@eslint/js";
import globals from "globals";

export default [
    { ignores: ["**/dist/"] },
    js.configs.recommended,
    { files: ["*.mjs", "**/tests/**"], languageOptions: { globals: globals.node } },
    { files: ["**/static/**", "**/js/sdk.js"], languageOptions: { globals: { ...globals.browser, ...globals.amd } } },
];
