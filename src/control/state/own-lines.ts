// A line of Headgate's own state file that HAProxy takes for a comment: names, then words "name=value". Pure.

/** What such a line begins with. */
export const MARK = "# headgate ";

/** The words of a line, by name. */
export type Words = ReadonlyMap<string, string>;

/** A line without its line feed; `names` and values have no space. */
export const ownLine = (
  kind: string,
  names: readonly (string | number)[],
  words: Readonly<Record<string, string | number>>,
): string => `${MARK}${[kind, ...names].join(" ")}${wordsText(words)}`;

const wordsText = (words: Readonly<Record<string, string | number>>): string =>
  Object.entries(words)
    .map(([name, value]) => ` ${name}=${value}`)
    .join("");

/** The parts of a line that begins with MARK. */
export function splitOwnLine(line: string): {
  readonly kind: string;
  readonly names: readonly string[];
  readonly words: Words;
} {
  const [kind = "", ...rest] = line.slice(MARK.length).split(" ");
  const names = rest.filter((word) => !word.includes("="));
  const words = new Map(rest.filter((word) => word.includes("=")).map((word) => splitWord(word)));
  return { kind, names, words };
}

const splitWord = (word: string): readonly [string, string] => {
  const at = word.indexOf("=");
  return [word.slice(0, at), word.slice(at + 1)];
};

/** A whole number of at least 0; NaN where there is none. */
export const numberOf = (words: Words, name: string): number => {
  const text = words.get(name) ?? "";
  return /^\d{1,16}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
};

/** Texts as one value: what would end it, or part it, stands there as in a URL. */
export const encodeTexts = (texts: readonly string[]): string =>
  texts.map((text) => text.replace(/[^!-$&-+\--~]/gu, (character) => encodeURIComponent(character))).join(",");

/** Undefined where it was not written by `encodeTexts`. */
export function decodeTexts(value: string | undefined): readonly string[] | undefined {
  try {
    return value?.split(",").map((text) => decodeURIComponent(text));
  } catch {
    return undefined;
  }
}

const QUOTED_MOST = 60;
/** Text of a file in a message: at most QUOTED_MOST letters, nothing that a terminal acts on. */
export function quoted(text = ""): string {
  const plain = JSON.stringify(text.slice(0, QUOTED_MOST)).slice(1, -1);
  return `'${plain}${text.length > QUOTED_MOST ? "..." : ""}'`;
}
