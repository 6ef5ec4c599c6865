// The dialog that asks for the server's token; nothing can be had without it.

import { say } from "./texts.js";

const [door, field, wrong] = ["door", "token", "wrong"].map((id) => document.getElementById(id));

door.addEventListener("cancel", (event) => event.preventDefault());

/** Have a person give a token; `word` says why. Whoever asks meanwhile gets the same one. */
export async function askToken(word) {
  if (!door.open) {
    wrong.textContent = word === "token_wrong" ? say("tokenWrong") : "";
    field.value = "";
    door.showModal();
  }
  await new Promise((resolve) => door.addEventListener("close", resolve, { once: true }));
  return field.value.trim();
}
