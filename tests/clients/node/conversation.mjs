// One JSON command on standard input, one JSON answer on standard output: {"given": …} or {"refused": …}.
import { text } from "node:stream/consumers";

/** Thrown by a client's program where the server said no. */
export class Refusal extends Error {
  constructor(refused) {
    super("refused");
    this.refused = refused;
  }
}

/** Answer the command with the function of its name; anything but a refusal ends the process with an error. */
export async function converse(abilities) {
  const command = JSON.parse(await text(process.stdin));
  let answer;
  try {
    answer = { given: await abilities[command.ability](command) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    answer = { refused: error.refused };
  }
  process.stdout.write(JSON.stringify(answer));
}

/** Give the rows of an answer, or throw its refusal. */
export async function takeRows(response) {
  if (response.status !== 200) {
    throw new Refusal({ status: response.status, challenge: response.headers.get("www-authenticate") });
  }
  return await response.json();
}
