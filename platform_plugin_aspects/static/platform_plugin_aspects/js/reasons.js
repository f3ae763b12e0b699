import { make } from "./make.js";

/** The reasons why a board may be empty, as list items; a command for staff can be copied. */
export function reasonItems(reasons, messages) {
  return reasons.map(({ text, command }) => {
    const item = make("li", {}, text);
    if (command) {
      item.append(commandLine(command, messages));
    }
    return item;
  });
}

function commandLine(command, messages) {
  const line = make("div", { class: "command" }, make("code", { dir: "ltr", translate: "no" }, command));
  // Browsers have it on secure pages only; elsewhere a click on the command selects it.
  if (navigator.clipboard) {
    const said = make("span", { class: "hint", role: "status" });
    const button = make("button", { type: "button" }, messages.copy);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command);
      button.textContent = messages.copied;
      said.textContent = messages.copied;
    });
    line.append(button, said);
  }
  return line;
}
