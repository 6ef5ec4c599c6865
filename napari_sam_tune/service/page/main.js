// The page: what is clicked becomes steps, steps become questions, answers become masks.

import { askToken } from "./door.js";
import { download, pictureOf } from "./files.js";
import { follow } from "./gestures.js";
import { cocoOf, pngOf, readMask } from "./masks.js";
import { Fault, Service } from "./service.js";
import { Steps } from "./steps.js";
import { numeral, reasonOf, say, speak, translate } from "./texts.js";
import { View } from "./view.js";

const SMALLEST_PX = 1; // of a box's sides
const COORDINATE_DIGITS = 2;

const $ = (id) => document.getElementById(id);
const isTouched = () => matchMedia("(pointer: coarse)").matches;

const service = new Service(askToken);
const view = new View($("canvas"), showScale);
let image = null; // {file, id, width, height}
let opening = new AbortController();
let leaving = new AbortController(); // of the open image: ends what is asked about it
let steps = new Steps();
let mask = null; // shown; while an answer is awaited, the one before
let corner = null; // the first of a box
let isAsking = false;
let trouble = null; // as the service tells it
let isSentAgain = false;
let note = null; // {name, values}: said in place of a hint, until something is done
let model = null;

// What is shown

function tool() {
  return document.querySelector("[name=tool]:checked").value;
}

function percent(share) {
  return numeral(share, { style: "percent", maximumFractionDigits: 0 });
}

/** The answers to a single click: it alone leaves open what is meant. */
function guesses() {
  const { box, points, answer, earlier } = steps.current;
  if (box !== null || points.length !== 1) return [];
  return (answer ?? earlier)?.candidates ?? [];
}

function hint() {
  const how = isTouched() ? "Touch" : "";
  if (corner) return say("hintCorner");
  if (tool() === "box") return say(`hintBox${how}`);
  if (tool() === "take") return say("hintTake");
  if (!steps.saysSomething) return say(`hintAdd${how}`);
  if (mask && !mask.bits.length) return say("empty");
  if (guesses().length > 1) return say("hintGuess");
  return say(`hintMore${how}`);
}

function message() {
  if (trouble) return say(trouble);
  if (note) return say(note.name, note.values());
  if (!image) return "";
  return isAsking ? say("thinking") : hint();
}

function refresh() {
  const step = steps.current;
  $("said").textContent = message();
  const waits = isAsking || trouble !== null || note?.kind === "waits";
  $("message").dataset.kind = trouble ? "trouble" : waits ? "waits" : (note?.kind ?? "");
  $("again").hidden = trouble === null;
  $("start").hidden = image !== null;
  $("open").hidden = image === null;
  $("zoom").hidden = image === null;
  $("tools").disabled = image === null;
  $("undo").disabled = !steps.canUndo && !corner;
  $("reset").disabled = !steps.saysSomething;
  $("save").disabled = !step.answer;
  $("facts").hidden = !mask;
  $("name").textContent = image ? `${image.file.name} · ${image.width} × ${image.height}` : "";
  if (mask) {
    $("area").textContent = say("areaValue", { area: numeral(mask.area) });
    $("estimate").textContent = percent(mask.iou);
  }
  if (model) {
    const version = model.in_use === "base" ? say("weightsBase") : model.in_use;
    $("weights").textContent = say("weights", { base: model.base, version });
  }
  $("canvas").setAttribute(
    "aria-label",
    image
      ? say("canvas", { name: image.file.name, width: image.width, height: image.height })
      : say("canvasEmpty"),
  );
  refreshGuesses(step);
  view.draw({ step, mask, corner });
}

function refreshGuesses(step) {
  const found = guesses();
  $("guesses").hidden = found.length < 2;
  const buttons = found.map((guess, index) => {
    const button = document.createElement("button");
    const share = percent(guess.predicted_iou);
    const name = document.createElement("span");
    name.textContent = numeral(index + 1);
    const fit = document.createElement("small");
    fit.textContent = share;
    button.type = "button";
    button.append(name, fit);
    button.title = say("guessTitle", { number: index + 1, share });
    button.setAttribute("aria-label", button.title);
    button.setAttribute("aria-pressed", String(index === step.candidate));
    button.addEventListener("click", () => choose(index));
    return button;
  });
  const place = $("guesses").querySelector(".choices");
  const focused = [...place.children].indexOf(document.activeElement);
  place.replaceChildren(...buttons);
  place.children[focused]?.focus();
}

function showScale() {
  $("scale").textContent = image ? percent(view.scale) : "";
}

// Questions and answers

/** Show the present step; ask about it where it has no answer yet. */
function proceed() {
  note = null;
  const step = steps.current;
  if (step.answer) mask = readMask(step.answer.mask);
  else if (!steps.saysSomething) mask = null;
  refresh();
  if (steps.saysSomething && !step.answer && !isAsking) ask();
}

/** Ask about the present step until that is the one answered: one question at a time. */
async function ask() {
  const { signal } = leaving;
  const here = image;
  isAsking = true;
  refresh();
  try {
    while (steps.saysSomething && !steps.current.answer) {
      const wanted = () => ({ image: here, step: steps.current });
      const { step, answer } = await service.propose(wanted, signal);
      step.answer = answer; // it is the step's own, whichever step is shown by now
      if (model) model.in_use = answer.weights; // a project's version may have changed
    }
    isAsking = false;
    proceed();
    if (isSentAgain) tell("sentAgain");
    isSentAgain = false;
  } catch (error) {
    if (signal.aborted) return;
    isAsking = false;
    refuse("unanswered", error);
  }
}

