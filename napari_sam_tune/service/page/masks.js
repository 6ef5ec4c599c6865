// Masks as the server writes them, COCO's compressed run lengths, and as files for other programs.
//
// Runs go down the columns, the first of pixels outside. A mask here is {box, bits, area, iou}: its
// box [x0, y0, x1, y1] in px of the image, ends excluded; one byte for each of the box's pixels,
// column by column; how many of them are inside.

const FIVE_BITS = 0x1f;
const SIGN = 0x10;
const MORE = 0x20;
const FIRST_LETTER = 48;

/** Read COCO's compressed run lengths. */
export function runsOf(counts) {
  const runs = [];
  for (let at = 0; at < counts.length; ) {
    let value = 0;
    let shift = 0;
    let letter;
    do {
      letter = counts.charCodeAt(at++) - FIRST_LETTER;
      value |= (letter & FIVE_BITS) << shift;
      shift += 5;
    } while (letter & MORE);
    if (letter & SIGN) value |= -1 << shift;
    // from the fourth on, what is written is the difference to the run two before
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}

/** Write run lengths as COCO compresses them. */
export function countsOf(runs) {
  let counts = "";
  runs.forEach((run, index) => {
    let value = index > 2 ? run - runs[index - 2] : run;
    let more = true;
    while (more) {
      let letter = value & FIVE_BITS;
      value >>= 5;
      more = letter & SIGN ? value !== -1 : value !== 0;
      if (more) letter |= MORE;
      counts += String.fromCharCode(letter + FIRST_LETTER);
    }
  });
  return counts;
}

/** Read a mask of an answer. */
export function readMask({ box, segmentation, predicted_iou: iou }) {
  const [rows, columns] = segmentation.size;
  const bits = new Uint8Array(rows * columns);
  let at = 0;
  let area = 0;
  runsOf(segmentation.counts).forEach((run, index) => {
    if (index % 2) {
      bits.fill(1, at, at + run);
      area += run;
    }
    at += run;
  });
  return { box, bits, area, iou };
}

/** The run lengths of a mask in all of its image. */
export function runsInImage({ box, bits }, width, height) {
  const [x0, y0, x1, y1] = box;
  const rows = y1 - y0;
  const runs = [];
  let begun = 0;
  let inside = 0;
  const turn = (at) => {
    runs.push(at - begun);
    begun = at;
    inside = 1 - inside;
  };
  for (let x = x0; x < x1; x++) {
    for (let y = 0; y < rows; y++) {
      if (bits[(x - x0) * rows + y] !== inside) turn(x * height + y0 + y);
    }
    const end = x * height + y1;
    const goesOn = rows === height && x + 1 < x1; // the next column begins where this one ends
    if (inside && !goesOn && end < width * height) turn(end);
  }
  runs.push(width * height - begun);
  return runs;
}

/** An answer as COCO has it: what POST /v1/masks gives. */
export function cocoOf(mask, { id, width, height }, weights) {
  const [x0, y0, x1, y1] = mask.box;
  return {
    image: id,
    segmentation: { size: [height, width], counts: countsOf(runsInImage(mask, width, height)) },
    bbox: [x0, y0, x1 - x0, y1 - y0],
    area: mask.area,
    predicted_iou: mask.iou,
    weights,
  };
}

/** A mask as an 8-bit grey PNG of 0 and 255; a canvas would write colours. */
export async function pngOf({ box, bits }, { width, height }) {
  const [x0, y0, x1, y1] = box;
  const rows = y1 - y0;
  const stride = width + 1; // each row begins with its filter, none
  const pixels = new Uint8Array(stride * height);
  for (let x = x0; x < x1; x++) {
    for (let y = y0; y < y1; y++) {
      if (bits[(x - x0) * rows + y - y0]) pixels[y * stride + 1 + x] = 255;
    }
  }
  const packed = new Blob([pixels]).stream().pipeThrough(new CompressionStream("deflate"));
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header[8] = 8; // bits a pixel; kind 0, grey
  const data = new Uint8Array(await new Response(packed).arrayBuffer());
  const signature = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", new Uint8Array())];
  return new Blob(parts, { type: "image/png" });
}

function chunk(kind, data) {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(kind), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, checksum(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

const REMAINDERS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32, as PNG asks for it. */
function checksum(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = REMAINDERS[(value ^ byte) & 0xff] ^ (value >>> 8);
  return ~value >>> 0;
}
