// Sends one file by tus 1.0.0. An upload goes on where it broke off: after a failure, a pause, and
// after the page was loaded again, once the same file is chosen.
import { refusal } from "./dom.js";
import { url } from "./keys.js";

const version = { "Tus-Resumable": "1.0.0" };
const pieceSize = 64 << 20; // of one request, which keeps what arrived even if it breaks off
const attempts = 12; // that bring nothing, before the upload fails
const inOne = 1 << 20; // the largest file that goes with the request that begins its upload
const pieceType = { "Content-Type": "application/offset+octet-stream" };
const memory = "kvault-upload ";
let resumable = true; // until the server says that its vault keeps no uploads that break off

/** Thrown by send when it is paused. */
export const paused = Symbol("paused");

const fingerprint = (file, key) => `${memory}${file.size} ${file.lastModified} ${key}`;
const keyOf = (print) => print.split(" ").slice(3).join(" ");

function remember(print, place) {
  try {
    if (place) localStorage.setItem(print, place);
    else localStorage.removeItem(print);
  } catch {
    /* no room, or not allowed: the upload cannot go on after the page was closed */
  }
}

/** @returns the keys of uploads that were begun here and have not ended. */
export function unfinished() {
  try {
    return Object.keys(localStorage)
      .filter((k) => k.startsWith(memory))
      .map(keyOf);
  } catch {
    return [];
  }
}

/** Forgets the uploads to keys with that prefix; the server removes them when they expire. */
export function forget(prefix) {
  for (const k of Object.keys(localStorage))
    if (k.startsWith(memory) && keyOf(k).startsWith(prefix)) remember(k, null);
}

/** Sends a request with progress, which fetch cannot tell. Pausing aborts it. */
function exchange(method, place, headers, body, signal, progress) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(paused);
      return;
    }
    const xhr = new XMLHttpRequest();
    const stop = () => xhr.abort();
    signal.addEventListener("abort", stop);
    xhr.open(method, place);
    for (const [name, value] of Object.entries({ ...version, ...headers }))
      xhr.setRequestHeader(name, value);
    if (progress) xhr.upload.onprogress = (e) => progress(e.loaded);
    xhr.onload = () => {
      if (xhr.status >= 200 && xhr.status < 300) resolve(xhr);
      else reject(refusal(xhr.status, xhr.responseText));
    };
    xhr.onerror = () =>
      reject(Object.assign(new Error("the server cannot be reached"), { status: 0 }));
    xhr.onabort = () => reject(paused);
    xhr.onloadend = () => signal.removeEventListener("abort", stop);
    xhr.send(body);
  });
}

/** Whether the same request may succeed later. */
const passing = (e) => e.status === 0 || e.status >= 500 || [408, 409, 423, 429].includes(e.status);
/** Whether the server does not know the upload any more. */
const lost = (e) => [403, 404, 410].includes(e.status);

function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const end = (settle) => () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", stop);
      settle(paused);
    };
    const [done, stop] = [end(resolve), end(reject)];
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
    signal.addEventListener("abort", stop);
  });
}

/** An upload of one file as the value of one key. */
export class Upload {
  place = null; // its address
  offset = 0; // the number of bytes that the server has, or -1 if it must be asked
  uncertain = false; // an answer was missed, so the value may be stored already

  losses = 0; // how often the server did not know the upload

  constructor(file, key) {
    this.file = file;
    this.key = key;
    this.print = fingerprint(file, key);
    try {
      this.place = localStorage.getItem(this.print);
    } catch {
      /* see remember */
    }
    if (this.place) this.offset = -1;
  }

  /**
   * Sends what the server does not have.
   * @param replace whether a value of the key is replaced; else an Error of status 412 is thrown
   * @param signal pauses: send throws paused, and goes on when it is called again
   * @param progress is called with the number of bytes that are sent
   * @param state is called with a text about a failure, and with none when it is over
   */
  async send({ replace, signal, progress, state }) {
    for (let failures = 0; ;) {
      try {
        if (await this.step(replace, signal, progress)) break;
        state("");
        failures = 0;
      } catch (e) {
        if (e.status === 412 && this.uncertain && (await this.isStored())) break;
        if (e === paused || passing(e)) {
          this.uncertain = true;
          this.offset = this.place ? -1 : 0;
        }
        if (this.place && lost(e) && this.losses++ < 3) this.lose();
        else if (e === paused || !passing(e) || failures + 1 >= attempts) throw e;
        const seconds = Math.min(30, 2 ** failures++);
        if (e.status !== 404) state(`${e.message}; next attempt in ${seconds} s`);
        await wait(1000 * seconds, signal);
      }
    }
    remember(this.print, null);
  }

  /** Sends one request, and returns whether the server has all bytes. */
  async step(replace, signal, progress) {
    const { file } = this;
    let answer;
    if (!this.place) {
      if (!resumable) return this.put(replace, signal, progress);
      const whole = file.size > 0 && file.size <= inOne;
      try {
        answer = await exchange(
          "POST",
          url("/up/", this.key),
          { ...this.headers(replace), ...(whole && pieceType) },
          whole ? file : null,
          signal,
          whole && progress,
        );
      } catch (e) {
        if (e.status !== 501) throw e;
        resumable = false;
        return this.put(replace, signal, progress);
      }
      this.place = new URL(answer.getResponseHeader("Location"), location.href).pathname;
    } else if (this.offset < 0) {
      answer = await exchange("HEAD", this.place, {}, null, signal);
    } else {
      const from = this.offset;
      answer = await exchange(
        "PATCH",
        this.place,
        { "Upload-Offset": from, ...pieceType },
        file.slice(from, from + pieceSize),
        signal,
        (sent) => progress(from + sent),
      );
    }
    this.offset = Number(answer.getResponseHeader("Upload-Offset") || 0);
    progress(this.offset);
    if (this.offset >= file.size) return true;
    remember(this.print, this.place);
    return false;
  }

  /** Sends the whole file in one request, which begins anew if it breaks off. */
  async put(replace, signal, progress) {
    const { "Upload-Length": _, ...headers } = this.headers(replace);
    await exchange("PUT", url("/v/", this.key), headers, this.file, signal, progress);
    progress(this.file.size);
    return true;
  }

  headers(replace) {
    const headers = { "Upload-Length": this.file.size };
    if (this.file.lastModified) headers["X-Kvault-Mtime"] = this.time();
    if (!replace) headers["If-None-Match"] = "*";
    return headers;
  }

  time() {
    return new Date(this.file.lastModified).toISOString();
  }

  /** Whether the key has a value of the file's length and time: this upload's, most likely. */
  async isStored() {
    const answer = await fetch(url("/v/", this.key), { method: "HEAD" }).catch(() => null);
    if (!answer?.ok) return false;
    const time = Date.parse(answer.headers.get("X-Kvault-Mtime"));
    const length = Number(answer.headers.get("Content-Length"));
    return length === this.file.size && time === this.file.lastModified;
  }

  /** Begins again: the server does not know the upload, or it was published. */
  lose() {
    remember(this.print, null);
    this.place = null;
    this.offset = 0;
    this.uncertain = true;
  }

  /** Removes what the server has of the upload. */
  async discard() {
    const { place } = this;
    this.lose();
    this.uncertain = false;
    if (!place) return;
    // One that cannot be removed expires.
    await fetch(place, { method: "DELETE", headers: version }).catch(() => {});
  }
}
