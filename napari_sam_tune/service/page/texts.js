// Every text of the page, in every language it speaks. {name} is put in where a text is said.

export const TEXTS = {
  en: {
    add: "Part of it",
    addHint: "Clicks on the object",
    api: "API",
    area: "Area",
    areaValue: "{area} px",
    box: "Box",
    busy: "The server is busy. This goes on by itself; nothing is lost.",
    canvas:
      "Image {name}, {width} by {height} pixels. Arrow keys move the cross, Enter clicks there.",
    canvasEmpty: "No image is open.",
    coco: "COCO JSON",
    cocoTitle: "Save the mask as COCO JSON",
    connect: "Connect",
    dropTitle: "Click a defect, get its mask",
    dropText: "Drop an image here, or choose one. It is sent to this server and nowhere else.",
    empty: "Nothing was found here. Click on the object, or draw a box around it.",
    estimate: "Estimated fit",
    fit: "Fit",
    fitTitle: "Show the whole image",
    formats: "PNG, TIFF, JPEG, BMP or WebP",
    guess: "Guess {number}",
    guessTitle: "Guess {number}: estimated fit {share}",
    guesses: "Guesses",
    hintAdd: "Click on the object.",
    hintAddTouch: "Tap the object. Hold to mark what is not part of it.",
    hintBox: "Click one corner of a box around the object.",
    hintBoxTouch: "Tap one corner of a box around the object, or drag across it.",
    hintCorner: "Now the opposite corner.",
    hintGuess: "Not what you meant? Choose another guess, or click again.",
    hintMore: "Click what is missing; right-click what is too much.",
    hintMoreTouch: "Tap what is missing; hold on what is too much.",
    hintTake: "Click on what is not part of the object.",
    image: "Image",
    keyArrows: "Move the cross (Shift: by one pixel)",
    keyBox: "Box: two corners",
    keyCoco: "Save as COCO JSON",
    keyEnter: "Click at the cross (Shift: not part of it)",
    keyEscape: "Give up a half-drawn box",
    keyFit: "Show the whole image",
    keyGuess: "Next guess",
    keyGuesses: "First, second, third guess",
    keyOpen: "Open an image",
    keyPng: "Save as PNG",
    keyReset: "Start over",
    keySign: "Part of it, or not part of it",
    keyUndo: "Undo",
    keyZoom: "Closer, farther",
    keys: "Keys",
    language: "Language",
    mask: "Mask",
    mouseDrag: "Move the image (with the box tool: draw the box)",
    mouseLeft: "Part of the object",
    mouseMiddle: "Move the image with any tool",
    mouseRight: "Not part of the object",
    mouseWheel: "Closer, farther",
    nameDrag: "Drag",
    nameLeft: "Left click",
    nameMiddle: "Middle button",
    nameRight: "Right click",
    nameWheel: "Wheel",
    noImage: "“{name}” cannot be opened: {reason}",
    notImages: "Drop one image file.",
    notNow: "The mask cannot be saved: {reason}",
    offline: "No connection to the server. Go on clicking: nothing is lost.",
    open: "Open image…",
    png: "PNG",
    pngTitle: "Save the mask as PNG",
    position: "x {x}, y {y}",
    reset: "Start over",
    samples: "Or try a sample",
    sampleTitle: "Open the sample {name}",
    save: "Save the mask",
    sending: "Sending {name}…",
    sentAgain: "The server had let go of the image, so it was sent again. Nothing was lost.",
    slow: "This takes longer than usual. Your clicks are kept.",
    take: "Not part",
    takeHint: "Clicks on what is not part of the object",
    thinking: "Looking…",
    tokenAsk: "This server asks for a token",
    tokenHelp: "It was shown when the server was started. It is kept until you close this tab.",
    tokenLabel: "Token",
    tokenWrong: "This token is not the server's. Check it, and try again.",
    tools: "A click means",
    tryNow: "Try now",
    undo: "Undo",
    unanswered: "This cannot be answered: {reason}",
    view: "View",
    weights: "{base} · {version}",
    weightsBase: "base model",
    zoomIn: "Closer",
    zoomOut: "Farther",
    faults: {
      too_large: "it is larger than this server takes.",
      out_of_memory: "the server has too little memory for it now.",
      wrong_host: "open this page as localhost or 127.0.0.1.",
      fault: "the server made a mistake. Its log says where.",
    },
  },
  ja: {
    add: "対象",
    addHint: "対象の上をクリックします",
    api: "API",
    area: "面積",
    areaValue: "{area} px",
    box: "枠",
    busy: "サーバーが混み合っています。クリックは保持され、自動で続行します。",
    canvas: "画像 {name}（{width} × {height} ピクセル）。矢印キーで十字カーソルを動かし、Enter でクリックします。",
    canvasEmpty: "画像が開かれていません。",
    coco: "COCO JSON",
    cocoTitle: "マスクを COCO JSON で保存",
    connect: "接続",
    dropTitle: "欠陥をクリックしてマスクを作成",
    dropText: "画像をここにドロップするか、ファイルを選択してください。画像は接続先のサーバーにのみ送信されます。",
    empty: "対象が見つかりませんでした。対象の上をクリックするか、枠で囲んでください。",
    estimate: "推定一致度",
    fit: "全体表示",
    fitTitle: "画像全体を表示",
    formats: "PNG・TIFF・JPEG・BMP・WebP",
    guess: "案 {number}",
    guessTitle: "案 {number}：推定一致度 {share}",
    guesses: "案",
    hintAdd: "対象の上をクリックしてください。",
    hintAddTouch: "対象をタップしてください。対象外は長押しで指定します。",
    hintBox: "対象を囲む枠の角を 1 つクリックしてください。",
    hintBoxTouch: "対象を囲む枠の角をタップするか、ドラッグで囲んでください。",
    hintCorner: "続けて対角の位置を指定してください。",
    hintGuess: "意図と違う場合は、別の案を選ぶか、クリックを追加してください。",
    hintMore: "不足している部分はクリック、余分な部分は右クリックで修正します。",
    hintMoreTouch: "不足している部分はタップ、余分な部分は長押しで修正します。",
    hintTake: "対象に含めない部分をクリックしてください。",
    image: "画像",
    keyArrows: "十字カーソルを移動（Shift で 1 ピクセルずつ）",
    keyBox: "枠（2 つの角を指定）",
    keyCoco: "COCO JSON で保存",
    keyEnter: "十字カーソルの位置をクリック（Shift で対象外）",
    keyEscape: "描きかけの枠を取り消す",
    keyFit: "画像全体を表示",
    keyGuess: "別の案",
    keyGuesses: "案 1・2・3",
    keyOpen: "画像を開く",
    keyPng: "PNG で保存",
    keyReset: "クリックと枠をすべて消去",
    keySign: "対象／対象外の切り替え",
    keyUndo: "元に戻す",
    keyZoom: "拡大・縮小",
    keys: "キー操作",
    language: "言語",
    mask: "マスク",
    mouseDrag: "画像を移動（枠ツールでは枠を描く）",
    mouseLeft: "対象に含める",
    mouseMiddle: "どのツールでも画像を移動",
    mouseRight: "対象から除外する",
    mouseWheel: "拡大・縮小",
    nameDrag: "ドラッグ",
    nameLeft: "左クリック",
    nameMiddle: "中ボタン",
    nameRight: "右クリック",
    nameWheel: "ホイール",
    noImage: "「{name}」を開けません。{reason}",
    notImages: "画像ファイルを 1 つドロップしてください。",
    notNow: "マスクを保存できません。{reason}",
    offline: "接続が切れました。クリックは保持され、自動で再接続します。",
    open: "画像を開く…",
    png: "PNG",
    pngTitle: "マスクを PNG で保存",
    position: "x {x}、y {y}",
    reset: "すべて消去",
    samples: "サンプル画像で試す",
    sampleTitle: "サンプル {name} を開く",
    save: "マスクを保存",
    sending: "{name} を送信中…",
    sentAgain: "サーバー側で画像が破棄されていたため、再送信しました。作業内容は失われていません。",
    slow: "通常より時間がかかっています。クリックは保持されています。",
    take: "対象外",
    takeHint: "対象に含めない部分をクリックします",
    thinking: "推論中…",
    tokenAsk: "このサーバーにはトークンが必要です",
    tokenHelp: "トークンはサーバーの起動時に表示されます。このタブを閉じるまで保持されます。",
    tokenLabel: "トークン",
    tokenWrong: "トークンが正しくありません。確認してもう一度入力してください。",
    tools: "クリックの種類",
    tryNow: "今すぐ再試行",
    undo: "元に戻す",
    unanswered: "推論できませんでした。{reason}",
    view: "表示",
    weights: "{base}・{version}",
    weightsBase: "ベースモデル",
    zoomIn: "拡大",
    zoomOut: "縮小",
    faults: {
      too_large: "サーバーの上限を超える大きさです。",
      out_of_memory: "サーバーのメモリが不足しています。しばらくしてから再度お試しください。",
      wrong_host: "このページは localhost または 127.0.0.1 で開いてください。",
      fault: "サーバー内部でエラーが発生しました。詳細はサーバーのログを確認してください。",
    },
  },
};

