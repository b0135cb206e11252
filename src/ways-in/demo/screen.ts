// A terminal page that is drawn again and again: only lines that changed are written, so that text can be selected on the
// others. Control thread. `close` gives the terminal back as it was.

export interface TerminalOutput {
  write(text: string): unknown;
}

const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";

export class Screen {
  private readonly out: TerminalOutput;
  private shown: string[] = [];
  private isOpen = false;

  constructor(out: TerminalOutput) {
    this.out = out;
  }

  draw(lines: readonly string[]): void {
    let text = this.isOpen ? "" : ENTER;
    this.isOpen = true;
    for (let row = 0; row < Math.max(lines.length, this.shown.length); row++) {
      const line = lines[row] ?? "";
      if (line !== (this.shown[row] ?? "")) text += `\x1b[${row + 1};1H${line}\x1b[K`;
    }
    this.shown = [...lines];
    if (text !== "") this.out.write(text);
  }

  /** After a change of size: everything is drawn anew. */
  forget(): void {
    if (this.isOpen) this.out.write("\x1b[2J");
    this.shown = [];
  }

  close(): void {
    if (this.isOpen) this.out.write(LEAVE);
    this.isOpen = false;
  }
}
