// A fetch that shows a client certificate: the one that Node brings along cannot.
import { request } from "node:https";
import { readFileSync } from "node:fs";

/** Give a fetch for a command's `certificate`, a PEM file with its key; undefined when the command has none. */
export function makeFetch({ certificate }) {
  if (!certificate) return undefined;
  const pem = readFileSync(certificate);
  return (url, { method = "GET", headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const sent = Object.fromEntries(new Headers(headers));
      const call = request(url, { method, headers: sent, cert: pem, key: pem }, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          const told = new Headers();
          for (let at = 0; at < answer.rawHeaders.length; at += 2) {
            told.append(answer.rawHeaders[at], answer.rawHeaders[at + 1]);
          }
          const content = Buffer.concat(parts);
          resolve(new Response(content.length ? content : null, { status: answer.statusCode, headers: told }));
        });
      });
      call.on("error", reject);
      call.end(body === undefined || body === null ? undefined : String(body));
    });
}