const KEPT = "language";

/** The language in use: what was chosen here, else the first of the browser's that is spoken. */
export let language =
  [localStorage.getItem(KEPT), ...navigator.languages.map((tag) => tag.slice(0, 2))].find(
    (tag) => tag in TEXTS,
  ) ?? "en";

/** Speak another language from now on. */
export function speak(chosen) {
  language = chosen;
  localStorage.setItem(KEPT, chosen);
}

/** Say a text in the language in use. */
export function say(name, values = {}) {
  return TEXTS[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Say why something was refused: in this language where the word is known, else as the server did. */
export function reasonOf(fault) {
  return TEXTS[language].faults[fault.word] ?? fault.message;
}

/** Say again, in the language in use, all that stands in the document itself. */
export function translate() {
  const all = (kind) => document.querySelectorAll(`[data-${kind}]`);
  document.documentElement.lang = language;
  for (const element of all("say")) element.textContent = say(element.dataset.say);
  for (const element of all("title")) element.title = say(element.dataset.title);
  for (const element of all("name")) {
    const { name, key } = element.dataset;
    element.setAttribute("aria-label", say(name));
    if (key) element.title = `${say(name)} (${key})`;
  }
  for (const button of all("language")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  for (const button of all("sample")) {
    button.setAttribute("aria-label", say("sampleTitle", { name: button.dataset.sample }));
  }
}

/** Write a number as this language does. */
export function numeral(value, options = {}) {
  return value.toLocaleString(language, options);
}
