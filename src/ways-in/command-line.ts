// A line of the Runtime API as commands and words: `;` between commands, blanks between words, `\` before a character that is meant
// as it is. Quotes mean nothing, as in HAProxy. Pure.

import { COMMAND_WORDS_MAX } from "../base/limits.ts";

/** The commands of a line; an empty one has no words. undefined in place of words: there were too many. */
export function splitLine(line: string): readonly (readonly string[] | undefined)[] {
  const commands: (readonly string[] | undefined)[] = [];
  let words: string[] = [];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    commands.push(words.length > COMMAND_WORDS_MAX ? undefined : words);
    words = [];
  };
  for (let i = 0; i < line.length; i++) {
    const character = line[i];
    if (character === "\\") word = (word ?? "") + (line[++i] ?? "");
    else if (character === ";") endCommand();
    else if (character === " " || character === "\t") endWord();
    else word = (word ?? "") + character;
  }
  endCommand();
  return commands;
}

/** The line that ends a payload ("" for an empty one), where `line` announces one by ` <<` or ` <<TAG` at its end. */
export function payloadAnnouncement(line: string): { readonly command: string; readonly end: string } | undefined {
  const match = /^(?:(.*)\s)?<<(\S{0,64})\s*$/s.exec(line);
  return match === null ? undefined : { command: match[1] ?? "", end: match[2] };
}
