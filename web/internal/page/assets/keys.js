// Keys are percent-encoded here, as the server writes them into data-key: a key may hold bytes that
// no text of JavaScript can.

/** Percent-encodes all but letters, digits, "-_.~" and slashes. */
export const encode = (text) =>
  encodeURIComponent(text.toWellFormed?.() ?? text)
    .replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase())
    .replaceAll("%2F", "/");

/** @returns the bytes of a key. */
export function bytes(key) {
  const found = [];
  for (let i = 0; i < key.length; i++) {
    if (key[i] === "%") {
      found.push(parseInt(key.slice(i + 1, i + 3), 16));
      i += 2;
    } else {
      found.push(key.charCodeAt(i));
    }
  }
  return Uint8Array.from(found);
}

/** @returns a key percent-encoded, from its bytes. */
export const ofBytes = (list) =>
  encodeBinary(Array.from(list, (b) => String.fromCharCode(b)).join(""));

const encodeBinary = (binary) =>
  binary.replace(
    /[^A-Za-z0-9\-_.~/]/g,
    (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0"),
  );

/** @returns a key as base64, in which the interface takes any bytes. */
export const base64 = (key) => btoa(String.fromCharCode(...bytes(key)));

/** @returns the key of a member of an answer: its text, or its base64. */
export const ofAnswer = (answer) =>
  answer.key_base64 == null ? encode(answer.key) : encodeBinary(atob(answer.key_base64));

/** @returns the text of a key, or of one with other bytes as it is encoded. */
export function text(key) {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** @returns the URL of a key. Browsers change paths with "..", "." and empty segments. */
export function url(mount, key) {
  const segments = key.split("/");
  const odd = (s, i) => s === "." || s === ".." || (s === "" && i < segments.length - 1);
  if (key === "" || segments.some(odd)) return `${mount}?key=${key.replaceAll("/", "%2F")}`;
  return mount + key;
}

/** @returns the folder that a key or a folder lies in. */
export const parent = (key) => key.slice(0, key.replace(/\/$/, "").lastIndexOf("/") + 1);
/** @returns the last name of a key, of a folder with its slash. */
export const name = (key) => key.slice(parent(key).length);

/** @returns the key with " (n)" before the extension of its name. */
export function numbered(key, n) {
  const at = parent(key).length;
  const dot = key.lastIndexOf(".");
  const end = dot > at ? dot : key.length;
  return `${key.slice(0, end)}%20%28${n}%29${key.slice(end)}`;
}

/** @returns a number of bytes for people. */
export function size(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}
