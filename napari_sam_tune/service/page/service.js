// The server's operations, and what is done where one cannot be had now.

const LONGEST_SECONDS = 150; // the server itself gives up before
const SLOW_SECONDS = 6;
const BUSY = [408, 429, 502, 503, 504];
const WAITS = [1, 2, 4, 8];
const TOKEN = "token"; // of the tab alone

/** An answer that is a refusal: `word` is for programs, `message` the server's own sentence. */
export class Fault extends Error {
  constructor(status, word, message, after) {
    super(message);
    this.status = status;
    this.word = word;
    this.after = after;
  }
}

/**
 * Tells by events how things are: "trouble" (`detail` is "offline", "busy", "slow", or null once
 * all is well) and "sentagain" (the server had let an image go).
 */
export class Service extends EventTarget {
  #client = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
  #wakers = new Set();
  #askToken;

  /** @param {(word: string) => Promise<string>} askToken has a person give the token */
  constructor(askToken) {
    super();
    this.#askToken = askToken;
  }

  /** Try again now what waits to be tried again, or is slow. */
  wake() {
    for (const wake of this.#wakers) wake();
  }

  /** The model, and which weights answer. */
  weights() {
    return this.#persist((signal) => this.#json("/v1/weights", {}, signal));
  }

  /** Send a picture; it becomes {id, width, height}. */
  upload(file, signal) {
    return this.#persist((attempt) => this.#upload(file, attempt), signal);
  }

  /** A picture as the model sees it. */
  picture(id, signal) {
    return this.file(`/v1/images/${id}/picture`, signal);
  }

  /** Any file of the server, such as a sample. */
  file(path, signal) {
    return this.#persist(async (attempt) => (await this.#fetch(path, {}, attempt)).blob(), signal);
  }

  /**
   * Ask about an object.
   *
   * @param wanted gives {image, step}; called at each try, so that the newest question is put
   */
  propose(wanted, signal) {
    return this.#persist(async (attempt) => {
      const { image, step } = wanted();
      return { step, answer: await this.#propose(image, step, attempt) };
    }, signal);
  }

  async #propose(image, { box, points, candidate }, signal) {
    const path = `/v1/images/${image.id}/proposals`;
    const headers = { "Content-Type": "application/json" };
    const question = { method: "POST", headers, body: JSON.stringify({ box, points, candidate }) };
    try {
      return await this.#json(path, question, signal);
    } catch (error) {
      if (error.word !== "image_unknown") throw error;
      await this.#upload(image.file, signal); // the question holds all that was said
      this.dispatchEvent(new Event("sentagain"));
      return this.#json(path, question, signal);
    }
  }

  #upload(file, signal) {
    const body = new FormData();
    body.append("image", file, file.name);
    return this.#json("/v1/images", { method: "POST", body }, signal);
  }

  async #json(path, init, signal) {
    return (await this.#fetch(path, init, signal)).json();
  }

  async #fetch(path, init, signal) {
    const headers = new Headers(init.headers);
    headers.set("X-Client", this.#client);
    const token = sessionStorage.getItem(TOKEN);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    const answer = await fetch(path, { ...init, headers, signal });
    if (answer.ok) return answer;
    const said = await answer.json().catch(() => ({}));
    const after = Number(answer.headers.get("Retry-After"));
    throw new Fault(answer.status, said.error ?? "fault", said.message ?? "", after);
  }

  #tell(trouble) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: trouble }));
  }

  /** Do something until it is done, whatever becomes of connection and server meanwhile. */
  async #persist(work, signal) {
    for (let tries = 0; ; tries++) {
      const attempt = new AbortController();
      const slow = setTimeout(() => this.#tell("slow"), SLOW_SECONDS * 1000);
      const late = setTimeout(() => attempt.abort(), LONGEST_SECONDS * 1000);
      let isWoken = false;
      const wake = () => {
        isWoken = true;
        attempt.abort();
      };
      this.#wakers.add(wake);
      try {
        const signals = signal ? [attempt.signal, signal] : [attempt.signal];
        const done = await work(AbortSignal.any(signals));
        this.#tell(null);
        return done;
      } catch (error) {
        if (signal?.aborted) throw error;
        const isFault = error instanceof Fault;
        if (isFault && error.status === 401) {
          sessionStorage.setItem(TOKEN, await this.#askToken(error.word));
        } else if (isFault && !BUSY.includes(error.status)) {
          this.#tell(null);
          throw error;
        } else if (!isWoken) {
          this.#tell(isFault ? "busy" : "offline");
          await this.#rest(error.after || WAITS[Math.min(tries, WAITS.length - 1)], signal);
        }
      } finally {
        clearTimeout(slow);
        clearTimeout(late);
        this.#wakers.delete(wake);
      }
    }
  }

  async #rest(seconds, signal) {
    let timer, wake;
    try {
      await new Promise((resolve, reject) => {
        wake = resolve;
        timer = setTimeout(resolve, seconds * 1000);
        this.#wakers.add(wake);
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    } finally {
      clearTimeout(timer);
      this.#wakers.delete(wake);
    }
  }
}
