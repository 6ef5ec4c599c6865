// The image on the screen: where it lies, and all that is drawn over it.
//
// Positions are the server's: px of the image, (0, 0) the first pixel's centre. Its corner is
// therefore at (-0.5, -0.5).

const CLOSEST = 64; // screen px of one px of the image
const ROOM = 24; // left free around an image that is shown whole
const CRISP = 3; // from so close on, pixels are shown as squares

const [FILL] = new Uint32Array(new Uint8Array([63, 182, 168, 115]).buffer);
const EDGE = "#8ff0e1";
const HALO = "rgba(0, 0, 0, 0.65)";
const FRAME = "#ffc04d";
const SIGNS = ["#c62828", "#15803d"]; // by a click's label

export class View {
  #canvas;
  #context;
  #picture = null;
  #scale = 1;
  #left = 0; // of the image's corner, in px of the canvas on the screen
  #top = 0;
  #isWhole = true;
  #scene = { step: null, mask: null, corner: null, pointer: null, cross: null };
  #drawn = null; // of the mask: {mask, layer, outline}
  #asked = 0;
  #onScale;

  /**
   * @param {HTMLCanvasElement} canvas whose size is its place's
   * @param {() => void} onScale called where the scale has changed
   */
  constructor(canvas, onScale) {
    this.#canvas = canvas;
    this.#onScale = onScale;
    this.#context = canvas.getContext("2d");
    new ResizeObserver(() => {
      if (this.#isWhole) this.fit();
      this.draw();
    }).observe(canvas);
  }

  get width() {
    return this.#picture?.width ?? 0;
  }

  get height() {
    return this.#picture?.height ?? 0;
  }

  /** Screen px of one px of the image. */
  get scale() {
    return this.#scale;
  }

  show(picture) {
    this.#picture?.close();
    this.#picture = picture;
    this.fit();
  }

  /** Show the whole image, in the middle. */
  fit() {
    const { clientWidth, clientHeight } = this.#canvas;
    const room = Math.min(ROOM, clientWidth / 20);
    this.#isWhole = true;
    this.#scale = Math.min(this.#farthest(room), CLOSEST);
    this.#left = (clientWidth - this.width * this.#scale) / 2;
    this.#top = (clientHeight - this.height * this.#scale) / 2;
    this.#onScale();
    this.draw();
  }

  #farthest(room) {
    const { clientWidth, clientHeight } = this.#canvas;
    return Math.min(
      Math.max(clientWidth - 2 * room, 1) / Math.max(this.width, 1),
      Math.max(clientHeight - 2 * room, 1) / Math.max(this.height, 1),
    );
  }