function refuse(name, error, values = {}) {
  if (!(error instanceof Fault)) console.error(error);
  tell(name, () => ({ ...values, reason: reasonOf(error) }), "bad");
}

/** Say something until something is done; `values` are asked for in each language. */
function tell(name, values = () => ({}), kind = "") {
  note = { name, values, kind };
  refresh();
}

function clicked(position, takesAway) {
  if (!image) return;
  if (tool() === "box" && !takesAway) {
    if (corner) finishBox(position);
    else beginBox(position);
    return;
  }
  const label = takesAway || tool() === "take" ? 0 : 1;
  corner = null;
  steps.addPoint(rounded(position.x), rounded(position.y), label);
  proceed();
}

function rounded(value) {
  return Number(value.toFixed(COORDINATE_DIGITS));
}

function beginBox(position) {
  corner = position;
  view.draw({ pointer: position });
  note = null;
  refresh();
}

function finishBox({ x, y }) {
  if (Math.abs(x - corner.x) < SMALLEST_PX || Math.abs(y - corner.y) < SMALLEST_PX) return;
  steps.setBox(
    { x: rounded(corner.x), y: rounded(corner.y) },
    { x: rounded(x), y: rounded(y) },
  );
  take("add"); // what comes next corrects the answer
  proceed();
}

function choose(candidate) {
  if (candidate >= guesses().length || candidate === steps.current.candidate) return;
  steps.choose(candidate);
  proceed();
}

function undo() {
  if (corner) corner = null;
  else steps.undo();
  proceed();
}

function reset() {
  corner = null;
  steps.reset();
  proceed();
}

// Images

async function open(file) {
  opening.abort();
  opening = new AbortController();
  const { signal } = opening;
  tell("sending", () => ({ name: file.name }), "waits");
  try {
    const sent = await service.upload(file, signal);
    const bitmap = await pictureOf(service, file, sent, signal);
    if (signal.aborted) return;
    leaving.abort();
    leaving = new AbortController();
    isAsking = false;
    image = { ...sent, file };
    steps = new Steps();
    mask = corner = null;
    view.show(bitmap);
    $("canvas").focus({ preventScroll: true });
    proceed();
  } catch (error) {
    if (!signal.aborted) refuse("noImage", error, { name: file.name });
  }
}

async function openSample(name) {
  const blob = await service.file(`/page/samples/${name}`);
  open(new File([blob], name, { type: blob.type }));
}

function chooseFile() {
  $("file").value = "";
  $("file").click();
}

// Files

async function save(kind) {
  const { answer } = steps.current;
  if (!answer) return;
  const found = readMask(answer.mask);
  const stem = image.file.name.replace(/\.[^.]+$/, "");
  if (kind === "png") {
    download(await pngOf(found, image), `${stem}_mask.png`);
  } else {
    const text = JSON.stringify(cocoOf(found, image, answer.weights));
    download(new Blob([text], { type: "application/json" }), `${stem}_mask.json`);
  }
}

// What happens

service.addEventListener("trouble", ({ detail }) => {
  trouble = detail;
  refresh();
});
service.addEventListener("sentagain", () => {
  isSentAgain = true;
});

follow($("canvas"), view, {
  tool,
  click: clicked,
  corner: (position, isFirst) => (isFirst ? beginBox(position) : finishBox(position)),
  escape,
  pointer: (pointer) => corner && view.draw({ pointer }),
  cross: ({ x, y }) => {
    $("position").textContent = say("position", { x: numeral(x), y: numeral(y) });
  },
});

function escape() {
  corner = null;
  refresh();
}

function take(name) {
  document.querySelector(`[name=tool][value=${name}]`).checked = true;
  corner = null;
  note = null;
  refresh();
}

const KEYS = {
  w: () => take(tool() === "add" ? "take" : "add"),
  b: () => take("box"),
  u: undo,
  C: reset,
  g: () => guesses().length && choose((steps.current.candidate + 1) % guesses().length),
  1: () => choose(0),
  2: () => choose(1),
  3: () => choose(2),
  "+": () => view.zoom(1.25),
  "=": () => view.zoom(1.25),
  "-": () => view.zoom(0.8),
  0: () => view.fit(),
  s: () => save("png"),
  S: () => save("coco"),
  Escape: escape,
};

addEventListener("keydown", (event) => {
  if ($("door").open || event.altKey || event.target.matches("input:not([type=radio])")) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key !== "z" || !image) return;
    event.preventDefault();
    undo();
  } else if (event.key === "o") {
    chooseFile();
  } else if (image) {
    KEYS[event.key]?.();
  }
});

for (const radio of document.querySelectorAll("[name=tool]")) {
  radio.addEventListener("change", () => take(radio.value));
}
for (const button of document.querySelectorAll("[data-sample]")) {
  button.addEventListener("click", () => openSample(button.dataset.sample));
}
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    speak(button.dataset.language);
    translate();
    refresh();
  });
}
for (const [id, does] of Object.entries({
  open: chooseFile,
  choose: chooseFile,
  undo,
  reset,
  again: () => service.wake(),
  png: () => save("png"),
  coco: () => save("coco"),
  closer: () => view.zoom(1.25),
  farther: () => view.zoom(0.8),
  fit: () => view.fit(),
})) {
  $(id).addEventListener("click", () => does());
}

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) open(file);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  $("stage").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("stage").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  $("stage").classList.remove("over");
  const files = event.dataTransfer.files;
  if (files.length === 1) open(files[0]);
  else tell("notImages", () => ({}), "bad");
});

translate();
refresh();
model = await service.weights();
refresh();
