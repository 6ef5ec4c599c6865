// What the mouse, fingers and keys do on the image.

const TREMOR = { mouse: 4, pen: 6, touch: 10 }; // px within which a press is a click
const HOLD_MS = 500;
const WHEEL = 0.0015; // of the logarithm of the scale, for each px that is scrolled
const PINCH = 0.01; // the same, where a touch pad says that two fingers pinch
const LINE_PX = 16;
const STEP_PX = 12; // that an arrow key moves the cross on the screen

/**
 * Follow a canvas. `on` is told of:
 *   click(position, takesAway), corner(position, isFirst) where a box is dragged, escape() where
 *   that is given up, pointer(position) and cross(position); it answers which tool() is in use.
 */
export function follow(canvas, view, on) {
  const pressed = new Map(); // pointers that are down, by id
  let press = null; // of the one that may become a click
  let cross = null;

  const giveUp = () => {
    clearTimeout(press?.hold);
    press = null;
  };

  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, event);
    hideCross();
    if (pressed.size > 1) {
      if (press?.drags === "box") on.escape();
      giveUp();
      return;
    }
    press = { event, button: event.button, drags: null, hold: 0 };
    if (event.pointerType === "touch") {
      press.hold = setTimeout(() => {
        navigator.vibrate?.(15);
        clicked(event, true);
        press = null;
      }, HOLD_MS);
    }
  });

  canvas.addEventListener("pointermove", (event) => {
    const before = pressed.get(event.pointerId);
    on.pointer(view.nearest(event.clientX, event.clientY));
    if (!before) return;
    if (pressed.size === 2) {
      pinch(before, event);
    } else if (press) {
      drag(before, event);
    }
    pressed.set(event.pointerId, event);
  });

  function pinch(before, event) {
    const [other] = [...pressed.values()].filter((one) => one.pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    view.move((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
    view.zoom(
      apart(event) / Math.max(apart(before), 1),
      (event.clientX + other.clientX) / 2,
      (event.clientY + other.clientY) / 2,
    );
  }

  function drag(before, event) {
    const { clientX, clientY, pointerType } = press.event;
    const far = Math.hypot(event.clientX - clientX, event.clientY - clientY);
    if (press.drags === null && far > TREMOR[pointerType]) {
      clearTimeout(press.hold);
      press.drags = on.tool() === "box" && press.button === 0 ? "box" : "view";
      if (press.drags === "box") on.corner(view.nearest(clientX, clientY), true);
      else view.move(event.clientX - clientX, event.clientY - clientY);
    } else if (press.drags === "view") {
      view.move(event.clientX - before.clientX, event.clientY - before.clientY);
    }
  }

  canvas.addEventListener("pointerup", (event) => {
    pressed.delete(event.pointerId);
    if (press?.drags === "box") on.corner(view.nearest(event.clientX, event.clientY), false);
    else if (press && !press.drags && press.button !== 1) clicked(event, press.button === 2);
    giveUp();
  });

  canvas.addEventListener("pointercancel", (event) => {
    pressed.delete(event.pointerId);
    giveUp();
  });

  function clicked({ clientX, clientY }, takesAway) {
    const position = view.at(clientX, clientY);
    if (position) on.click(position, takesAway);
  }

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const px = event.deltaMode ? event.deltaY * LINE_PX : event.deltaY;
      const factor = Math.exp(-px * (event.ctrlKey ? PINCH : WHEEL));
      view.zoom(factor, event.clientX, event.clientY);
    },
    { passive: false },
  );

  function hideCross() {
    cross = null;
    view.draw({ cross });
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !view.width) return;
    if (event.key in ARROWS) {
      event.preventDefault();
      const step = event.shiftKey ? 1 : Math.max(Math.round(STEP_PX / view.scale), 1);
      const [dx, dy] = ARROWS[event.key];
      const from = cross ?? view.middle;
      cross = view.within({ x: from.x + dx * step, y: from.y + dy * step });
      view.reveal(cross);
      view.draw({ cross });
      on.pointer(cross);
      on.cross(cross);
    } else if (event.key === "Enter") {
      event.preventDefault();
      cross ??= view.middle;
      view.draw({ cross });
      on.click(cross, event.shiftKey);
    }
  });
}
