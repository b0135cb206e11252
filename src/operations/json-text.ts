// JSON that is long because its lists are: piece by piece, so that whoever sends it can do something else in between. Pure; any thread.

/** Elements of a list in one piece. */
const PIECE = 256;

/** Characters that are sent at once. */
const SENT = 32_768;

/** The same text as JSON.stringify(value) and a line feed; lists that are up to `depth` objects deep in pieces. */
export async function* jsonText(value: object, depth = 3): AsyncIterable<string> {
  let text = "";
  for (const piece of pieces(value, depth)) {
    text += piece;
    if (text.length < SENT) continue;
    yield text;
    text = "";
    await new Promise((resolve) => setImmediate(resolve));
  }
  yield `${text}\n`;
}

function* pieces(value: unknown, depth: number): Generator<string> {
  if (Array.isArray(value) && value.length > PIECE) yield* listPieces(value);
  else if (depth > 0 && isPlain(value)) yield* objectPieces(value, depth);
  else yield JSON.stringify(value);
}

function* listPieces(list: readonly unknown[]): Generator<string> {
  for (let at = 0; at < list.length; at += PIECE) {
    const text = JSON.stringify(list.slice(at, at + PIECE)).slice(1, -1);
    yield `${at === 0 ? "[" : ","}${text}`;
  }
  yield "]";
}

function* objectPieces(value: object, depth: number): Generator<string> {
  let before = "{";
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue;
    yield `${before}${JSON.stringify(key)}:`;
    yield* pieces(field, depth - 1);
    before = ",";
  }
  yield before === "{" ? "{}" : "}";
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !("toJSON" in value);