  /** Go closer, about a position on the screen; the middle where none is given. */
  zoom(factor, clientX = null, clientY = null) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    const x = clientX === null ? this.#canvas.clientWidth / 2 : clientX - left;
    const y = clientY === null ? this.#canvas.clientHeight / 2 : clientY - top;
    const least = Math.min(this.#farthest(ROOM) / 2, 1);
    const scale = Math.min(Math.max(this.#scale * factor, least), CLOSEST);
    this.#left = x - ((x - this.#left) * scale) / this.#scale;
    this.#top = y - ((y - this.#top) * scale) / this.#scale;
    this.#scale = scale;
    this.#onScale();
    this.#moved();
  }

  move(dx, dy) {
    this.#left += dx;
    this.#top += dy;
    this.#moved();
  }

  /** Keep some of the image in sight. */
  #moved() {
    const { clientWidth, clientHeight } = this.#canvas;
    const wide = this.width * this.#scale;
    const high = this.height * this.#scale;
    const room = Math.min(80, clientWidth / 3, clientHeight / 3);
    this.#isWhole = false;
    this.#left = Math.min(Math.max(this.#left, room - wide), clientWidth - room);
    this.#top = Math.min(Math.max(this.#top, room - high), clientHeight - room);
    this.draw();
  }

  /** Where on the image a position on the screen is; null beside the image. */
  at(clientX, clientY) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    const x = (clientX - left - this.#left) / this.#scale - 0.5;
    const y = (clientY - top - this.#top) / this.#scale - 0.5;
    const isInside = x >= -0.5 && y >= -0.5 && x <= this.width - 0.5 && y <= this.height - 0.5;
    return this.#picture && isInside ? { x, y } : null;
  }

  /** The same, but what is beside the image becomes the nearest of its border. */
  nearest(clientX, clientY) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    return this.within({
      x: (clientX - left - this.#left) / this.#scale - 0.5,
      y: (clientY - top - this.#top) / this.#scale - 0.5,
    });
  }

  within({ x, y }) {
    return {
      x: Math.min(Math.max(x, -0.5), this.width - 0.5),
      y: Math.min(Math.max(y, -0.5), this.height - 0.5),
    };
  }

  /** The middle of what is in sight, on the image. */
  get middle() {
    const { left, top } = this.#canvas.getBoundingClientRect();
    const { clientWidth, clientHeight } = this.#canvas;
    const { x, y } = this.nearest(left + clientWidth / 2, top + clientHeight / 2);
    return this.within({ x: Math.round(x), y: Math.round(y) });
  }

  /** Move so far that a position is in sight. */
  reveal({ x, y }) {
    const room = 40;
    const { clientWidth, clientHeight } = this.#canvas;
    const [sx, sy] = this.#onCanvas(x, y);
    const dx = sx < room ? room - sx : Math.min(clientWidth - room - sx, 0);
    const dy = sy < room ? room - sy : Math.min(clientHeight - room - sy, 0);
    if (dx || dy) this.move(dx, dy);
  }

  #onCanvas(x, y) {
    return [this.#left + (x + 0.5) * this.#scale, this.#top + (y + 0.5) * this.#scale];
  }

  /** Draw from now on what is given, with what was given before. */
  draw(scene = {}) {
    Object.assign(this.#scene, scene);
    if (!this.#asked) {
      this.#asked = requestAnimationFrame(() => {
        this.#asked = 0;
        this.#paint();
      });
    }
  }

  #paint() {
    const canvas = this.#canvas;
    const ratio = devicePixelRatio;
    const [wide, high] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round);
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    const context = this.#context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, wide, high);
    if (!this.#picture) return;
    const scale = this.#scale * ratio;
    context.setTransform(scale, 0, 0, scale, this.#left * ratio, this.#top * ratio);
    context.imageSmoothingEnabled = scale < CRISP;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#picture, 0, 0);
    this.#paintMask(scale, ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#paintBox();
    for (const { x, y, label } of this.#scene.step?.points ?? []) this.#paintPoint(x, y, label);
    if (this.#scene.cross) this.#paintCross(this.#scene.cross);
  }

  #paintMask(scale, ratio) {
    const { mask } = this.#scene;
    if (!mask || !mask.bits.length) return;
    if (this.#drawn?.mask !== mask) this.#drawn = { mask, ...layersOf(mask) };
    const context = this.#context;
    context.save();
    context.translate(mask.box[0], mask.box[1]);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#drawn.layer, 0, 0);
    for (const [width, colour] of [
      [3.5, HALO],
      [1.75, EDGE],
    ]) {
      context.lineWidth = (width * ratio) / scale;
      context.strokeStyle = colour;
      context.stroke(this.#drawn.outline);
    }
    context.restore();
  }

  #paintBox() {
    const { step, corner, pointer } = this.#scene;
    let box = step?.box ?? null;
    if (corner && pointer) box = [corner.x, corner.y, pointer.x, pointer.y];
    if (box) {
      const [x0, y0] = this.#onCanvas(box[0], box[1]);
      const [x1, y1] = this.#onCanvas(box[2], box[3]);
      this.#line(() => this.#context.rect(x0, y0, x1 - x0, y1 - y0), corner ? [6, 4] : []);
    }
    if (corner) {
      const [x, y] = this.#onCanvas(corner.x, corner.y);
      this.#line(() => this.#context.arc(x, y, 4, 0, 2 * Math.PI));
    }
  }

  #line(path, dash = []) {
    const context = this.#context;
    context.beginPath();
    path();
    for (const [width, colour, dashes] of [
      [4, HALO, []],
      [2, FRAME, dash],
    ]) {
      context.setLineDash(dashes);
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.stroke();
    }
    context.setLineDash([]);
  }

  /** A click: its sign tells what it means to those who see no colours. */
  #paintPoint(x, y, label) {
    const context = this.#context;
    const [cx, cy] = this.#onCanvas(x, y);
    context.beginPath();
    context.arc(cx, cy, 8, 0, 2 * Math.PI);
    context.fillStyle = SIGNS[label];
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = "#fff";
    context.stroke();
    context.beginPath();
    context.moveTo(cx - 4, cy);
    context.lineTo(cx + 4, cy);
    if (label) {
      context.moveTo(cx, cy - 4);
      context.lineTo(cx, cy + 4);
    }
    context.stroke();
  }

  #paintCross({ x, y }) {
    const [cx, cy] = this.#onCanvas(x, y);
    this.#line(() => {
      for (const [dx, dy] of [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ]) {
        this.#context.moveTo(cx + 5 * dx, cy + 5 * dy);
        this.#context.lineTo(cx + 16 * dx, cy + 16 * dy);
      }
    });
  }
}

/** What is drawn of a mask: its pixels, and the edges between inside and outside. */
function layersOf({ box, bits }) {
  const [wide, high] = [box[2] - box[0], box[3] - box[1]];
  const layer = new OffscreenCanvas(wide, high);
  const image = new ImageData(wide, high);
  const pixels = new Uint32Array(image.data.buffer);
  const outline = new Path2D();
  const inside = (x, y) => (x >= 0 && y >= 0 && x < wide && y < high ? bits[x * high + y] : 0);
  for (let x = 0; x < wide; x++) {
    for (let y = 0; y < high; y++) {
      if (bits[x * high + y]) pixels[y * wide + x] = FILL;
    }
  }
  layer.getContext("2d").putImageData(image, 0, 0);
  for (let x = 0; x <= wide; x++) {
    addEdges(high, (y) => inside(x - 1, y) !== inside(x, y), (y) => [x, y], outline);
  }
  for (let y = 0; y <= high; y++) {
    addEdges(wide, (x) => inside(x, y - 1) !== inside(x, y), (x) => [x, y], outline);
  }
  return { layer, outline };
}

/** Add one line for each run of positions along which there is an edge. */
function addEdges(length, isEdge, at, outline) {
  let begun = -1;
  for (let along = 0; along <= length; along++) {
    const is = along < length && isEdge(along);
    if (is && begun < 0) begun = along;
    if (!is && begun >= 0) {
      outline.moveTo(...at(begun));
      outline.lineTo(...at(along));
      begun = -1;
    }
  }
}
